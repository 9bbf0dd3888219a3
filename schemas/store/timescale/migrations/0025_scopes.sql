-- 0025_scopes.sql: sums of days of boundaries of several sites beside those of every site, and of what was observed, see package daily; every day is summed again by the first refresh
drop table summed_days;
drop table day_sums;

-- the days whose sums are kept and right, by scope; who saves what they are sums of takes theirs off
create table summed_days (
  district text collate "C" not null,
  start timestamptz not null,
  scope text collate "C" not null, -- "": every site and the district; a boundary of several sites; or what was observed
  until timestamptz not null,
  claim text, -- of who is summing it now; null: its sums are kept
  primary key (district, start, scope)
);

create table day_sums (
  district text collate "C" not null,
  scope text collate "C" not null,
  site text collate "C" not null, -- "_" the district itself; of another scope than "" the scope
  start timestamptz not null,
  carrier text collate "C" not null,
  until timestamptz not null,
  body bytea not null,
  primary key (district, scope, site, start, carrier)
);
