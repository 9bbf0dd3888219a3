-- 0001_record.sql: the whole record of one installation in one file.
-- Times are microseconds since the Unix epoch, UTC; energies are whole watt-hours; power is kW, positive into the device.

create table meta (key text primary key, value text not null) without rowid;

-- a series is district/site/device/quantity; its name ends in the unit of its values
create table series (id integer primary key, name text not null unique);

-- one row per reading, clustered by series so that a month of one series is a run of neighbouring pages: about 25 bytes a row
create table samples (
  series_id integer not null,
  time_us integer not null,
  value real not null,      -- in the unit of the series
  flags integer not null,   -- quality in the low four bits (0 good, 1 uncertain, 2 bad, 3 substituted), source in the high four
  primary key (series_id, time_us)
) without rowid;

-- one row per site ("_" the district itself) and metering slot: 96 a day and site
create table balances (
  district text not null,
  site text not null,
  start_us integer not null,
  step_us integer not null,
  import_wh integer not null, export_wh integer not null, production_wh integer not null,
  charge_wh integer not null, discharge_wh integer not null,
  heat_wh integer not null, cars_wh integer not null, other_wh integer not null,
  residual_wh integer not null, shared_wh integer not null,
  cost_eur real not null, carbon_kg real not null, baseline_cost_eur real not null, baseline_carbon_kg real not null,
  coverage real not null,       -- share 0..1
  substituted integer not null, -- 0 or 1
  primary key (district, start_us, site)
) without rowid;

-- autoincrement: an id is never given twice, also after old rows have gone to the database
create table plans (
  id integer primary key autoincrement,
  district text not null,
  created_us integer not null,
  body text not null -- JSON
);
create index plans_by_time on plans (district, created_us, id);

create table setpoints (
  id integer primary key autoincrement,
  time_us integer not null,
  district text not null, site text not null, device text not null,
  wanted_kw real not null, command text not null, sent_kw real not null, reason text not null,
  plan_id integer not null, outcome text not null, read_back real not null, detail text not null
);
create index setpoints_by_time on setpoints (district, time_us, id);

create table events (
  id integer primary key autoincrement,
  time_us integer not null, kind text not null, actor text not null, action text not null,
  object text not null, detail text not null, remote text not null, severity text not null
);
create index events_by_time on events (time_us, id);

create table users (
  name text primary key,
  password_hash text not null, -- argon2id, PHC string format
  role text not null, district text not null, member text not null, language text not null,
  created_us integer not null, disabled integer not null
) without rowid;

create table sessions (
  token_hash text primary key, -- hex SHA-256 of the token, which itself is nowhere
  user_name text not null, csrf text not null, created_us integer not null, expires_us integer not null
) without rowid;
create index sessions_by_user on sessions (user_name);
create index sessions_by_expiry on sessions (expires_us);

-- batches that wait for the database, in the order in which they were written; body is the form of package batch
create table outbox (
  seq integer primary key autoincrement,
  kind integer not null,
  row_count integer not null,
  from_us integer not null,    -- the earliest time in the batch: rows from there on are kept here until it has gone
  written_us integer not null, -- when it was put here, by the clock of this machine
  refused text,                -- why the database can never take it; null while it waits
  body blob not null
);
create index outbox_waiting on outbox (seq) where refused is null;
