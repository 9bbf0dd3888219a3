-- 0002_writers.sql: the local files that write here, so that each knows what it does not hold itself.

create table writers (
  id text collate "C" primary key,  -- the file's own name
  seq bigint not null,              -- its last batch: a file that is behind was put back from an older copy
  to_time timestamptz not null,     -- the latest time of its rows
  at timestamptz not null           -- when it last wrote, by this server's clock
);

-- whatever is here already was written by a file that is not known any more
insert into writers
  select '', 0, max(t), now() from (
    select max(time) t from sample union all select max(start) from balances union all select max(created_at) from plans
    union all select max(time) from setpoints union all select max(time) from events) x
  having max(t) is not null;
