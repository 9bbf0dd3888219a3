-- 0022_days.sql: what balance rows sum to in each civil day, see package daily; filled from the rows that are there by the first refresh

-- the days whose sums are kept and right; who saves rows takes theirs off
create table summed_days (
  district text collate "C" not null,
  start timestamptz not null,
  until timestamptz not null,
  claim text, -- of who is summing it now; null: its sums are kept
  primary key (district, start)
);

create table day_sums (
  district text collate "C" not null,
  site text collate "C" not null, -- "_" the district itself
  start timestamptz not null,
  carrier text collate "C" not null,
  until timestamptz not null,
  body bytea not null,
  primary key (district, site, start, carrier)
);
