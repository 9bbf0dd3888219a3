// Package config reads district.yaml: one or several districts with their sites, devices, members, tariffs and carbon sources, and how the service runs.
//
// [Parse] is strict. An unknown key, a missing value, a duplicate id, a limit that cannot be: each is one fault with line, column, key path and the value in
// its unit, and all faults of a file are reported at once, see [Faults]. Keys carry their units, and secrets are named by file or environment variable,
// never written inline. [Schema] gives editors a JSON Schema; it comes from the same types as the decoder: see types.go, types_tariff.go and types_device.go,
// where each key states its meaning, range and default.
//
// Power is kW, energy kWh, money EUR. Dates are days of the tariff's or the district's own time zone. Ids are small letters, digits, "-", "_" and "."; they
// never hold a slash or a space, since series are named district/site/device/quantity. YAML anchors, aliases and << serve where many devices are alike.
//
// # A commented example
//
//	data_dir: var                                # the local record; relative to this file, as all paths
//	console: {listen: "127.0.0.1:8080"}          # beyond loopback with tls_cert_file and tls_key_file
//	database: {url_env: QUARTIER_DATABASE}       # or url_file; absent: SQLite in data_dir
//	face:
//	  opcua_listen: "0.0.0.0:4840"               # trusted applications, Quartier's own users
//	  modbus_listen: "10.20.0.2:502"
//	  modbus_clients: [{network: 10.20.0.0/24}, {network: 10.20.0.17, requests: true}]
//	control: {horizon_hours: 36, replan_minutes: 5, dispatch_seconds: 5}
//	report: {issuer: Régie de la Fontaine, contact: "Maison du projet, 03 80 00 00 00"}
//
//	feeds:
//	  - {id: meteo, kind: open_meteo}            # weather at the district's place; data by Open-Meteo.com, CC BY 4.0
//	  - {id: spot, kind: entso_e, area: 10YFR-RTE------C, key_env: ENTSOE_TOKEN}   # for a tariff with feed: spot
//	  - {id: eco2mix, kind: eco2mix}
//
//	tariffs:
//	  - id: bleu-hp-hc
//	    name: Tarif Bleu heures pleines, heures creuses
//	    kind: hp_hc                              # base, hp_hc, tempo, series (a file of prices), dynamic (a formula on one)
//	    off_peak:                                # local time; dated and by season where need be
//	      - {from: "01:30", to: "06:30"}
//	      - {from: "22:30", to: "01:30", first_month: 11, last_month: 3}
//	      - {from: "12:00", to: "15:00", first_month: 4, last_month: 10, valid_from: 2026-04-01}
//	    rows:                                    # a row holds until the next begins
//	      - {from: 2025-08-01, hp_eur_per_kwh: 0.2081, hc_eur_per_kwh: 0.1635, source: Tarif Bleu TTC}
//	      - from: 2026-02-01
//	        hp_eur_per_kwh: 0.2065
//	        hc_eur_per_kwh: 0.1579
//	        network_eur_per_kwh: 0.0581          # the parts of the price that stay due on shared energy
//	        excise_eur_per_kwh: 0.0370
//	        export_eur_per_kwh: 0.0536           # what energy fed into the grid earns; absent: nothing
//	        source: Tarif Bleu TTC 2026-02-01; EDF OA surplus
//
//	carbon:
//	  - {id: eco2mix, kind: series, feed: eco2mix, source: RTE éco2mix}   # in the record, which the feed or an import fills; with file: of a file; kind dated: rows with dates, such as a yearly factor; or kind constant
//
//	districts:
//	  - id: fontaine
//	    name: Fontaine Nord
//	    latitude_deg: 47.32
//	    longitude_deg: 5.01
//	    time_zone: Europe/Paris
//	    metering_step_minutes: 15
//	    import_limit_kw: 400                     # absent: no limit
//	    tariff: bleu-hp-hc                       # at the district's boundary
//	    carbon: eco2mix
//	    weather: meteo
//	    sharing: {key: dynamic, price_eur_per_kwh: 0.10}
//	    devices:                                 # the district's own
//	      - {id: substation, kind: substation, profile: quartier-substation-opcua, address: "opc.tcp://10.20.0.10:4840"}
//	    sites:
//	      - id: tour
//	        name: Tour Renoir
//	        import_limit_kw: 120
//	        tariff: bleu-hp-hc                   # its own supply; absent: the district's
//	        devices:
//	          - {id: meter, kind: grid_meter, profile: eastron-sdm630, address: "tcp://10.20.2.10:502", unit_id: 1, poll_seconds: 5}
//	          - id: pv
//	            kind: pv
//	            profile: sunspec-inverter
//	            address: tcp://10.20.2.11:502
//	            control: true                    # Quartier may command it
//	            pv: {peak_kw: 36, curtailable: true, tilt_deg: 10, azimuth_deg: 180}
//	          - id: battery
//	            kind: battery
//	            profile: sunspec-storage
//	            address: tcp://10.20.2.12:502
//	            control: true
//	            battery: {capacity_kwh: 60, min_soc: 0.1, max_soc: 0.95, charge_kw: 30, discharge_kw: 30}
//	          - id: car
//	            kind: ev_charger
//	            profile: alfen-eve
//	            address: tcp://10.20.2.13:502
//	            control: true
//	            ev_charger: {max_kw: 22, phases: 3, target_kwh: 18, ready_by: "07:00"}
//	            quiet_hours:                     # local time, every day or on some; of a site as well, for its heat pumps, water heaters and chargers
//	              - {from: "22:30", to: "06:00", reason: its contactor is heard in the bedroom above}
//	              - {from: "13:00", to: "15:00", days: [sat, sun], at_most_kw: 7, reason: nap}
//	    members:
//	      - id: martin
//	        name: Famille Martin
//	        site: tour
//	        delivery_point: "21231000000102"     # 14 digits, in quotes
//	        language: fr
//	        consent: {load_curve: true, report: true, since: 2025-10-01}
//	        share_of_site: 0.4
package config
