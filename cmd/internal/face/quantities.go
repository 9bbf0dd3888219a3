package face

import (
	"math"

	"quartier/schemas/district"
	"quartier/schemas/units"
)

// quantity describes a kind of variable.
type quantity struct {
	name   string
	unit   units.Unit
	long   bool // float64 in four registers
	en, fr string
}

// The values of a district. New ones are added at the end: their place in the list is their register.
var districtQuantities = []quantity{
	{"power_kw", units.KW, false, "power at the district boundary, positive when the district draws", "puissance à la limite du quartier, positive en soutirage"},
	{"import_kw", units.KW, false, "power drawn at the district boundary, 0 while it feeds", "puissance soutirée à la limite du quartier, 0 en injection"},
	{"export_kw", units.KW, false, "power fed at the district boundary, 0 while it draws", "puissance injectée à la limite du quartier, 0 en soutirage"},
	{"production_kw", units.KW, false, "power of all solar inverters, as a positive number", "puissance de tous les onduleurs solaires, positive"},
	{"consumption_kw", units.KW, false, "power that all sites use: boundary plus production minus charging of batteries", "puissance consommée par tous les sites : limite plus production moins charge des batteries"},
	{"storage_kw", units.KW, false, "power of all batteries, positive when charging", "puissance de toutes les batteries, positive en charge"},
	{"stored_kwh", units.KWh, false, "energy in all batteries", "énergie dans toutes les batteries"},
	{"soc", units.ShareUnit, false, "state of charge of all batteries together", "état de charge de l'ensemble des batteries"},
	{"import_kwh", units.KWh, true, "energy drawn at the district boundary, counter", "énergie soutirée à la limite du quartier, compteur"},
	{"export_kwh", units.KWh, true, "energy fed at the district boundary, counter", "énergie injectée à la limite du quartier, compteur"},
	{"today_import_kwh", units.KWh, false, "energy drawn at the district boundary since local midnight", "énergie soutirée à la limite du quartier depuis minuit"},
	{"today_export_kwh", units.KWh, false, "energy fed at the district boundary since local midnight", "énergie injectée à la limite du quartier depuis minuit"},
	{"today_production_kwh", units.KWh, false, "solar energy produced since local midnight", "énergie solaire produite depuis minuit"},
	{"today_consumption_kwh", units.KWh, false, "energy used since local midnight", "énergie consommée depuis minuit"},
	{"self_consumption", units.ShareUnit, false, "share of the production since local midnight that was used in the district", "part de la production depuis minuit consommée dans le quartier"},
	{"self_sufficiency", units.ShareUnit, false, "share of the consumption since local midnight that the district covered itself", "part de la consommation depuis minuit couverte par le quartier"},
	{"import_price", units.EURPerKWh, false, "price of energy drawn, now", "prix de l'énergie soutirée, maintenant"},
	{"export_price", units.EURPerKWh, false, "price of energy fed, now", "prix de l'énergie injectée, maintenant"},
	{"carbon_g_per_kwh", units.GramsPerKWh, false, "carbon intensity of the grid, now", "intensité carbone du réseau, maintenant"},
	{"plan_import_kw", units.KW, false, "planned power drawn at the district boundary, now", "puissance soutirée prévue à la limite du quartier, maintenant"},
	{"plan_export_kw", units.KW, false, "planned power fed at the district boundary, now", "puissance injectée prévue à la limite du quartier, maintenant"},
	{"plan_storage_kw", units.KW, false, "planned power of all batteries, now, positive when charging", "puissance prévue de toutes les batteries, maintenant, positive en charge"},
	{"plan_age_min", "min", false, "age of the plan", "âge du plan"},
	{"plan_valid", units.StateUnit, false, "1 when a plan covers the present, 0 otherwise", "1 si un plan couvre l'instant présent, 0 sinon"},
	{"import_limit_kw", units.KW, false, "largest power that may be drawn at the district boundary, by configuration", "puissance maximale de soutirage à la limite du quartier, selon la configuration"},
	{"export_limit_kw", units.KW, false, "largest power that may be fed at the district boundary, by configuration", "puissance maximale d'injection à la limite du quartier, selon la configuration"},
}

// The hourly values of a district.
var hourlyQuantities = []quantity{
	{"plan_import_kw", units.KW, false, "planned power drawn at the district boundary", "puissance soutirée prévue à la limite du quartier"},
	{"plan_export_kw", units.KW, false, "planned power fed at the district boundary", "puissance injectée prévue à la limite du quartier"},
	{"plan_storage_kw", units.KW, false, "planned power of all batteries, positive when charging", "puissance prévue de toutes les batteries, positive en charge"},
	{"import_price", units.EURPerKWh, false, "price of energy drawn", "prix de l'énergie soutirée"},
	{"carbon_g_per_kwh", units.GramsPerKWh, false, "carbon intensity of the grid, forecast", "intensité carbone du réseau, prévision"},
	{"export_price", units.EURPerKWh, false, "price of energy fed", "prix de l'énergie injectée"},
}

// The values of a site.
var siteQuantities = []quantity{
	{"power_kw", units.KW, false, "power at the site's grid meter, positive when it draws", "puissance au compteur du site, positive en soutirage"},
	{"production_kw", units.KW, false, "power of its solar inverters, as a positive number", "puissance de ses onduleurs solaires, positive"},
	{"consumption_kw", units.KW, false, "power that the site uses: grid meter plus production minus charging of batteries", "puissance consommée par le site : compteur plus production moins charge des batteries"},
	{"storage_kw", units.KW, false, "power of its batteries, positive when charging", "puissance de ses batteries, positive en charge"},
	{"soc", units.ShareUnit, false, "state of charge of its batteries", "état de charge de ses batteries"},
	{"plan_net_kw", units.KW, false, "planned power at the grid meter, now", "puissance prévue au compteur, maintenant"},
	{"import_limit_kw", units.KW, false, "connection limit when it draws, by configuration", "limite de raccordement en soutirage, selon la configuration"},
	{"export_limit_kw", units.KW, false, "connection limit when it feeds, by configuration", "limite de raccordement en injection, selon la configuration"},
}

// deviceQuantity is a value of devices: its register in the device's block, and the kinds that have it.
type deviceQuantity struct {
	quantity
	offset uint16
	kinds  []district.Kind
}

var (
	electrical = []district.Kind{district.Substation, district.GridMeter, district.LoadMeter, district.PV, district.Battery, district.HeatPump, district.WaterHeater, district.EVCharger}
	meters     = []district.Kind{district.Substation, district.GridMeter, district.LoadMeter}
	planned    = []district.Kind{district.PV, district.Battery, district.HeatPump, district.WaterHeater, district.EVCharger}
	heating    = []district.Kind{district.HeatPump, district.HeatMeter}
	chargers   = []district.Kind{district.EVCharger}
)

// The values of a device. Registers are the same for all kinds; those of values that a kind has not read as not available.
var deviceQuantities = []deviceQuantity{
	{quantity{district.PowerKW, units.KW, false, "power, positive into the device", "puissance, positive vers l'équipement"}, 18, electrical},
	{quantity{district.ImportKWh, units.KWh, true, "energy into the device, counter", "énergie vers l'équipement, compteur"}, 20, electrical},
	{quantity{district.ExportKWh, units.KWh, true, "energy out of the device, counter", "énergie de l'équipement vers le réseau, compteur"}, 24, electrical},
	{quantity{district.SOC, units.ShareUnit, false, "state of charge", "état de charge"}, 28, []district.Kind{district.Battery}},
	{quantity{district.VoltageV, units.Volt, false, "voltage", "tension"}, 30, meters},
	{quantity{district.FrequencyHz, units.Hertz, false, "frequency", "fréquence"}, 32, meters},
	{quantity{planPower, units.KW, false, "planned power, now, positive into the device", "puissance prévue, maintenant, positive vers l'équipement"}, 34, planned},
	{quantity{district.IndoorC, units.DegC, false, "room temperature of the heated zone", "température intérieure de la zone chauffée"}, 36, []district.Kind{district.HeatPump}},
	{quantity{district.SupplyC, units.DegC, false, "water leaving the heat generator", "eau au départ du générateur"}, 38, heating},
	{quantity{district.ReturnC, units.DegC, false, "water returning to the heat generator", "eau au retour du générateur"}, 40, heating},
	{quantity{district.TankC, units.DegC, false, "hot water in the tank", "eau chaude du ballon"}, 42, []district.Kind{district.WaterHeater, district.HeatPump}},
	{quantity{district.OutdoorC, units.DegC, false, "outdoor temperature", "température extérieure"}, 44, []district.Kind{district.Weather, district.HeatPump}},
	{quantity{district.HeatKW, units.KW, false, "thermal power delivered", "puissance thermique fournie"}, 46, heating},
	{quantity{district.HeatKWh, units.KWh, true, "thermal energy delivered, counter", "énergie thermique fournie, compteur"}, 48, heating},
	{quantity{district.GasM3, units.CubicM, true, "volume of gas, counter", "volume de gaz, compteur"}, 64, []district.Kind{district.GasMeter}},
	{quantity{district.Connected, units.StateUnit, false, "1 when a car is plugged in", "1 si un véhicule est branché"}, 52, chargers},
	{quantity{district.Charging, units.StateUnit, false, "1 when a car is charging", "1 si un véhicule charge"}, 54, chargers},
	{quantity{district.SessionKWh, units.KWh, false, "energy of the present charging session", "énergie de la session de charge en cours"}, 56, chargers},
	{quantity{district.LimitA, units.Ampere, false, "present current limit of each phase", "limite de courant actuelle par phase"}, 58, chargers},
	{quantity{district.SGReady, units.StateUnit, false, "SG Ready: 1 blocked, 2 normal, 3 boost recommended, 4 forced", "SG Ready : 1 bloqué, 2 normal, 3 relance conseillée, 4 relance forcée"}, 60, []district.Kind{district.HeatPump}},
	{quantity{district.IrradianceWm2, units.WattPerM2, false, "global horizontal irradiance", "irradiance horizontale globale"}, 62, []district.Kind{district.Weather}},
}

// planPower is the planned power of a device, which is no series of the record.
const planPower = "plan_power_kw"

// Names of what building systems may ask for.
const (
	ImportLimitRequest = "import_limit_request_kw"
	ExportLimitRequest = "export_limit_request_kw"
	ComfortRequest     = "comfort_request_k"
	AvailableRequest   = "available_request"
	AbsenceRequest     = "absence_request_k"
	LockOutRequest     = "lock_out_request"
)

var (
	importRequest  = quantity{ImportLimitRequest, units.KW, false, "request: largest power to be drawn; not a number: none", "demande : puissance maximale de soutirage ; non numérique : aucune"}
	exportRequest  = quantity{ExportLimitRequest, units.KW, false, "request: largest power to be fed; not a number: none", "demande : puissance maximale d'injection ; non numérique : aucune"}
	comfortRequest = quantity{ComfortRequest, "K", false, "request: shift of the site's comfort bands; not a number: none", "demande : décalage des plages de confort du site ; non numérique : aucune"}
	available      = quantity{AvailableRequest, units.StateUnit, false, "request: 0 gives the device its own control back, 1 lets Quartier command it; not a number: none", "demande : 0 rend l'équipement à sa propre régulation, 1 laisse Quartier le commander ; non numérique : aucune"}
)

// The requests of version 3 of the Modbus map.
var (
	absence = quantity{AbsenceRequest, "K", false, "request: nobody is there, and zones may be this much colder; cars and hot water do not matter; 0 or not a number: somebody is",
		"demande : absence, les zones peuvent être plus froides d'autant ; véhicules et eau chaude sans importance ; 0 ou non numérique : présence"}
	lockOut = quantity{LockOutRequest, units.StateUnit, false, "request: 1 has nothing at all written to the device, which is being worked on, until it is withdrawn by 0 or not a number, however long nobody repeats it",
		"demande : 1 interdit toute écriture vers l'équipement, en cours d'intervention, jusqu'au retrait par 0 ou non numérique, même sans répétition"}
)

// largestKW bounds requests where the configuration names no limit.
const largestKW = 100_000

// span is the range in which values of a quantity are expected.
func (q quantity) span() (lo, hi float64) {
	switch {
	case q.name == AbsenceRequest:
		return 0, 10
	case q.name == AvailableRequest, q.name == LockOutRequest, q.unit == units.ShareUnit, q.name == "plan_valid", q.name == district.Connected, q.name == district.Charging:
		return 0, 1
	case q.name == ComfortRequest:
		return -5, 5
	case q.name == district.SGReady:
		return 1, 4
	}
	switch q.unit {
	case units.KW:
		return -largestKW, largestKW
	case units.KWh:
		return 0, 1e12
	case units.DegC:
		return -50, 150
	case units.EURPerKWh:
		return -10, 10
	case units.GramsPerKWh:
		return 0, 2000
	case units.Volt:
		return 0, 1e6
	case units.Hertz:
		return 0, 70
	case units.Ampere:
		return 0, 1000
	case units.WattPerM2:
		return 0, 2000
	}
	return 0, 1e6
}

// upTo is the largest request beside a configured limit.
func upTo(limitKW float64) float64 {
	if math.IsInf(limitKW, 0) || limitKW <= 0 {
		return largestKW
	}
	return limitKW
}

// kindCodes are the kinds of devices in the Modbus map; 0 is an empty place.
var kindCodes = map[district.Kind]uint16{district.Substation: 1, district.GridMeter: 2, district.LoadMeter: 3, district.PV: 4, district.Battery: 5, district.HeatPump: 6,
	district.WaterHeater: 7, district.EVCharger: 8, district.HeatMeter: 9, district.Weather: 10, district.GasMeter: 11}
