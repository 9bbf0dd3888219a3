-- a carrier beside electricity, and a row that rests on an estimate
insert into carrier_balances (district, site, carrier, start, step_us, delivered_wh, exported_wh, generated_wh, converted_wh, charge_wh, discharge_wh, consumed_wh, residual_wh, coverage, methods) values ('fontaine', '_', 'heat', '2026-01-14 23:00:00+00', 900000000, 1099511627776, 2, 3, 4, 5, 6, 7, -8, 0.5, 10);
update balances set methods=4 where start='2026-01-14 23:00:00+00';
