-- 0012_carriers.sql: balances of carriers other than electricity, and how the estimates of a row were made: bits 1 interpolated, 2 similar days, 4 estimate, 8 missing
alter table balances add column methods smallint not null default 0;

-- one row per site ("_" the district itself), carrier and metering slot
create table carrier_balances (
  district text collate "C" not null,
  site text collate "C" not null,
  carrier text collate "C" not null, -- heat, cold, gas, hot_water, …
  start timestamptz not null,
  step_us bigint not null, -- microseconds
  delivered_wh bigint not null, exported_wh bigint not null, generated_wh bigint not null, converted_wh bigint not null,
  charge_wh bigint not null, discharge_wh bigint not null, consumed_wh bigint not null, residual_wh bigint not null,
  coverage double precision not null, -- share 0..1
  methods smallint not null, -- as in balances; 0: measured
  primary key (district, start, site, carrier)
);
