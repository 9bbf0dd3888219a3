-- what was published of the weather ahead
insert into outlooks (district, at_us, body) values ('fontaine', 1768431600000000, x'6100ff');
