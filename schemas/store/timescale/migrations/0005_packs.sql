-- 0005_packs.sql: the samples of closed days, packed: one row per series and day in place of thousands, on every edition of TimescaleDB and without it.
-- A sample is in one place: in a row of sample, or in a pack. The samples of a pack lie from start to stop, and no other of its series do.

create table pack (
  series_id integer not null,
  start timestamptz not null,  -- of its first sample
  stop timestamptz not null,   -- of its last sample
  count integer not null,
  every_us bigint not null,    -- microseconds from one sample to the next
  jitter smallint[],           -- what they are more or less, the first 0: the smallest of three widths that holds all, or none of them where it is always 0
  deltas integer[],
  long_deltas bigint[],
  scale smallint,              -- a value is its digits / 10^scale where all are such numbers, else singles where all are of single precision, else numbers
  digits integer[],
  singles real[],
  numbers double precision[],
  flag smallint,               -- quality + 16 * source, where that is always the same; otherwise flags
  flags smallint[],
  primary key (series_id, start)
);
create index pack_by_stop on pack (stop);

-- whatever is before packed_to may be packed: who writes there looks for packs that his rows fall into
alter table record_state add column packed_to timestamptz not null default '-infinity';

-- the samples of a pack as rows
create function pack_samples(p pack) returns table ("time" timestamptz, value double precision, quality smallint)
language sql stable parallel safe rows 5000 as $$
  select p.start + interval '1 microsecond' * (p.every_us * (u.i - 1) + sum(coalesce(u.j, u.d, u.l, 0)) over (order by u.i))::double precision,
    coalesce(u.v / 10::double precision ^ p.scale, u.s, u.n), (coalesce(p.flag, u.f) % 16)::smallint
  from unnest(p.jitter, p.deltas, p.long_deltas, p.digits, p.singles, p.numbers, p.flags) with ordinality u(j, d, l, v, s, n, f, i)
$$;

-- for people with SQL: every sample, wherever it is
drop view samples;
create view samples as
  select m.time, s.name as series, m.value, m.quality from sample m join series s on s.id = m.series_id
  union all
  select x.time, s.name, x.value, x.quality from pack p join series s on s.id = p.series_id cross join lateral pack_samples(p) x;

-- the same of one series and span, which unpacks only what it needs: a view unpacks all of a series before it looks at the time
create function samples_of(of_series text, from_time timestamptz, to_time timestamptz) returns table ("time" timestamptz, value double precision, quality smallint)
language sql stable parallel safe rows 5000 begin atomic
  select m.time, m.value, m.quality from sample m where m.series_id = (select id from series where name = of_series) and m.time >= from_time and m.time < to_time
  union all
  select x.time, x.value, x.quality from pack p cross join lateral pack_samples(p) x
  where p.series_id = (select id from series where name = of_series) and p.start < to_time and p.stop >= from_time and x.time >= from_time and x.time < to_time; end;
