-- a file that writes here
insert into writers (id, seq, to_time, at) values ('file-of-before', 7, '2026-01-15 02:15:00+00', '2026-01-15 02:16:00+00');
