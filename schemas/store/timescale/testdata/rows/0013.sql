-- how wrong forecasts of a day were
insert into forecast_errors (district, site, quantity, day, lead_min, replayed, count, absolute_kw, persistence_kw, measured_kw, banded, covered, pinball_kw) values ('fontaine', 'ecole', 'load', '2026-01-15 00:00:00+00', 60, true, 96, 1.5, 2.5, 30.25, 90, 72, 0.125);
