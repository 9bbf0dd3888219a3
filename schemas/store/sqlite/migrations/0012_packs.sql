-- 0012_packs.sql: samples many to a row. Those of before stay in the table samples, where late ones and corrections go as well.

-- what was written lately, as it came: one row per write; body is the form of pack.go, with the id of each series
create table staged (
  seq integer primary key autoincrement,
  row_count integer not null,
  damaged text, -- why it cannot be read; null while it can
  body blob not null
);

-- runs of samples of one series, which do not overlap. A row of the table samples of the same time was written later, and stands
create table packs (
  series_id integer not null,
  from_us integer not null, -- of the first sample
  to_us integer not null,   -- of the last one
  row_count integer not null,
  body blob not null,       -- the form of pack.go
  primary key (series_id, from_us)
) without rowid;
