-- 0022_days.sql: what balance rows sum to in each civil day, see package daily; filled from the rows that are there by the first refresh

-- the days whose sums are kept and right; who saves rows takes theirs off
create table summed_days (
  district text not null,
  start_us integer not null,
  end_us integer not null,
  claim text, -- of who is summing it now; null: its sums are kept
  primary key (district, start_us)
) without rowid;

create table day_sums (
  district text not null,
  site text not null, -- "_" the district itself
  start_us integer not null,
  carrier text not null,
  end_us integer not null,
  body blob not null,
  primary key (district, site, start_us, carrier)
) without rowid;
