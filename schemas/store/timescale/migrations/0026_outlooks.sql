-- 0026_outlooks.sql: what was published of the weather ahead, hour by hour, for forecasts to learn from after a restart
create table outlooks (
  district text collate "C" not null,
  at timestamptz not null, -- the instant as of which it was published, and from which on
  body bytea not null,     -- packed and checked by who learns from it
  primary key (district, at)
);
