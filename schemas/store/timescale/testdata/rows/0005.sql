-- samples of one series packed
delete from sample where series_id=3;
insert into pack (series_id, start, stop, count, every_us, jitter, deltas, long_deltas, scale, digits, singles, numbers, flag, flags) values (3, '2026-01-14 23:00:00+00', '2026-01-14 23:55:00+00', 12, 300000000, NULL, NULL, NULL, 3, '{48000,48125,48250,48375,48500,48625,48750,48875,49000,49125,49250,49375}', NULL, NULL, NULL, '{0,16,1,34,0,16,1,34,0,16,1,34}');
insert into pack (series_id, start, stop, count, every_us, jitter, deltas, long_deltas, scale, digits, singles, numbers, flag, flags) values (3, '2026-01-15 00:00:00+00', '2026-01-15 02:15:00+00', 28, 300000000, NULL, NULL, NULL, 3, '{49500,49625,49750,49875,50000,50125,50250,50375,50500,50625,50750,50875,51000,51125,51250,51375,51500,51625,51750,51875,52000,52125,52250,52375,52500,52625,52750,52875}', NULL, NULL, NULL, '{0,16,1,34,0,16,1,34,0,16,1,34,0,16,1,34,0,16,1,34,0,16,1,34,0,16,1,34}');
update record_state set packed_to='2026-01-17 00:00:00+00';
