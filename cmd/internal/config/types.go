package config

// The types of types.go, types_tariff.go and types_device.go are district.yaml as it is written. One set of struct tags serves the decoder, the checks of
// single values and the JSON Schema:
//
//	yaml      the key; it ends in its unit where it has one
//	doc       what it is, for people
//	def       the value of an absent key
//	required  "true": the key must be there; a list has at least one entry
//	min, max, above, below   the range of a number; above and below exclude their limit
//	enum      the words or numbers allowed
//	pattern   a form of text, see formats.go
//	when      "kind=battery": the key belongs to these values of a sibling key and to no other

// File is district.yaml as written, with its defaults.
type File struct {
	Version   int          `yaml:"version" def:"1" enum:"1" doc:"version of this file's format"`
	DataDir   string       `yaml:"data_dir" def:"var" doc:"folder of the local record, the outbox and the session keys; relative to this file"`
	Console   Console      `yaml:"console" doc:"the web console and its API"`
	Record    Record       `yaml:"record" doc:"what is kept how long"`
	Database  Database     `yaml:"database" doc:"TimescaleDB; without it everything is kept in SQLite in data_dir"`
	OPCUA     OPCUA        `yaml:"opcua" doc:"how Quartier shows itself to OPC UA peers, and whom it trusts"`
	Face      Face         `yaml:"face" doc:"what building systems read: servers of Quartier's own values"`
	Control   Control      `yaml:"control" doc:"planning and dispatch"`
	Forecast  Forecast     `yaml:"forecast" doc:"how loads, sun and heat demand are foreseen"`
	Report    Report       `yaml:"report" doc:"the residents' monthly report"`
	Feeds     []Feed       `yaml:"feeds" doc:"sources outside that are asked for weather, prices and carbon intensity, used by districts, tariffs and carbon sources by their id"`
	Alarms    Alarms       `yaml:"alarms" doc:"when a condition is an alarm, and who is told"`
	Tariffs   []Tariff     `yaml:"tariffs" required:"true" doc:"dated tariffs, used by districts and sites by their id"`
	Carbon    []Carbon     `yaml:"carbon" required:"true" doc:"sources of the grid's carbon intensity, used by districts by their id"`
	PED       []PEDProfile `yaml:"ped_profiles" doc:"calculation profiles of the positive-energy balance, beside those that are built in; one of the same id replaces a built-in one"`
	PEDFiles  []PEDFile    `yaml:"ped_profile_files" doc:"files of such profiles"`
	Districts []District   `yaml:"districts" required:"true" doc:"the districts that are run"`
}

// Console is where the web console listens.
type Console struct {
	Listen  string `yaml:"listen" def:"127.0.0.1:8080" pattern:"listen" doc:"host:port; beyond loopback it needs a certificate"`
	TLSCert string `yaml:"tls_cert_file" doc:"PEM file of the certificate and its chain; relative to this file"`
	TLSKey  string `yaml:"tls_key_file" doc:"PEM file of the private key; relative to this file"`
}

// Record says what is kept how long.
type Record struct {
	FineDays float64 `yaml:"fine_days" def:"0" min:"0" doc:"days for which single samples are kept, at least 100; 0: for ever. Older ones are removed once their rollups and balances are closed, which stay"`
}

// Database names the secret that holds the address of the database.
type Database struct {
	URLFile string `yaml:"url_file" doc:"file that holds the postgres:// address with its password, and nothing else; relative to this file"`
	URLEnv  string `yaml:"url_env" pattern:"env" doc:"environment variable that holds the postgres:// address"`
}

// OPCUA is the application that OPC UA peers see. Its certificate is made at the first use, and peers that are trusted are kept beside it.
type OPCUA struct {
	URI  string `yaml:"application_uri" doc:"URI of this installation, which its certificate names; absent: urn:HOST:quartier with the machine's name"`
	Name string `yaml:"application_name" def:"Quartier" doc:"name for people, in the certificate"`
	PKI  string `yaml:"pki_dir" doc:"folder of our certificate and of the trust list, in the layout of OPC UA Part 12; absent: pki in data_dir; relative to this file"`
}

// Face is where building systems connect, and who may ask for what.
type Face struct {
	RequestTimeout float64      `yaml:"request_timeout_seconds" def:"300" min:"5" max:"86400" doc:"time after which a limit, comfort or availability that a building system asked for no longer holds, unless it asks again"`
	ModbusListen   string       `yaml:"modbus_listen" pattern:"listen" doc:"host:port of the Modbus TCP server; beyond loopback it needs modbus_clients with a network; absent: none"`
	ModbusTLS      string       `yaml:"modbus_tls_listen" pattern:"listen" doc:"host:port of the Modbus/TCP Security server, usually port 802; absent: none"`
	ModbusCert     string       `yaml:"modbus_tls_cert_file" doc:"PEM file of the certificate of the Modbus/TCP Security server and its chain; relative to this file"`
	ModbusKey      string       `yaml:"modbus_tls_key_file" doc:"PEM file of its private key; relative to this file"`
	ModbusCA       string       `yaml:"modbus_client_ca_file" doc:"PEM file of the authorities whose clients may read there; relative to this file"`
	ModbusClients  []FaceClient `yaml:"modbus_clients" doc:"who may connect beyond this machine, and who may make requests; nobody else may"`
	OPCUAListen    string       `yaml:"opcua_listen" pattern:"listen" doc:"host:port of the OPC UA server, usually port 4840; absent: none"`
	OPCUAHost      string       `yaml:"opcua_host" doc:"name or address under which clients reach the OPC UA server, in its certificate and its endpoints; absent: that of opcua_listen"`
	OPCUAUnsecured bool         `yaml:"opcua_unsecured" def:"false" doc:"offer security policy None too, where anybody on this machine reads; on loopback only"`
	OPCUAAnonymous bool         `yaml:"opcua_anonymous" def:"false" doc:"let anonymous users of trusted applications read; otherwise users sign in, and only operators and administrators make requests"`
}

// FaceClient is a building system on Modbus.
type FaceClient struct {
	Network     string `yaml:"network" pattern:"network" doc:"its address, or its network such as 10.20.0.0/24, for modbus_listen"`
	Certificate string `yaml:"certificate" doc:"common name of its certificate, for modbus_tls_listen"`
	Role        string `yaml:"role" doc:"Modbus role in its certificate, for modbus_tls_listen"`
	Requests    bool   `yaml:"requests" def:"false" doc:"whether it may ask for limits, comfort and availability"`
}

// Control sets the rhythm of planning and dispatch.
type Control struct {
	Enabled         bool    `yaml:"enabled" def:"true" doc:"false: measure and plan, command nothing"`
	HorizonHours    float64 `yaml:"horizon_hours" def:"36" min:"1" max:"168" doc:"how far a plan reaches"`
	ReplanMinutes   float64 `yaml:"replan_minutes" def:"5" min:"1" max:"60" doc:"time between two plans"`
	PlanSeconds     float64 `yaml:"plan_seconds" def:"20" min:"1" max:"300" doc:"time that making one plan may take"`
	DispatchSeconds float64 `yaml:"dispatch_seconds" def:"5" min:"1" max:"60" doc:"time between two rounds of set-points"`
	StaleSeconds    float64 `yaml:"stale_seconds" def:"60" min:"5" max:"900" doc:"age from which a measurement no longer counts"`
	PlanMaxAgeHours float64 `yaml:"plan_max_age_hours" def:"2" above:"0" max:"48" doc:"age from which a plan is no longer followed"`
	CarbonPrice     float64 `yaml:"carbon_price_eur_per_tonne" def:"0" min:"0" max:"10000" doc:"price that planning puts on the CO2e of imports, beside the tariff"`
}

// Forecast sets the similar-day forecast.
type Forecast struct {
	SimilarDays  int     `yaml:"similar_days" def:"5" min:"1" max:"60" doc:"how many similar days are averaged"`
	LookBackDays int     `yaml:"look_back_days" def:"21" min:"1" max:"366" doc:"how far back similar days may lie"`
	FadeHours    float64 `yaml:"fade_hours" def:"2" above:"0" max:"48" doc:"time constant by which the present deviation fades"`
}

// Report says who issues the residents' report and whom to ask.
type Report struct {
	Issuer  string `yaml:"issuer" def:"Quartier" doc:"who issues the report, as printed on it"`
	Contact string `yaml:"contact" doc:"whom a resident asks, and where consent is withdrawn: telephone, e-mail or place, as printed"`
	Address string `yaml:"address" doc:"postal address of the issuer, on one line"`
}

// District is a group of sites that is balanced, planned and accounted for together.
type District struct {
	ID          string      `yaml:"id" required:"true" pattern:"id" doc:"short name, used in series names and addresses"`
	Name        string      `yaml:"name" required:"true" doc:"name for people"`
	Latitude    float64     `yaml:"latitude_deg" required:"true" min:"-90" max:"90" doc:"degrees, north positive"`
	Longitude   float64     `yaml:"longitude_deg" required:"true" min:"-180" max:"180" doc:"degrees, east positive"`
	Zone        string      `yaml:"time_zone" required:"true" doc:"name of the IANA time zone, such as Europe/Paris"`
	StepMinutes int         `yaml:"metering_step_minutes" def:"15" enum:"5,10,15,30,60" doc:"metering and settlement step; 15 in France since 2025"`
	ImportKW    *float64    `yaml:"import_limit_kw" above:"0" doc:"largest power drawn at the district's boundary; absent: no limit"`
	ExportKW    *float64    `yaml:"export_limit_kw" min:"0" doc:"largest power fed at the district's boundary; absent: no limit"`
	Silence     *Silence    `yaml:"silence" doc:"what holds once the signal of a limit that somebody outside sets of the district, such as its network operator, is no longer repeated; absent: the limits above"`
	Tariff      string      `yaml:"tariff" required:"true" doc:"id of the tariff at the district's boundary"`
	Carbon      string      `yaml:"carbon" required:"true" doc:"id of the carbon intensity source"`
	Weather     string      `yaml:"weather" doc:"id of the feed of its weather forecast; absent: temperature and sun are foreseen from what was measured"`
	Sharing     *Sharing    `yaml:"sharing" doc:"collective self-consumption; absent: no energy is shared on bills"`
	Baseline    Baseline    `yaml:"baseline" doc:"what savings are compared with"`
	PED         []PEDChoice `yaml:"ped_balance" doc:"the profiles of its positive-energy balance, shown side by side, the first one before the others; absent: the built-in ones"`
	Devices     []Device    `yaml:"devices" doc:"the district's own devices: transformer station, weather station, heat meter"`
	Sites       []Site      `yaml:"sites" required:"true" doc:"the delivery points of the district"`
	Members     []Member    `yaml:"members" doc:"the participants of the shared energy"`
}

// Silence is the fall-back of limits from outside once their signal is no longer repeated within face.request_timeout_seconds.
type Silence struct {
	ImportKW *float64 `yaml:"import_limit_kw" min:"0" doc:"largest power drawn; absent: what is configured"`
	ExportKW *float64 `yaml:"export_limit_kw" min:"0" doc:"largest power fed; absent: what is configured"`
	Hours    float64  `yaml:"hours" def:"2" above:"0" max:"24" doc:"how long it holds unless the signal comes back"`
}

// Sharing is how the district's energy is shared on its members' bills.
type Sharing struct {
	Key          string  `yaml:"key" def:"dynamic" enum:"dynamic,static" doc:"dynamic: in proportion to consumption, the legal default; static: by each member's share_of_production"`
	Price        float64 `yaml:"price_eur_per_kwh" required:"true" min:"0" max:"2" doc:"what a member pays for a shared kWh, all taxes included"`
	ExciseExempt bool    `yaml:"excise_exempt" def:"true" doc:"whether shared energy is free of excise; in France for renewable installations below 1 MW"`
	Source       string  `yaml:"source" doc:"contract or decision that the figures are taken from"`
	Terms        []Term  `yaml:"terms" doc:"dated terms that hold in place of those above from their day on"`
}

// Term is the terms of shared energy from a day on.
type Term struct {
	From         string   `yaml:"from" required:"true" pattern:"date" doc:"first day"`
	Price        float64  `yaml:"price_eur_per_kwh" required:"true" min:"0" max:"2" doc:"what a member pays for a shared kWh, all taxes included"`
	ExciseExempt bool     `yaml:"excise_exempt" required:"true" doc:"whether shared energy is free of excise"`
	Network      *float64 `yaml:"network_eur_per_kwh" min:"0" max:"1" doc:"network charge due on shared energy before VAT, where the operation chose one behind its transformer; absent: that of the tariff"`
	Source       string   `yaml:"source" required:"true" doc:"contract, decision or law that the figures are taken from"`
}

// Baseline states in words the comparison of every saving: the same district without storage and without control of charging.
type Baseline struct {
	FR string `yaml:"statement_fr" doc:"the comparison in one French sentence, printed beside every saving; absent: Quartier's own"`
	EN string `yaml:"statement_en" doc:"the comparison in one English sentence, printed beside every saving; absent: Quartier's own"`
	// Until is about the other comparison: what homes would have used.
	Until string `yaml:"until" pattern:"date" doc:"day of the change, such as works or the control of heat, whose effect on consumption is estimated: the twelve months before it are the baseline; absent: no estimate is made"`
}

// Site is a delivery point: a building or an installation behind one grid meter.
type Site struct {
	ID       string       `yaml:"id" required:"true" pattern:"id" doc:"short name, unique in the district"`
	Name     string       `yaml:"name" required:"true" doc:"name for people"`
	ImportKW *float64     `yaml:"import_limit_kw" above:"0" doc:"connection limit, power drawn; absent: no limit"`
	ExportKW *float64     `yaml:"export_limit_kw" min:"0" doc:"connection limit, power fed; absent: no limit"`
	Silence  *Silence     `yaml:"silence" doc:"what holds once the signal of a limit that somebody outside sets of the site is no longer repeated; absent: the limits above"`
	Tariff   string       `yaml:"tariff" doc:"id of the site's own supply tariff, for its members' bills; absent: the district's"`
	Fee      *float64     `yaml:"withdrawal_fee_eur_per_kwh" min:"0" max:"1" doc:"network charge and taxes on what the site draws, wherever it comes from, as planning sees them; absent: by the newest row of the site's tariff"`
	Quiet    []QuietHours `yaml:"quiet_hours" doc:"standing hours in which its heat pumps, water heaters and chargers under control are not to be heard; each device may have its own beside them"`
	Devices  []Device     `yaml:"devices" doc:"meters and machines of the site"`
}

// Member is a participant of the district's shared energy.
type Member struct {
	ID                string   `yaml:"id" required:"true" pattern:"id" doc:"short name, unique in the district"`
	Name              string   `yaml:"name" required:"true" doc:"name for people, on the report"`
	Site              string   `yaml:"site" required:"true" doc:"id of the member's site"`
	DeliveryPoint     string   `yaml:"delivery_point" required:"true" pattern:"prm" doc:"the 14 digits of the delivery point (PRM), best in quotes"`
	Language          string   `yaml:"language" def:"fr" enum:"fr,en" doc:"language of the report and of the member's page"`
	Consent           Consent  `yaml:"consent" doc:"what the member agreed to, each purpose on its own"`
	Share             float64  `yaml:"share_of_site" def:"1" above:"0" max:"1" doc:"the member's share of the site's consumption, where one meter serves several members"`
	ShareOfProduction *float64 `yaml:"share_of_production" min:"0" max:"1" doc:"the member's share of shared production, for the static key"`
}

// Consent is what a member agreed to; nothing without a date.
type Consent struct {
	LoadCurve bool   `yaml:"load_curve" def:"false" doc:"keeping and showing the quarter-hour load curve"`
	Report    bool   `yaml:"report" def:"false" doc:"receiving the monthly report"`
	Since     string `yaml:"since" pattern:"date" doc:"day of the consent, year-month-day"`
}
