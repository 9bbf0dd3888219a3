package config

// Device is one machine or meter. The parameters of its kind stand in a map named by the kind.
type Device struct {
	ID         string  `yaml:"id" required:"true" pattern:"id" doc:"short name, unique in the site"`
	Name       string  `yaml:"name" doc:"name for people; absent: the id"`
	Kind       string  `yaml:"kind" required:"true" enum:"substation,grid_meter,load_meter,pv,battery,heat_pump,water_heater,ev_charger,heat_meter,gas_meter,weather" doc:"what it is in the energy balance"`
	Profile    string  `yaml:"profile" required:"true" doc:"name of its register or node map, or the path of your own, which ends in .yaml; relative to this file"`
	Address    string  `yaml:"address" required:"true" pattern:"address" doc:"tcp://host:port for Modbus, modbus+tls://host:port for Modbus behind TLS, udp://host:port for Modbus in datagrams, rtuovertcp://host:port for Modbus RTU frames through a plain serial gateway, rtu:///dev/ttyUSB0?baud=9600&parity=even&stop_bits=1 for a serial line of this machine (19200 baud and even parity unless given), opc.tcp://host:port for OPC UA; ?answer_unit=any behind tcp and modbus+tls is for devices that answer in the name of another unit, ?answer_transaction=any for those that do not repeat the transaction id"`
	TLS        *TLS    `yaml:"tls" doc:"certificates for an address modbus+tls://host:port; absent: the device's is checked against the authorities of this machine, and none of ours is shown"`
	Unit       int     `yaml:"unit_id" def:"1" min:"0" max:"255" doc:"Modbus unit id"`
	SharedUnit bool    `yaml:"shared_unit" def:"false" doc:"true for one of several devices that are parts of one machine, such as the battery of a hybrid inverter, and share its address and unit id"`
	Poll       float64 `yaml:"poll_seconds" def:"5" min:"1" max:"3600" doc:"how often it is read"`
	Frozen     float64 `yaml:"frozen_seconds" def:"0" min:"0" max:"86400" doc:"time without any change of its measurements after which they no longer count, for gateways that repeat the last answer of a device that they lost; 0: however long. Voltages and powers move all the time; a device at rest is not frozen, nor a connection that is held at nothing"`
	Control    bool    `yaml:"control" def:"false" doc:"whether Quartier may command it"`

	Quiet []QuietHours `yaml:"quiet_hours" doc:"standing hours in which it is not to be heard, of a heat_pump, water_heater or ev_charger with control, beside those of its site and those that people order; of all that hold the lowest power counts. Limits are above them"`

	OPCUA *DeviceOPCUA `yaml:"opcua" doc:"how its OPC UA server is entered; absent: anonymous, by the strongest security policy that the server offers, and without one on loopback"`

	PV          *PV          `yaml:"pv" when:"kind=pv" required:"true" doc:"the solar inverter"`
	Battery     *Battery     `yaml:"battery" when:"kind=battery" required:"true" doc:"the battery"`
	HeatPump    *HeatPump    `yaml:"heat_pump" when:"kind=heat_pump" required:"true" doc:"the heat pump and the zone that it heats"`
	WaterHeater *WaterHeater `yaml:"water_heater" when:"kind=water_heater" required:"true" doc:"the water heater"`
	EVCharger   *EVCharger   `yaml:"ev_charger" when:"kind=ev_charger" required:"true" doc:"the charging point and the car that usually stands there"`
	Lighting    *Lighting    `yaml:"lighting" when:"kind=load_meter" doc:"the street lighting behind it and when it burns; absent: it measures any consumption"`
	Meter       *Meter       `yaml:"meter" when:"kind=heat_meter,gas_meter" doc:"what it counts in the balance of its carrier; absent: nothing, it is only shown"`
}

// QuietHours are standing hours in which a device, or those of a site, are not to be heard.
type QuietHours struct {
	From     string   `yaml:"from" required:"true" pattern:"clock" doc:"local time at which they begin, such as 22:00"`
	To       string   `yaml:"to" required:"true" pattern:"clock" doc:"local time at which they end, such as 06:00; not after from: on the next day; as from: after a whole day"`
	Days     []string `yaml:"days" doc:"days of the week on which they begin: mon, tue, wed, thu, fri, sat, sun; absent: every day"`
	AtMostKW float64  `yaml:"at_most_kw" def:"0" min:"0" max:"100000" doc:"power that the device may take meanwhile; 0: it is off"`
	Reason   string   `yaml:"reason" required:"true" doc:"why, as the console shows it: a bedroom window, a noisy contactor"`
	Kinds    []string `yaml:"kinds" doc:"of a site's, the devices that they are about: heat_pump, water_heater, ev_charger; absent: all three"`
}

// Meter says what a heat or gas meter counts.
type Meter struct {
	Carrier  string       `yaml:"carrier" pattern:"carrier" doc:"heat, cold, hot_water, gas or another; absent: heat of a heat_meter, gas of a gas_meter"`
	Role     string       `yaml:"role" required:"true" enum:"delivered,exported,generated,converted,charged,discharged,consumed" doc:"delivered, exported: through the boundary of its site, or of the district for one of the district's own; generated: made on the spot from sun, ground or air; converted: made on the spot out of another carrier, such as a heat pump's heat; charged, discharged: storage; consumed: used"`
	MaxKW    *float64     `yaml:"max_kw" above:"0" doc:"power that cannot pass it: a counter that grows faster is another meter; absent: no test"`
	Contents []GasContent `yaml:"gas_contents" doc:"energy of a cubic metre by date, of a gas_meter; the supplier's bills tell it"`
}

// Lighting describes the street lighting behind a cabinet and when it burns. With control, Quartier sends the cabinet its brightness.
type Lighting struct {
	RatedKW   float64         `yaml:"rated_kw" required:"true" above:"0" doc:"power of all lamps at full brightness"`
	StandbyKW float64         `yaml:"standby_kw" def:"0" min:"0" doc:"power while the lamps do not burn"`
	Switch    string          `yaml:"switch" def:"civil_twilight" enum:"civil_twilight,sunset" doc:"the sun's height between which in the evening and in the morning they burn: 6° below the horizon, or at it"`
	On        float64         `yaml:"on_offset_minutes" def:"0" min:"-120" max:"120" doc:"minutes after that in the evening at which they begin to burn; negative: before it"`
	Off       float64         `yaml:"off_offset_minutes" def:"0" min:"-120" max:"120" doc:"minutes after that in the morning at which they stop; negative: before it"`
	Levels    []LightingLevel `yaml:"levels" doc:"brightness by the local clock; absent: full"`
	HalfNight *HalfNight      `yaml:"half_night" doc:"hours of each night in which they rest; absent: none"`
}

// LightingLevel is a brightness from a time of each day on.
type LightingLevel struct {
	From  string  `yaml:"from" required:"true" pattern:"clock" doc:"local time, such as 22:00"`
	Share float64 `yaml:"share" required:"true" min:"0" max:"1" doc:"of full brightness"`
}

// HalfNight are the hours of each night in which lamps rest.
type HalfNight struct {
	From string `yaml:"from" required:"true" pattern:"clock" doc:"local time, such as 23:30"`
	To   string `yaml:"to" required:"true" pattern:"clock" doc:"local time, such as 05:00"`
}

// GasContent is the energy of a cubic metre of gas from a day on.
type GasContent struct {
	From      string  `yaml:"from" required:"true" pattern:"date" doc:"first day"`
	KWhPerM3  float64 `yaml:"kwh_per_m3" required:"true" above:"0" max:"50" doc:"energy of a cubic metre as the meter counts it"`
	Calorific string  `yaml:"calorific" def:"gross" enum:"gross,net" doc:"calorific value that it is by; French bills are by the gross one (PCS)"`
	Source    string  `yaml:"source" required:"true" doc:"bill or publication that it is taken from"`
}

// DeviceOPCUA is how an OPC UA server is entered. Secrets are named and never written here.
type DeviceOPCUA struct {
	Policy       string `yaml:"security_policy" enum:"None,Basic256Sha256,Aes128_Sha256_RsaOaep,Aes256_Sha256_RsaPss" doc:"security policy; absent: the strongest that the server offers, and None on loopback"`
	Mode         string `yaml:"security_mode" enum:"Sign,SignAndEncrypt" doc:"whether messages are encrypted or signed only; absent: SignAndEncrypt"`
	User         string `yaml:"user" doc:"user name; absent: anonymous, or by user_cert_file"`
	PasswordFile string `yaml:"password_file" doc:"file that holds the password and nothing else; relative to this file"`
	PasswordEnv  string `yaml:"password_env" pattern:"env" doc:"environment variable that holds the password"`
	UserCert     string `yaml:"user_cert_file" doc:"certificate that the user is known by, DER or PEM; relative to this file"`
	UserKey      string `yaml:"user_key_file" doc:"its private key without a passphrase, DER or PEM; relative to this file"`
	History      bool   `yaml:"history" def:"true" doc:"whether gaps are filled from the server's history where it has one"`
}

// TLS names the certificates for a device behind TLS (Modbus/TCP Security). They are read at each connection.
type TLS struct {
	CAFile     string `yaml:"ca_file" doc:"PEM file of the authorities that sign devices' certificates, or of the device's own certificate; relative to this file; absent: the authorities of this machine"`
	CertFile   string `yaml:"cert_file" doc:"PEM file of our certificate and its chain; relative to this file"`
	KeyFile    string `yaml:"key_file" doc:"PEM file of its private key; relative to this file"`
	ServerName string `yaml:"server_name" doc:"name that the device's certificate is for; absent: the host of the address"`
}

// PV describes a solar inverter.
type PV struct {
	PeakKW      float64 `yaml:"peak_kw" required:"true" above:"0" doc:"installed power, kWp"`
	Curtailable bool    `yaml:"curtailable" def:"true" doc:"whether its power may be limited"`
	TiltDeg     float64 `yaml:"tilt_deg" def:"30" min:"0" max:"90" doc:"0 flat, 90 upright"`
	AzimuthDeg  float64 `yaml:"azimuth_deg" def:"180" min:"0" below:"360" doc:"compass direction that it faces; 180 is south"`
}

// Battery describes a stationary battery.
type Battery struct {
	CapacityKWh         float64 `yaml:"capacity_kwh" required:"true" above:"0" doc:"usable energy between empty and full"`
	MinSOC              float64 `yaml:"min_soc" def:"0.1" min:"0" max:"1" doc:"lowest state of charge that planning uses, a share"`
	MaxSOC              float64 `yaml:"max_soc" def:"0.95" min:"0" max:"1" doc:"highest state of charge that planning uses, a share"`
	ChargeKW            float64 `yaml:"charge_kw" required:"true" above:"0" doc:"largest charging power"`
	DischargeKW         float64 `yaml:"discharge_kw" required:"true" above:"0" doc:"largest discharging power, a positive number"`
	ChargeEfficiency    float64 `yaml:"charge_efficiency" def:"0.95" above:"0" max:"1" doc:"stored energy per energy drawn"`
	DischargeEfficiency float64 `yaml:"discharge_efficiency" def:"0.95" above:"0" max:"1" doc:"energy given per stored energy"`
	WearCost            float64 `yaml:"wear_cost_eur_per_kwh" def:"0.01" min:"0" max:"1" doc:"wear, per kWh charged and per kWh discharged"`
}

// HeatPump describes a heat pump and its zone as one thermal mass.
type HeatPump struct {
	MaxKW      float64 `yaml:"max_kw" required:"true" above:"0" doc:"largest electrical power"`
	MinKW      float64 `yaml:"min_kw" def:"0" min:"0" doc:"smallest electrical power when it runs"`
	COPNominal float64 `yaml:"cop_at_7c" def:"3.2" min:"1" max:"10" doc:"heat per electricity at 7 °C outside"`
	COPPerK    float64 `yaml:"cop_per_k" def:"0.06" min:"0" max:"0.5" doc:"change of that ratio per K of outdoor temperature"`
	Capacity   float64 `yaml:"capacity_kwh_per_k" required:"true" above:"0" doc:"heat capacity of the zone"`
	Resistance float64 `yaml:"resistance_k_per_kw" required:"true" above:"0" doc:"thermal resistance from the zone to the outside"`
	GainsKW    float64 `yaml:"gains_kw" def:"0" min:"0" doc:"mean heat gains from people and appliances"`
	MinC       float64 `yaml:"min_c" def:"19" min:"5" max:"35" doc:"lower end of the comfort band"`
	MaxC       float64 `yaml:"max_c" def:"22" min:"5" max:"35" doc:"upper end of the comfort band"`
	MinOnMin   float64 `yaml:"min_on_minutes" def:"15" min:"0" max:"720" doc:"shortest run of the compressor"`
	MinOffMin  float64 `yaml:"min_off_minutes" def:"15" min:"0" max:"720" doc:"shortest pause of the compressor"`
}

// WaterHeater describes an electric storage water heater. The heat that it stores follows from volume and temperatures.
type WaterHeater struct {
	MaxKW       float64 `yaml:"max_kw" required:"true" above:"0" doc:"power of the element; it is on or off"`
	VolumeL     float64 `yaml:"volume_l" required:"true" above:"0" doc:"volume of the tank"`
	LossPerHour float64 `yaml:"loss_per_hour" def:"0.006" min:"0" below:"1" doc:"share of the stored heat lost each hour"`
	MinC        float64 `yaml:"min_c" def:"45" min:"10" max:"95" doc:"lowest temperature of the water at the tap"`
	MaxC        float64 `yaml:"max_c" def:"62" min:"10" max:"95" doc:"highest temperature of the tank"`
}

// EVCharger describes a charging point and the car that usually stands there.
type EVCharger struct {
	MaxKW       float64  `yaml:"max_kw" required:"true" above:"0" doc:"largest charging power"`
	MinKW       *float64 `yaml:"min_kw" above:"0" doc:"smallest charging power; absent: 6 A on each phase at 230 V (IEC 61851)"`
	Phases      int      `yaml:"phases" def:"3" enum:"1,3" doc:"phases in use"`
	CapacityKWh float64  `yaml:"car_capacity_kwh" def:"50" above:"0" max:"1000" doc:"battery of the car"`
	TargetKWh   float64  `yaml:"target_kwh" def:"10" above:"0" doc:"energy wanted per session where the car tells nothing better"`
	ReadyBy     string   `yaml:"ready_by" pattern:"clock" doc:"local time by which it is wanted, such as 07:00; absent: at the usual departure"`
}
