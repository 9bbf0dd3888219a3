-- what was published of the weather ahead
insert into outlooks (district, at, body) values ('fontaine', '2026-01-14 23:00:00+00', '\x6100ff');
