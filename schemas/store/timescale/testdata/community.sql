-- 2.11.2, samples kept 0s
alter table sample set (timescaledb.compress, timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'time');
select add_compression_policy('sample', compress_after => interval '2 days', if_not_exists => true);
select remove_retention_policy('sample', if_exists => true);

-- 2.11.2, samples kept 17520h0m0s
alter table sample set (timescaledb.compress, timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'time');
select add_compression_policy('sample', compress_after => interval '2 days', if_not_exists => true);
select remove_retention_policy('sample', if_exists => true);
select add_retention_policy('sample', drop_after => interval '760 days');

-- 2.17.2, samples kept 0s
alter table sample set (timescaledb.compress, timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'time');
select add_compression_policy('sample', compress_after => interval '2 days', if_not_exists => true);
select remove_retention_policy('sample', if_exists => true);

-- 2.17.2, samples kept 17520h0m0s
alter table sample set (timescaledb.compress, timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'time');
select add_compression_policy('sample', compress_after => interval '2 days', if_not_exists => true);
select remove_retention_policy('sample', if_exists => true);
select add_retention_policy('sample', drop_after => interval '760 days');

-- 2.18.0, samples kept 0s
alter table sample set (timescaledb.enable_columnstore, timescaledb.segmentby = 'series_id', timescaledb.orderby = 'time');
call add_columnstore_policy('sample', after => interval '2 days', if_not_exists => true);
select remove_retention_policy('sample', if_exists => true);

-- 2.18.0, samples kept 17520h0m0s
alter table sample set (timescaledb.enable_columnstore, timescaledb.segmentby = 'series_id', timescaledb.orderby = 'time');
call add_columnstore_policy('sample', after => interval '2 days', if_not_exists => true);
select remove_retention_policy('sample', if_exists => true);
select add_retention_policy('sample', drop_after => interval '760 days');

-- 2.19.3, samples kept 0s
alter table sample set (timescaledb.enable_columnstore, timescaledb.segmentby = 'series_id', timescaledb.orderby = 'time');
call add_columnstore_policy('sample', after => interval '2 days', if_not_exists => true);
select remove_retention_policy('sample', if_exists => true);

-- 2.19.3, samples kept 17520h0m0s
alter table sample set (timescaledb.enable_columnstore, timescaledb.segmentby = 'series_id', timescaledb.orderby = 'time');
call add_columnstore_policy('sample', after => interval '2 days', if_not_exists => true);
select remove_retention_policy('sample', if_exists => true);
select add_retention_policy('sample', drop_after => interval '760 days');

-- 3.0.0, samples kept 0s
alter table sample set (timescaledb.enable_columnstore, timescaledb.segmentby = 'series_id', timescaledb.orderby = 'time');
call add_columnstore_policy('sample', after => interval '2 days', if_not_exists => true);
select remove_retention_policy('sample', if_exists => true);

-- 3.0.0, samples kept 17520h0m0s
alter table sample set (timescaledb.enable_columnstore, timescaledb.segmentby = 'series_id', timescaledb.orderby = 'time');
call add_columnstore_policy('sample', after => interval '2 days', if_not_exists => true);
select remove_retention_policy('sample', if_exists => true);
select add_retention_policy('sample', drop_after => interval '760 days');

