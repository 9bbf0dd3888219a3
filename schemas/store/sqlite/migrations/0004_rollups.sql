-- 0004_rollups.sql: what series were in each minute and quarter-hour, see package rollup.

-- blocks of an hour of minutes (level 1) or a day of quarter-hours (level 2); body is the form of package rollup
create table rollups (
  series_id integer not null,
  level integer not null,
  start_us integer not null,
  body blob not null,
  primary key (series_id, level, start_us)
);

-- what was written since its blocks were computed, one row per write; body is the form of package rollup, null: everything there is
create table dirty (
  id integer primary key autoincrement,
  from_us integer not null,
  to_us integer not null,
  body blob
);
create index dirty_by_time on dirty (to_us);
insert into dirty (from_us, to_us) select -62135596800000000, 253402300799000000 where exists (select 1 from series);
