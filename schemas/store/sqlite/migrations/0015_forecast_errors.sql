-- 0015_forecast_errors.sql: how wrong forecasts were, as sums over the slots of a day
create table forecast_errors (
  district text not null,
  site text not null,        -- "_" the district itself
  quantity text not null,    -- load, sun, net
  day_us integer not null,   -- begin of the day of UTC in which the slots lie
  lead_min integer not null, -- minutes from the forecast to the slot
  replayed integer not null, -- 1: made afterwards from the record, of what was known at its time
  count integer not null,
  absolute_kw real not null, persistence_kw real not null, measured_kw real not null,
  banded integer not null, covered integer not null, pinball_kw real not null,
  primary key (district, day_us, site, quantity, lead_min, replayed)
) without rowid;
