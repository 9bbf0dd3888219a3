-- 0011_figures.sql: published figures with what they rest on. Nothing in it is changed: a correction is a new version.
create table figures (
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
