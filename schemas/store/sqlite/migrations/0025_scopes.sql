-- 0025_scopes.sql: sums of days of boundaries of several sites beside those of every site, and of what was observed, see package daily; every day is summed again by the first refresh
drop table summed_days;
drop table day_sums;

-- the days whose sums are kept and right, by scope; who saves what they are sums of takes theirs off
create table summed_days (
  district text not null,
  start_us integer not null,
  scope text not null, -- "": every site and the district; a boundary of several sites; or what was observed
  end_us integer not null,
  claim text, -- of who is summing it now; null: its sums are kept
  primary key (district, start_us, scope)
) without rowid;

create table day_sums (
  district text not null,
  scope text not null,
  site text not null, -- "_" the district itself; of another scope than "" the scope
  start_us integer not null,
  carrier text not null,
  end_us integer not null,
  body blob not null,
  primary key (district, scope, site, start_us, carrier)
) without rowid;
