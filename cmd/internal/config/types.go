package config

// File is district.yaml as written.
type File struct {
	Version   int        `yaml:"version" def:"1" enum:"1" doc:"version of this file's format"`
	DataDir   string     `yaml:"data_dir" def:"var" doc:"folder of the local record, the outbox and the session keys"`
	Console   Console    `yaml:"console" doc:"the web console and its API"`
	Database  Database   `yaml:"database" doc:"TimescaleDB; without it everything is kept in SQLite in data_dir"`
	Face      Face       `yaml:"face" doc:"what building systems read: servers of Quartier's own values"`
	Control   Control    `yaml:"control" doc:"planning and dispatch"`
	Report    Report     `yaml:"report" doc:"the residents' monthly report"`
	Tariffs   []Tariff   `yaml:"tariffs" required:"true" doc:"dated tariffs, used by districts and sites by their id"`
	Carbon    []Carbon   `yaml:"carbon" required:"true" doc:"sources of the grid's carbon intensity"`
	Districts []District `yaml:"districts" required:"true" doc:"the districts that are run"`
}

// Console is where the web console listens.
type Console struct {
	Listen  string `yaml:"listen" def:"127.0.0.1:8080" doc:"host:port; beyond loopback it needs a certificate"`
	TLSCert string `yaml:"tls_cert_file" doc:"PEM file of the certificate and its chain"`
	TLSKey  string `yaml:"tls_key_file" doc:"PEM file of the private key"`
}

// Database names the secret that holds the address of the database.
type Database struct {
	URLFile string `yaml:"url_file" doc:"file that holds the postgres:// address with its password"`
	URLEnv  string `yaml:"url_env" doc:"environment variable that holds the postgres:// address"`
}

// Face is where building systems connect.
type Face struct {
	ModbusListen string `yaml:"modbus_listen" doc:"host:port on loopback of the Modbus TCP server; absent: none"`
	OPCUAListen  string `yaml:"opcua_listen" doc:"host:port on loopback of the OPC UA server; absent: none"`
}

// Control sets the rhythm of planning and dispatch.
type Control struct {
	HorizonHours    float64 `yaml:"horizon_hours" def:"36" min:"1" max:"168" doc:"how far a plan reaches"`
	ReplanMinutes   float64 `yaml:"replan_minutes" def:"5" min:"1" max:"60" doc:"time between two plans"`
	DispatchSeconds float64 `yaml:"dispatch_seconds" def:"5" min:"1" max:"60" doc:"time between two rounds of set-points"`
	CarbonPrice     float64 `yaml:"carbon_price_eur_per_tonne" def:"0" min:"0" max:"10000" doc:"price that planning puts on the CO2e of imports"`
}

// Report says who issues the residents' report and whom to ask.
type Report struct {
	Issuer  string `yaml:"issuer" def:"Quartier" doc:"who issues the report, as printed on it"`
	Contact string `yaml:"contact" doc:"whom a resident asks, as printed"`
}

// Tariff is a dated tariff.
type Tariff struct {
	ID      string     `yaml:"id" required:"true" pattern:"id" doc:"short name by which districts and sites refer to it"`
	Name    string     `yaml:"name" doc:"name for people"`
	Kind    string     `yaml:"kind" required:"true" enum:"base,hp_hc,tempo" doc:"base: one price; hp_hc: peak and off-peak hours; tempo: six prices by colour and hour"`
	Zone    string     `yaml:"time_zone" def:"Europe/Paris" doc:"IANA time zone of its dates and hours"`
	Rows    []Row      `yaml:"rows" required:"true" doc:"dated prices; a row holds until the next begins"`
	OffPeak []OffPeak  `yaml:"off_peak" doc:"off-peak windows of hp_hc"`
	Days    []TempoDay `yaml:"tempo_days" doc:"the white and red days of tempo; the others are blue"`
}

// Row is a set of prices from a day on.
type Row struct {
	From    string   `yaml:"from" required:"true" pattern:"date" doc:"first day"`
	Base    *float64 `yaml:"base_eur_per_kwh" doc:"base"`
	HP      *float64 `yaml:"hp_eur_per_kwh" doc:"peak hours"`
	HC      *float64 `yaml:"hc_eur_per_kwh" doc:"off-peak hours"`
	BlueHP  *float64 `yaml:"blue_hp_eur_per_kwh" doc:"blue days, 6:00 to 22:00"`
	BlueHC  *float64 `yaml:"blue_hc_eur_per_kwh" doc:"blue days, 22:00 to 6:00"`
	WhiteHP *float64 `yaml:"white_hp_eur_per_kwh" doc:"white days, 6:00 to 22:00"`
	WhiteHC *float64 `yaml:"white_hc_eur_per_kwh" doc:"white days, 22:00 to 6:00"`
	RedHP   *float64 `yaml:"red_hp_eur_per_kwh" doc:"red days, 6:00 to 22:00"`
	RedHC   *float64 `yaml:"red_hc_eur_per_kwh" doc:"red days, 22:00 to 6:00"`
	Export  float64  `yaml:"export_eur_per_kwh" def:"0" doc:"what is paid for energy fed into the grid"`
	Source  string   `yaml:"source" doc:"publication that the row is taken from"`
}

// OffPeak is an off-peak window.
type OffPeak struct {
	From       string `yaml:"from" required:"true" pattern:"clock" doc:"local time of its beginning"`
	To         string `yaml:"to" required:"true" pattern:"clock" doc:"local time of its end; earlier than from: across midnight"`
	FirstMonth int    `yaml:"first_month" min:"1" max:"12" doc:"first month of the year in which it holds"`
	LastMonth  int    `yaml:"last_month" min:"1" max:"12" doc:"last month, inclusive"`
	ValidFrom  string `yaml:"valid_from" pattern:"date" doc:"first day"`
	ValidUntil string `yaml:"valid_until" pattern:"date" doc:"first day on which it no longer holds"`
}

// TempoDay is the colour of a Tempo day.
type TempoDay struct {
	Date   string `yaml:"date" required:"true" pattern:"date" doc:"the day, from 6:00"`
	Colour string `yaml:"colour" required:"true" enum:"blue,white,red" doc:"its colour"`
}

// Carbon is a source of the grid's carbon intensity.
type Carbon struct {
	ID      string  `yaml:"id" required:"true" pattern:"id" doc:"short name by which districts refer to it"`
	Kind    string  `yaml:"kind" required:"true" enum:"constant,signal" doc:"constant: one number; signal: the recorded series"`
	GPerKWh float64 `yaml:"g_per_kwh" min:"0" max:"3000" doc:"the intensity"`
	Source  string  `yaml:"source" doc:"publication that the values are taken from"`
}

// District is a group of sites that is balanced, planned and accounted for together.
type District struct {
	ID          string   `yaml:"id" required:"true" pattern:"id" doc:"short name, used in series names and addresses"`
	Name        string   `yaml:"name" required:"true" doc:"name for people"`
	Latitude    float64  `yaml:"latitude_deg" required:"true" min:"-90" max:"90" doc:"north positive"`
	Longitude   float64  `yaml:"longitude_deg" required:"true" min:"-180" max:"180" doc:"east positive"`
	Zone        string   `yaml:"time_zone" required:"true" doc:"name of the IANA time zone, such as Europe/Paris"`
	StepMinutes int      `yaml:"metering_step_minutes" def:"15" enum:"5,10,15,30,60" doc:"metering and settlement step"`
	ImportKW    float64  `yaml:"import_limit_kw" above:"0" doc:"largest power drawn at the district's boundary; absent: no limit"`
	ExportKW    float64  `yaml:"export_limit_kw" above:"0" doc:"largest power fed at the district's boundary; absent: no limit"`
	Tariff      string   `yaml:"tariff" required:"true" doc:"id of the tariff at the district's boundary"`
	Carbon      string   `yaml:"carbon" required:"true" doc:"id of the carbon intensity source"`
	Devices     []Device `yaml:"devices" doc:"the district's own devices"`
	Sites       []Site   `yaml:"sites" required:"true" doc:"the delivery points of the district"`
	Members     []Member `yaml:"members" doc:"the participants of the shared energy"`
}

// Site is a delivery point.
type Site struct {
	ID       string   `yaml:"id" required:"true" pattern:"id" doc:"short name, unique in the district"`
	Name     string   `yaml:"name" required:"true" doc:"name for people"`
	ImportKW float64  `yaml:"import_limit_kw" above:"0" doc:"connection limit, power drawn; absent: no limit"`
	ExportKW float64  `yaml:"export_limit_kw" above:"0" doc:"connection limit, power fed; absent: no limit"`
	Tariff   string   `yaml:"tariff" doc:"id of the site's own supply tariff; absent: the district's"`
	Fee      float64  `yaml:"withdrawal_fee_eur_per_kwh" def:"0" min:"0" max:"1" doc:"network charge and taxes on what the site draws"`
	Devices  []Device `yaml:"devices" doc:"meters and machines of the site"`
}

// Member is a participant of the district's shared energy.
type Member struct {
	ID            string  `yaml:"id" required:"true" pattern:"id" doc:"short name, unique in the district"`
	Name          string  `yaml:"name" required:"true" doc:"name for people, on the report"`
	Site          string  `yaml:"site" required:"true" doc:"id of the member's site"`
	DeliveryPoint string  `yaml:"delivery_point" required:"true" pattern:"prm" doc:"identifier of the delivery point"`
	Language      string  `yaml:"language" def:"fr" enum:"fr,en" doc:"language of the report"`
	Consent       Consent `yaml:"consent" doc:"what the member agreed to, each purpose on its own"`
	Share         float64 `yaml:"share_of_site" def:"1" above:"0" max:"1" doc:"the member's share of the site's consumption"`
}

// Consent is what a member agreed to.
type Consent struct {
	LoadCurve bool   `yaml:"load_curve" def:"false" doc:"keeping and showing the quarter-hour load curve"`
	Report    bool   `yaml:"report" def:"false" doc:"receiving the monthly report"`
	Since     string `yaml:"since" pattern:"date" doc:"day of the consent"`
}

// Device is one machine or meter.
type Device struct {
	ID          string       `yaml:"id" required:"true" pattern:"id" doc:"short name, unique in the site"`
	Name        string       `yaml:"name" doc:"name for people; absent: the id"`
	Kind        string       `yaml:"kind" required:"true" enum:"substation,grid_meter,load_meter,pv,battery,heat_pump,water_heater,ev_charger,heat_meter,weather" doc:"what it is in the energy balance"`
	Profile     string       `yaml:"profile" required:"true" doc:"name of its register or node map"`
	Address     string       `yaml:"address" required:"true" pattern:"address" doc:"tcp://host:port for Modbus, opc.tcp://host:port for OPC UA"`
	Unit        int          `yaml:"unit_id" def:"1" min:"0" max:"255" doc:"Modbus unit id"`
	Poll        float64      `yaml:"poll_seconds" def:"5" min:"1" max:"3600" doc:"how often it is read"`
	Control     bool         `yaml:"control" def:"false" doc:"whether Quartier may command it"`
	PV          *PV          `yaml:"pv" doc:"the solar inverter"`
	Battery     *Battery     `yaml:"battery" doc:"the battery"`
	HeatPump    *HeatPump    `yaml:"heat_pump" doc:"the heat pump and its zone"`
	WaterHeater *WaterHeater `yaml:"water_heater" doc:"the water heater"`
	EVCharger   *EVCharger   `yaml:"ev_charger" doc:"the charging point"`
}

// PV describes a solar inverter.
type PV struct {
	PeakKW      float64 `yaml:"peak_kw" required:"true" above:"0" doc:"installed power, kWp"`
	Curtailable bool    `yaml:"curtailable" def:"true" doc:"whether its power may be limited"`
	TiltDeg     float64 `yaml:"tilt_deg" def:"30" min:"0" max:"90" doc:"0 flat, 90 upright"`
	AzimuthDeg  float64 `yaml:"azimuth_deg" def:"180" min:"0" max:"360" doc:"180 is south"`
}

// Battery describes a stationary battery.
type Battery struct {
	CapacityKWh         float64 `yaml:"capacity_kwh" required:"true" above:"0" doc:"energy between empty and full"`
	MinSOC              float64 `yaml:"min_soc" def:"0.1" min:"0" max:"1" doc:"lowest state of charge that planning uses"`
	MaxSOC              float64 `yaml:"max_soc" def:"0.95" min:"0" max:"1" doc:"highest state of charge that planning uses"`
	ChargeKW            float64 `yaml:"charge_kw" required:"true" min:"0" doc:"largest charging power"`
	DischargeKW         float64 `yaml:"discharge_kw" required:"true" min:"0" doc:"largest discharging power, a positive number"`
	ChargeEfficiency    float64 `yaml:"charge_efficiency" def:"0.95" above:"0" max:"1" doc:"stored energy per energy drawn"`
	DischargeEfficiency float64 `yaml:"discharge_efficiency" def:"0.95" above:"0" max:"1" doc:"energy given per stored energy"`
	WearCost            float64 `yaml:"wear_eur_per_kwh" def:"0.01" min:"0" max:"1" doc:"per kWh charged and per kWh discharged"`
}

// HeatPump describes a heat pump and its zone.
type HeatPump struct {
	MaxKW      float64 `yaml:"max_kw" required:"true" above:"0" doc:"largest electrical power"`
	MinKW      float64 `yaml:"min_kw" def:"0" min:"0" doc:"smallest electrical power when it runs"`
	COPNominal float64 `yaml:"cop_nominal" def:"3.2" min:"1" max:"10" doc:"heat per electricity at 7 °C outside"`
	COPPerK    float64 `yaml:"cop_per_k" def:"0.06" min:"0" max:"0.5" doc:"change per K of outdoor temperature"`
	Capacity   float64 `yaml:"capacity_kwh_per_k" required:"true" above:"0" doc:"heat capacity of the zone"`
	Resistance float64 `yaml:"resistance_k_per_kw" required:"true" above:"0" doc:"thermal resistance to the outside"`
	GainsKW    float64 `yaml:"gains_kw" def:"0" min:"0" doc:"mean internal gains"`
	MinC       float64 `yaml:"min_c" def:"19" min:"5" max:"35" doc:"lower end of the comfort band"`
	MaxC       float64 `yaml:"max_c" def:"22" min:"5" max:"35" doc:"upper end of the comfort band"`
	MinOnMin   float64 `yaml:"min_on_minutes" def:"15" min:"0" max:"720" doc:"shortest run"`
	MinOffMin  float64 `yaml:"min_off_minutes" def:"15" min:"0" max:"720" doc:"shortest pause"`
}

// WaterHeater describes an electric storage water heater.
type WaterHeater struct {
	MaxKW       float64 `yaml:"max_kw" required:"true" above:"0" doc:"power of the element"`
	VolumeL     float64 `yaml:"volume_l" required:"true" above:"0" doc:"volume of the tank"`
	LossPerHour float64 `yaml:"loss_per_hour" def:"0.006" min:"0" max:"1" doc:"share of the stored heat lost each hour"`
	MinC        float64 `yaml:"min_c" def:"45" min:"10" max:"90" doc:"lowest temperature of the water"`
	MaxC        float64 `yaml:"max_c" def:"62" min:"10" max:"90" doc:"highest temperature of the tank"`
}

// EVCharger describes a charging point.
type EVCharger struct {
	MaxKW       float64 `yaml:"max_kw" required:"true" above:"0" doc:"largest charging power"`
	MinKW       float64 `yaml:"min_kw" min:"0" doc:"smallest charging power; absent: 6 A on each phase at 230 V"`
	Phases      int     `yaml:"phases" def:"3" enum:"1,3" doc:"phases in use"`
	CapacityKWh float64 `yaml:"car_capacity_kwh" def:"50" above:"0" max:"1000" doc:"battery of the car"`
	Efficiency  float64 `yaml:"charge_efficiency" def:"0.9" above:"0" max:"1" doc:"energy stored per energy drawn"`
	TargetKWh   float64 `yaml:"target_kwh" def:"10" above:"0" doc:"energy wanted per session"`
	ReadyBy     string  `yaml:"ready_by" pattern:"clock" doc:"local time by which it is wanted"`
}
