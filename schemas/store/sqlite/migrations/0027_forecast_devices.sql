-- 0027_forecast_devices.sql: errors of forecasts of single devices as well, and in other units than kW
create table forecast_errors_of (
  district text not null,
  site text not null,        -- "_" the district itself
  device text not null,      -- "" the site as a whole
  quantity text not null,    -- load, sun, net, heat, hot_water, car: sums in kW; outdoor: in °C; price: in EUR/kWh; carbon: in g/kWh
  day_us integer not null,   -- begin of the day of UTC in which the slots lie
  lead_min integer not null, -- minutes from the forecast to the slot
  replayed integer not null, -- 1: made afterwards from the record, of what was known at its time
  count integer not null,
  absolute real not null, persistence real not null, measured real not null, -- in the unit of the quantity
  banded integer not null, covered integer not null, pinball real not null,
  primary key (district, day_us, site, device, quantity, lead_min, replayed)
) without rowid;
insert into forecast_errors_of(district, site, device, quantity, day_us, lead_min, replayed, count, absolute, persistence, measured, banded, covered, pinball)
  select district, site, '', quantity, day_us, lead_min, replayed, count, absolute_kw, persistence_kw, measured_kw, banded, covered, pinball_kw from forecast_errors;
drop table forecast_errors;
alter table forecast_errors_of rename to forecast_errors;
