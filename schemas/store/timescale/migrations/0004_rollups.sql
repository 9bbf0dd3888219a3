-- 0004_rollups.sql: what series were in each minute and quarter-hour, see package rollup.

-- blocks of an hour of minutes (level 1) or a day of quarter-hours (level 2); body is the form of package rollup, which the server cannot compress further
create table rollups (
  series_id integer not null,
  level smallint not null,
  start timestamptz not null,
  body bytea not null,
  primary key (series_id, level, start)
);
alter table rollups alter column body set storage external;

-- what was written since its blocks were computed, one row per write; body is the form of package rollup, null: everything there is
create table dirty (
  id bigint generated always as identity primary key,
  from_us bigint not null, -- microseconds since the Unix epoch
  to_us bigint not null,
  body bytea
);
alter table dirty alter column body set storage external;
insert into dirty (from_us, to_us) select -62135596800000000, 253402300799000000 where exists (select from series);

-- one row of what the record is: before frozen_us samples may have been removed, and rollups stay what they are
create table record_state (
  one boolean primary key default true check (one),
  frozen_us bigint not null default -62135596800000000
);
insert into record_state default values;
