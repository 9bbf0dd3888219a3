-- 0013_forecast_errors.sql: how wrong forecasts were, as sums over the slots of a day
create table forecast_errors (
  district text collate "C" not null,
  site text collate "C" not null,     -- "_" the district itself
  quantity text collate "C" not null, -- load, sun, net
  day timestamptz not null,           -- begin of the day of UTC in which the slots lie
  lead_min integer not null,          -- minutes from the forecast to the slot
  replayed boolean not null,          -- made afterwards from the record, of what was known at its time
  count bigint not null,
  absolute_kw double precision not null, persistence_kw double precision not null, measured_kw double precision not null,
  banded bigint not null, covered bigint not null, pinball_kw double precision not null,
  primary key (district, day, site, quantity, lead_min, replayed)
);
