package face

import "quartier/schemas/district"

// label is how a quantity is called in a list, in English and French.
type label struct{ en, fr string }

var labels = map[string]label{
	"power_kw": {"Power", "Puissance"}, "import_kw": {"Import", "Soutirage"}, "export_kw": {"Export", "Injection"}, "production_kw": {"Production", "Production"},
	"consumption_kw": {"Consumption", "Consommation"}, "storage_kw": {"Storage", "Stockage"}, "stored_kwh": {"Stored energy", "Énergie stockée"}, "soc": {"State of charge", "État de charge"},
	"import_kwh": {"Imported energy", "Énergie soutirée"}, "export_kwh": {"Exported energy", "Énergie injectée"}, "today_import_kwh": {"Import today", "Soutirage du jour"},
	"today_export_kwh": {"Export today", "Injection du jour"}, "today_production_kwh": {"Production today", "Production du jour"}, "today_consumption_kwh": {"Consumption today", "Consommation du jour"},
	"self_consumption": {"Self-consumption", "Autoconsommation"}, "self_sufficiency": {"Self-sufficiency", "Autoproduction"}, "import_price": {"Import price", "Prix de soutirage"},
	"export_price": {"Export price", "Prix d'injection"}, "carbon_g_per_kwh": {"Carbon intensity", "Intensité carbone"}, "plan_import_kw": {"Planned import", "Soutirage prévu"},
	"plan_export_kw": {"Planned export", "Injection prévue"}, "plan_storage_kw": {"Planned storage", "Stockage prévu"}, "plan_age_min": {"Age of the plan", "Âge du plan"},
	"plan_valid": {"Plan in force", "Plan en vigueur"}, "plan_net_kw": {"Planned power", "Puissance prévue"}, planPower: {"Planned power", "Puissance prévue"},
	"import_limit_kw": {"Import limit", "Limite de soutirage"}, "export_limit_kw": {"Export limit", "Limite d'injection"}, "voltage_v": {"Voltage", "Tension"}, "frequency_hz": {"Frequency", "Fréquence"},
	"indoor_c": {"Room temperature", "Température intérieure"}, "supply_c": {"Supply temperature", "Température de départ"}, "return_c": {"Return temperature", "Température de retour"},
	"tank_c": {"Hot water", "Eau chaude"}, "outdoor_c": {"Outdoor temperature", "Température extérieure"}, "heat_kw": {"Heat", "Chaleur"}, "heat_kwh": {"Heat energy", "Énergie thermique"}, "gas_m3": {"Gas", "Gaz"},
	"connected": {"Car connected", "Véhicule branché"}, "charging": {"Charging", "En charge"}, "session_kwh": {"Session energy", "Énergie de la session"}, "limit_a": {"Current limit", "Limite de courant"},
	"sg_ready": {"SG Ready", "SG Ready"}, "irradiance_w_m2": {"Irradiance", "Irradiance"}, ImportLimitRequest: {"Requested import limit", "Limite de soutirage demandée"},
	ExportLimitRequest: {"Requested export limit", "Limite d'injection demandée"}, ComfortRequest: {"Requested comfort shift", "Décalage de confort demandé"}, AvailableRequest: {"Requested availability", "Disponibilité demandée"},
	AbsenceRequest: {"Requested absence", "Absence demandée"}, LockOutRequest: {"Requested lock-out", "Consignation demandée"},
}

// folder is how a folder, or an object of a type, of the OPC UA server is shown.
type folder struct {
	Path   []string `json:"path"`
	Name   string   `json:"name"`
	French string   `json:"fr"`
	Type   string   `json:"type,omitempty"` // of an object; those that have it in them come before
}

// folders names the folders of districts: by what they are called in the configuration, those of Quartier in both languages.
func folders(districts []district.District) (out []folder) {
	add := func(name, french string, path ...string) {
		out = append(out, folder{Path: append([]string{"Districts"}, path...), Name: name, French: french})
	}
	object := func(kind, name string, path ...string) {
		out = append(out, folder{Path: append([]string{"Districts"}, path...), Name: name, Type: kind})
	}
	add("Districts", "Quartiers")
	for i := range districts {
		d := &districts[i]
		object(districtType, d.Name, d.ID)
		add("Requests", "Demandes", d.ID, "Requests")
		add("Hours", "Heures", d.ID, "Hours")
		for _, q := range hourlyQuantities {
			add(labels[q.name].en, labels[q.name].fr, d.ID, "Hours", q.name)
		}
		for _, s := range d.Sites {
			object(siteType, s.Name, d.ID, "Sites", s.ID)
			add("Requests", "Demandes", d.ID, "Sites", s.ID, "Requests")
			if len(s.Devices) > 0 {
				add("Devices", "Équipements", d.ID, "Sites", s.ID, "Devices")
			}
		}
		if len(d.Devices) > 0 {
			add("Devices", "Équipements", d.ID, "Devices")
		}
		for site, dev := range d.AllDevices {
			name := dev.Name
			if name == "" {
				name = dev.ID
			}
			if site == district.DistrictSite {
				object(typeOf(dev.Kind), name, d.ID, "Devices", dev.ID)
			} else {
				object(typeOf(dev.Kind), name, d.ID, "Sites", site, "Devices", dev.ID)
			}
		}
	}
	return out
}
