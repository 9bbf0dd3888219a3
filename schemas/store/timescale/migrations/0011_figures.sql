-- 0011_figures.sql: published figures with what they rest on. Nothing in it is changed: a correction is a new version.
create table figures (
  district text collate "C" not null,
  subject text collate "C" not null,    -- "_" the district, a site, or member/ and a member
  kind text collate "C" not null,       -- ends in the unit
  start timestamptz not null, "end" timestamptz not null,
  version integer not null,             -- from 1
  value double precision not null, unit text not null,
  method text not null, method_version text not null,
  inputs json not null,                 -- name, count and SHA-256 of each
  created_at timestamptz not null,
  supersedes integer not null,          -- the version that it corrects, 0: none
  reason text not null,
  seal text not null,                   -- SHA-256 of the row, hexadecimal
  primary key (district, start, "end", subject, kind, version)
);
