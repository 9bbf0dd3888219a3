-- 0013_carriers.sql: balances of carriers other than electricity, and how the estimates of a row were made: bits 1 interpolated, 2 similar days, 4 estimate, 8 missing
alter table balances add column methods integer not null default 0;

-- one row per site ("_" the district itself), carrier and metering slot
create table carrier_balances (
  district text not null,
  site text not null,
  carrier text not null, -- heat, cold, gas, hot_water, …
  start_us integer not null,
  step_us integer not null,
  delivered_wh integer not null, exported_wh integer not null, generated_wh integer not null, converted_wh integer not null,
  charge_wh integer not null, discharge_wh integer not null, consumed_wh integer not null, residual_wh integer not null,
  coverage real not null,   -- share 0..1
  methods integer not null, -- as in balances; 0: measured
  primary key (district, start_us, site, carrier)
) without rowid;
