-- mixed packs of two series, staged; and a pack that was damaged, of another day
delete from samples where time_us>=1768443000000000;
insert into staged (row_count, body) values (2, x'00020280b8908df798a40601c046020001c025298867a7');
insert into staged (row_count, body) values (2, x'00020280c49dabf998a40622c0c68004020022c0315562f899');
insert into damaged_packs (series_id, from_us, to_us, row_count, found_us, why, body) values (2, 1767225600000000, 1767225660000000, 2, 1768431600000000, 'packed samples are damaged', x'00');
