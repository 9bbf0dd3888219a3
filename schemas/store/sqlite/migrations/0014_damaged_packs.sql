-- 0014_damaged_packs.sql: from here on the table staged may hold mixed packs (pack.go), which programs of before do not know. And a place for packs that the disk gave back otherwise than they were written, set aside so that what reads beside them goes on. Columns are those of packs.
create table damaged_packs (
  series_id integer not null,
  from_us integer not null,
  to_us integer not null,
  row_count integer not null,
  found_us integer not null,
  why text not null,
  body blob not null,
  primary key (series_id, from_us)
) without rowid;
