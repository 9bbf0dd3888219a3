-- how wrong forecasts of a day were
insert into forecast_errors (district, site, quantity, day_us, lead_min, replayed, count, absolute_kw, persistence_kw, measured_kw, banded, covered, pinball_kw) values ('fontaine', 'ecole', 'load', 1768435200000000, 60, 1, 96, 1.5, 2.5, 30.25, 90, 72, 0.125);
