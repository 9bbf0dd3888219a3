-- 0021_orders.sql: what people and building systems asked of the control
create table orders (
  id text not null primary key,
  district text not null,
  revision integer not null,
  created_us integer not null,
  start_us integer not null,
  until_us integer not null, -- when it holds no longer; 9223372036854775807: not known
  body text not null         -- JSON
) without rowid;
create index orders_by_time on orders(district, until_us);
