-- 0021_orders.sql: what people and building systems asked of the control
create table orders (
  id text collate "C" not null primary key,
  district text collate "C" not null,
  revision integer not null,
  created_at timestamptz not null,
  start timestamptz not null,
  until timestamptz not null, -- when it holds no longer; infinity: not known
  body jsonb not null
);
create index orders_by_time on orders(district, until);
