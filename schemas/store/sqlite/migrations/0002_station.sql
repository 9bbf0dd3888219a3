-- 0002_station.sql: what a transformer station metered beyond what its sites exchanged, district rows alone; positive: lost, or drawn without a meter
alter table balances add column station_residual_wh integer not null default 0;
