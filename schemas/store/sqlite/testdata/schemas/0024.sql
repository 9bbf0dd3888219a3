-- a record of version 24 of the schema, as sqlite3 dumps it
BEGIN TRANSACTION;
CREATE TABLE balances (
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
  substituted integer not null, station_residual_wh integer not null default 0, methods integer not null default 0, -- 0 or 1
  primary key (district, start_us, site)
) without rowid;
INSERT INTO balances VALUES('fontaine','_',1768431600000000,900000000,100,0,250,10,0,90,40,210,0,5,0.020000000000000000416,0.010000000000000000208,0.029999999999999998889,0.020000000000000000416,1.0,0,12,0);
INSERT INTO balances VALUES('fontaine','_',1768432500000000,900000000,100,0,250,10,0,90,40,210,0,5,0.020000000000000000416,0.010000000000000000208,0.029999999999999998889,0.020000000000000000416,1.0,0,12,0);
INSERT INTO balances VALUES('fontaine','_',1768433400000000,900000000,100,0,250,10,0,90,40,210,0,5,0.020000000000000000416,0.010000000000000000208,0.029999999999999998889,0.020000000000000000416,1.0,0,12,0);
INSERT INTO balances VALUES('fontaine','_',1768434300000000,900000000,100,0,250,10,0,90,40,210,0,5,0.020000000000000000416,0.010000000000000000208,0.029999999999999998889,0.020000000000000000416,1.0,0,12,0);
CREATE TABLE events (
  id integer primary key autoincrement,
  time_us integer not null, kind text not null, actor text not null, action text not null,
  object text not null, detail text not null, remote text not null, severity text not null
);
INSERT INTO events VALUES(1000000001,1768431600000000,'audit','zoe','sign-in','zoe','','127.0.0.1','info');
CREATE TABLE meta (key text primary key, value text not null) without rowid;
CREATE TABLE outbox (
  seq integer primary key autoincrement,
  kind integer not null,
  row_count integer not null,
  from_us integer not null,    -- the earliest time in the batch: rows from there on are kept here until it has gone
  written_us integer not null, -- when it was put here, by the clock of this machine
  refused text,                -- why the database can never take it; null while it waits
  body blob not null
);
CREATE TABLE plans (
  id integer primary key autoincrement,
  district text not null,
  created_us integer not null,
  body text not null -- JSON
);
INSERT INTO plans VALUES(1000000001,'fontaine',1768431600000000,'{"district":"fontaine","created_at":"2026-01-14T23:00:00Z"}');
CREATE TABLE samples (
  series_id integer not null,
  time_us integer not null,
  value real not null,      -- in the unit of the series
  flags integer not null,   -- quality in the low four bits (0 good, 1 uncertain, 2 bad, 3 substituted), source in the high four
  primary key (series_id, time_us)
) without rowid;
INSERT INTO samples VALUES(1,1768431600000000,0.0,0);
INSERT INTO samples VALUES(1,1768431900000000,0.25,16);
INSERT INTO samples VALUES(1,1768432200000000,0.5,1);
INSERT INTO samples VALUES(1,1768432500000000,0.75,34);
INSERT INTO samples VALUES(1,1768432800000000,1.0,0);
INSERT INTO samples VALUES(1,1768433100000000,1.25,16);
INSERT INTO samples VALUES(1,1768433400000000,1.5,1);
INSERT INTO samples VALUES(1,1768433700000000,1.75,34);
INSERT INTO samples VALUES(1,1768434000000000,2.0,0);
INSERT INTO samples VALUES(1,1768434300000000,2.25,16);
INSERT INTO samples VALUES(1,1768434600000000,2.5,1);
INSERT INTO samples VALUES(1,1768434900000000,2.75,34);
INSERT INTO samples VALUES(1,1768435200000000,3.0,0);
INSERT INTO samples VALUES(1,1768435500000000,3.25,16);
INSERT INTO samples VALUES(1,1768435800000000,3.5,1);
INSERT INTO samples VALUES(1,1768436100000000,3.75,34);
INSERT INTO samples VALUES(1,1768436400000000,4.0,0);
INSERT INTO samples VALUES(1,1768436700000000,4.25,16);
INSERT INTO samples VALUES(1,1768437000000000,4.5,1);
INSERT INTO samples VALUES(1,1768437300000000,4.75,34);
INSERT INTO samples VALUES(1,1768437600000000,5.0,0);
INSERT INTO samples VALUES(1,1768437900000000,5.25,16);
INSERT INTO samples VALUES(1,1768438200000000,5.5,1);
INSERT INTO samples VALUES(1,1768438500000000,5.75,34);
INSERT INTO samples VALUES(1,1768438800000000,6.0,0);
INSERT INTO samples VALUES(1,1768439100000000,6.25,16);
INSERT INTO samples VALUES(1,1768439400000000,6.5,1);
INSERT INTO samples VALUES(1,1768439700000000,6.75,34);
INSERT INTO samples VALUES(1,1768440000000000,7.0,0);
INSERT INTO samples VALUES(1,1768440300000000,7.25,16);
INSERT INTO samples VALUES(1,1768440600000000,7.5,1);
INSERT INTO samples VALUES(1,1768440900000000,7.75,34);
INSERT INTO samples VALUES(1,1768441200000000,8.0,0);
INSERT INTO samples VALUES(1,1768441500000000,8.25,16);
INSERT INTO samples VALUES(1,1768441800000000,8.5,1);
INSERT INTO samples VALUES(1,1768442100000000,8.75,34);
INSERT INTO samples VALUES(1,1768442400000000,9.0,0);
INSERT INTO samples VALUES(1,1768442700000000,9.25,16);
INSERT INTO samples VALUES(1,1768443000000000,9.5,1);
INSERT INTO samples VALUES(1,1768443300000000,9.75,34);
INSERT INTO samples VALUES(2,1768431600000000,0.0,0);
INSERT INTO samples VALUES(2,1768431900000000,-1.5,16);
INSERT INTO samples VALUES(2,1768432200000000,-3.0,1);
INSERT INTO samples VALUES(2,1768432500000000,-4.5,34);
INSERT INTO samples VALUES(2,1768432800000000,-6.0,0);
INSERT INTO samples VALUES(2,1768433100000000,-7.5,16);
INSERT INTO samples VALUES(2,1768433400000000,-9.0,1);
INSERT INTO samples VALUES(2,1768433700000000,0.0,34);
INSERT INTO samples VALUES(2,1768434000000000,-1.5,0);
INSERT INTO samples VALUES(2,1768434300000000,-3.0,16);
INSERT INTO samples VALUES(2,1768434600000000,-4.5,1);
INSERT INTO samples VALUES(2,1768434900000000,-6.0,34);
INSERT INTO samples VALUES(2,1768435200000000,-7.5,0);
INSERT INTO samples VALUES(2,1768435500000000,-9.0,16);
INSERT INTO samples VALUES(2,1768435800000000,0.0,1);
INSERT INTO samples VALUES(2,1768436100000000,-1.5,34);
INSERT INTO samples VALUES(2,1768436400000000,-3.0,0);
INSERT INTO samples VALUES(2,1768436700000000,-4.5,16);
INSERT INTO samples VALUES(2,1768437000000000,-6.0,1);
INSERT INTO samples VALUES(2,1768437300000000,-7.5,34);
INSERT INTO samples VALUES(2,1768437600000000,-9.0,0);
INSERT INTO samples VALUES(2,1768437900000000,0.0,16);
INSERT INTO samples VALUES(2,1768438200000000,-1.5,1);
INSERT INTO samples VALUES(2,1768438500000000,-3.0,34);
INSERT INTO samples VALUES(2,1768438800000000,-4.5,0);
INSERT INTO samples VALUES(2,1768439100000000,-6.0,16);
INSERT INTO samples VALUES(2,1768439400000000,-7.5,1);
INSERT INTO samples VALUES(2,1768439700000000,-9.0,34);
INSERT INTO samples VALUES(2,1768440000000000,0.0,0);
INSERT INTO samples VALUES(2,1768440300000000,-1.5,16);
INSERT INTO samples VALUES(2,1768440600000000,-3.0,1);
INSERT INTO samples VALUES(2,1768440900000000,-4.5,34);
INSERT INTO samples VALUES(2,1768441200000000,-6.0,0);
INSERT INTO samples VALUES(2,1768441500000000,-7.5,16);
INSERT INTO samples VALUES(2,1768441800000000,-9.0,1);
INSERT INTO samples VALUES(2,1768442100000000,0.0,34);
INSERT INTO samples VALUES(2,1768442400000000,-1.5,0);
INSERT INTO samples VALUES(2,1768442700000000,-3.0,16);
INSERT INTO samples VALUES(2,1768443000000000,-4.5,1);
INSERT INTO samples VALUES(2,1768443300000000,-6.0,34);
INSERT INTO samples VALUES(3,1768431600000000,48.0,0);
INSERT INTO samples VALUES(3,1768431900000000,48.125,16);
INSERT INTO samples VALUES(3,1768432200000000,48.249999999999999998,1);
INSERT INTO samples VALUES(3,1768432500000000,48.375,34);
INSERT INTO samples VALUES(3,1768432800000000,48.499999999999999999,0);
INSERT INTO samples VALUES(3,1768433100000000,48.625000000000000001,16);
INSERT INTO samples VALUES(3,1768433400000000,48.75,1);
INSERT INTO samples VALUES(3,1768433700000000,48.874999999999999998,34);
INSERT INTO samples VALUES(3,1768434000000000,49.0,0);
INSERT INTO samples VALUES(3,1768434300000000,49.124999999999999999,16);
INSERT INTO samples VALUES(3,1768434600000000,49.250000000000000001,1);
INSERT INTO samples VALUES(3,1768434900000000,49.375,34);
INSERT INTO samples VALUES(3,1768435200000000,49.499999999999999998,0);
INSERT INTO samples VALUES(3,1768435500000000,49.625,16);
INSERT INTO samples VALUES(3,1768435800000000,49.749999999999999999,1);
INSERT INTO samples VALUES(3,1768436100000000,49.875000000000000001,34);
INSERT INTO samples VALUES(3,1768436400000000,50.0,0);
INSERT INTO samples VALUES(3,1768436700000000,50.124999999999999998,16);
INSERT INTO samples VALUES(3,1768437000000000,50.25,1);
INSERT INTO samples VALUES(3,1768437300000000,50.374999999999999999,34);
INSERT INTO samples VALUES(3,1768437600000000,50.500000000000000001,0);
INSERT INTO samples VALUES(3,1768437900000000,50.625,16);
INSERT INTO samples VALUES(3,1768438200000000,50.749999999999999998,1);
INSERT INTO samples VALUES(3,1768438500000000,50.875,34);
INSERT INTO samples VALUES(3,1768438800000000,51.0,0);
INSERT INTO samples VALUES(3,1768439100000000,51.125000000000000001,16);
INSERT INTO samples VALUES(3,1768439400000000,51.25,1);
INSERT INTO samples VALUES(3,1768439700000000,51.374999999999999998,34);
INSERT INTO samples VALUES(3,1768440000000000,51.5,0);
INSERT INTO samples VALUES(3,1768440300000000,51.624999999999999999,16);
INSERT INTO samples VALUES(3,1768440600000000,51.750000000000000001,1);
INSERT INTO samples VALUES(3,1768440900000000,51.875,34);
INSERT INTO samples VALUES(3,1768441200000000,52.0,0);
INSERT INTO samples VALUES(3,1768441500000000,52.125,16);
INSERT INTO samples VALUES(3,1768441800000000,52.249999999999999999,1);
INSERT INTO samples VALUES(3,1768442100000000,52.375000000000000001,34);
INSERT INTO samples VALUES(3,1768442400000000,52.5,0);
INSERT INTO samples VALUES(3,1768442700000000,52.624999999999999998,16);
INSERT INTO samples VALUES(3,1768443000000000,52.75,1);
INSERT INTO samples VALUES(3,1768443300000000,52.874999999999999999,34);
CREATE TABLE series (id integer primary key, name text not null unique);
INSERT INTO series VALUES(1,'fontaine/ecole/meter/import_kwh');
INSERT INTO series VALUES(2,'fontaine/ecole/pv/power_kw');
INSERT INTO series VALUES(3,'fontaine/mairie/tank/tank_c');
CREATE TABLE sessions (
  token_hash text primary key, -- hex SHA-256 of the token, which itself is nowhere
  user_name text not null, csrf text not null, created_us integer not null, expires_us integer not null
) without rowid;
CREATE TABLE setpoints (
  id integer primary key autoincrement,
  time_us integer not null,
  district text not null, site text not null, device text not null,
  wanted_kw real not null, command text not null, sent_kw real not null, reason text not null,
  plan_id integer not null, outcome text not null, read_back real not null, detail text not null
);
INSERT INTO setpoints VALUES(1000000001,1768431600000000,'fontaine','ecole','battery',-3.0,'charge',-3.0,'cheap',1000000001,'accepted',-3.0,'');
CREATE TABLE users (
  name text primary key,
  password_hash text not null, -- argon2id, PHC string format
  role text not null, district text not null, member text not null, language text not null,
  created_us integer not null, disabled integer not null
) without rowid;
INSERT INTO users VALUES('zoe','$argon2id$x','administrator','','','fr',1768431600000000,0);
CREATE TABLE rollups (
  series_id integer not null,
  level integer not null,
  start_us integer not null,
  body blob not null,
  primary key (series_id, level, start_us)
);
CREATE TABLE dirty (
  id integer primary key autoincrement,
  from_us integer not null,
  to_us integer not null,
  body blob
);
INSERT INTO dirty VALUES(1,-62135596800000000,253402300799000000,NULL);
CREATE TABLE figures (
  district text not null,
  subject text not null,        -- "_" the district, a site, or member/ and a member
  kind text not null,           -- ends in the unit
  start_us integer not null, end_us integer not null,
  version integer not null,     -- from 1
  value real not null, unit text not null,
  method text not null, method_version text not null,
  inputs text not null,         -- JSON: name, count and SHA-256 of each
  created_us integer not null,
  supersedes integer not null,  -- the version that it corrects, 0: none
  reason text not null,
  seal text not null,           -- SHA-256 of the row, hexadecimal
  primary key (district, start_us, end_us, subject, kind, version)
) without rowid;
CREATE TABLE staged (
  seq integer primary key autoincrement,
  row_count integer not null,
  damaged text, -- why it cannot be read; null while it can
  body blob not null
);
CREATE TABLE packs (
  series_id integer not null,
  from_us integer not null, -- of the first sample
  to_us integer not null,   -- of the last one
  row_count integer not null,
  body blob not null,       -- the form of pack.go
  primary key (series_id, from_us)
) without rowid;
CREATE TABLE carrier_balances (
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
CREATE TABLE damaged_packs (
  series_id integer not null,
  from_us integer not null,
  to_us integer not null,
  row_count integer not null,
  found_us integer not null,
  why text not null,
  body blob not null,
  primary key (series_id, from_us)
) without rowid;
CREATE TABLE forecast_errors (
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
CREATE TABLE orders (
  id text not null primary key,
  district text not null,
  revision integer not null,
  created_us integer not null,
  start_us integer not null,
  until_us integer not null, -- when it holds no longer; 9223372036854775807: not known
  body text not null         -- JSON
) without rowid;
CREATE TABLE summed_days (
  district text not null,
  start_us integer not null,
  end_us integer not null,
  claim text, -- of who is summing it now; null: its sums are kept
  primary key (district, start_us)
) without rowid;
INSERT INTO summed_days VALUES('fontaine',1768431600000000,1768518000000000,NULL);
CREATE TABLE day_sums (
  district text not null,
  site text not null, -- "_" the district itself
  start_us integer not null,
  carrier text not null,
  end_us integer not null,
  body blob not null,
  primary key (district, site, start_us, carrier)
) without rowid;
INSERT INTO day_sums VALUES('fontaine','_',1768431600000000,'electricity',1768518000000000,X'01a00600d00f005000a01500a015a00600a00600080000000000000000f03f008080c58bc6d101a00600d00f5000d005c002900d002860800f7b14ae47e17ab43f7b14ae47e17aa43fb81e85eb51b8be3f7b14ae47e17ab43f000000000000f03f000000000000f03f080000000808080202f403a805c801b401c8019f06a00600d005f1f0f0f0f0f0f03f88878787878707400000000000000000000000000000000028d46f49');
CREATE TABLE joint_packs (
  group_id integer not null,
  until_us integer not null, -- of the latest sample here, but always later than that of the pack before; the packs after it begin a minute earlier at most
  from_us integer not null,  -- of the first sample
  row_count integer not null,
  body blob not null,        -- the form of joint.go
  primary key (group_id, until_us)
) without rowid;
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('plans',1000000001);
INSERT INTO sqlite_sequence VALUES('setpoints',1000000001);
INSERT INTO sqlite_sequence VALUES('events',1000000001);
INSERT INTO sqlite_sequence VALUES('dirty',1);
CREATE INDEX plans_by_time on plans (district, created_us, id);
CREATE INDEX setpoints_by_time on setpoints (district, time_us, id);
CREATE INDEX events_by_time on events (time_us, id);
CREATE INDEX sessions_by_user on sessions (user_name);
CREATE INDEX sessions_by_expiry on sessions (expires_us);
CREATE INDEX outbox_waiting on outbox (seq) where refused is null;
CREATE INDEX dirty_by_time on dirty (to_us);
CREATE INDEX orders_by_time on orders(district, until_us);
COMMIT;
PRAGMA user_version=24;
