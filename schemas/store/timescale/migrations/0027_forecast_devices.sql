-- 0027_forecast_devices.sql: errors of forecasts of single devices as well, and in other units than kW
alter table forecast_errors rename column absolute_kw to absolute; -- in the unit of the quantity: kW, of outdoor °C, of price EUR/kWh, of carbon g/kWh
alter table forecast_errors rename column persistence_kw to persistence;
alter table forecast_errors rename column measured_kw to measured;
alter table forecast_errors rename column pinball_kw to pinball;
alter table forecast_errors add column device text collate "C" not null default ''; -- "" the site as a whole
alter table forecast_errors drop constraint forecast_errors_pkey;
alter table forecast_errors add primary key (district, day, site, device, quantity, lead_min, replayed);
