package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"quartier/schemas/district"
)

const (
	waterWhPerLK = 1.163 // Wh per litre and kelvin: heat capacity of water at 4.186 kJ/kg/K
	coldWaterC   = 12.0  // °C of mains water, the zero of a tank's stored heat
	leastA       = 6.0   // A per phase: a car charges at 6 A or more, or not at all (IEC 61851-1)
	phaseV       = 230.0 // V
)

// end is a device at an address and unit.
type end struct {
	path, address string
	shared        bool
	kind, profile string
}

// devices checks the devices of a site or of the district itself and builds them.
func (b *builder) devices(list []Device, path string) []district.Device {
	var out []district.Device
	ids := map[string]string{}
	b.findProfiles(list)
	for i := range list {
		p := fmt.Sprintf("%s.devices[%d]", path, i)
		b.once(ids, "device", list[i].ID, p+".id")
		out = append(out, b.device(&list[i], p))
	}
	return out
}

// device checks one device and builds it.
func (b *builder) device(f *Device, path string) district.Device {
	d := district.Device{ID: f.ID, Name: f.Name, Kind: district.Kind(f.Kind), Profile: f.Profile, Address: f.Address, Unit: uint8(f.Unit),
		Poll: time.Duration(f.Poll * float64(time.Second)), Frozen: time.Duration(f.Frozen * float64(time.Second)), Control: f.Control}
	if d.Name == "" {
		d.Name = f.ID
	}
	if b.profile(f, path) && b.opt.Address != nil && forms["address"].re.MatchString(f.Address) && deviceAddress(f.Address) == nil {
		if err := b.opt.Address(f.Profile, f.Address); err != nil {
			b.say(path+".address", "%v", err)
		}
	}
	b.endpoint(f, path)
	b.opcua(f, path)
	d.Quiet = b.deviceQuiet(f, path)
	if t := f.TLS; t != nil {
		if !strings.HasPrefix(f.Address, "modbus+tls://") {
			b.say(path+".tls", "certificates are for an address modbus+tls://host:port")
		}
		if (t.CertFile == "") != (t.KeyFile == "") {
			b.say(path+".tls", "cert_file and key_file are needed together")
		}
		d.TLS = &district.TLSFiles{CAFile: t.CAFile, CertFile: t.CertFile, KeyFile: t.KeyFile, ServerName: t.ServerName}
	}
	if stale := b.cfg.File.Control.StaleSeconds; f.Poll > stale && stale > 0 {
		b.say(path+".poll_seconds", "%v s is above control.stale_seconds %v s: its measurement would no longer count before the next one", f.Poll, stale)
	}
	if f.Frozen > 0 && f.Frozen < 3*f.Poll {
		b.say(path+".frozen_seconds", "%v s is below three times poll_seconds %v s: a measurement may well repeat once or twice", f.Frozen, f.Poll)
	}
	commanded := []district.Kind{district.PV, district.Battery, district.HeatPump, district.WaterHeater, district.EVCharger}
	if f.Control && d.Kind.Valid() && !slices.Contains(commanded, d.Kind) && f.Lighting == nil {
		b.say(path+".control", "a %s takes no commands", f.Kind)
	}
	switch {
	case f.PV != nil:
		d.PV = &district.PVParams{PeakKW: f.PV.PeakKW, Curtailable: f.PV.Curtailable, TiltDeg: f.PV.TiltDeg, AzimuthDeg: f.PV.AzimuthDeg}
	case f.Battery != nil:
		x := f.Battery
		b.below(path+".battery", "min_soc", x.MinSOC, "max_soc", x.MaxSOC)
		d.Battery = &district.BatteryParams{CapacityKWh: x.CapacityKWh, MinSOC: x.MinSOC, MaxSOC: x.MaxSOC, ChargeKW: x.ChargeKW, DischargeKW: x.DischargeKW,
			ChargeEfficiency: x.ChargeEfficiency, DischargeEfficiency: x.DischargeEfficiency, WearCostPerKWh: x.WearCost}
	case f.HeatPump != nil:
		x := f.HeatPump
		if x.MinKW > x.MaxKW && x.MaxKW > 0 {
			b.say(path+".heat_pump.min_kw", "%v kW is above max_kw %v kW", x.MinKW, x.MaxKW)
		}
		b.below(path+".heat_pump", "min_c", x.MinC, "max_c", x.MaxC)
		d.HeatPump = &district.HeatPumpParams{MaxKW: x.MaxKW, MinKW: x.MinKW, COPNominal: x.COPNominal, COPPerK: x.COPPerK, CapacityKWhPerK: x.Capacity,
			ResistanceKPerKW: x.Resistance, GainsKW: x.GainsKW, MinC: x.MinC, MaxC: x.MaxC, MinOn: span(x.MinOnMin), MinOff: span(x.MinOffMin)}
	case f.WaterHeater != nil:
		x := f.WaterHeater
		b.below(path+".water_heater", "min_c", x.MinC, "max_c", x.MaxC)
		d.WaterHeater = &district.WaterHeaterParams{MaxKW: x.MaxKW, VolumeL: x.VolumeL, MinC: x.MinC, MaxC: x.MaxC, LossPerHour: x.LossPerHour,
			CapacityKWh: x.VolumeL * waterWhPerLK * (x.MaxC - coldWaterC) / 1000}
	case f.EVCharger != nil:
		d.EVCharger = b.charger(f.EVCharger, path+".ev_charger")
	case f.Lighting != nil:
		d.Lighting = b.lighting(f.Lighting, path+".lighting")
	case f.Meter != nil:
		d.Meter = b.carrierMeter(f, path+".meter")
	}
	return d
}

// opcua notes what does not fit together of how an OPC UA server is entered.
func (b *builder) opcua(f *Device, path string) {
	x := f.OPCUA
	if x == nil {
		return
	}
	at := path + ".opcua"
	password := x.PasswordFile != "" || x.PasswordEnv != ""
	switch {
	case f.Address != "" && !strings.HasPrefix(f.Address, "opc.tcp://"):
		b.say(at, "%s is no OPC UA server", f.Address)
	case x.Policy == "None" && x.Mode != "":
		b.say(at+".security_mode", "security policy None has no mode")
	}
	switch {
	case x.PasswordFile != "" && x.PasswordEnv != "":
		b.say(at+".password_env", "password_file is given too: one of them")
	case x.User == "" && password:
		b.say(at, "a password is given without user")
	case x.User != "" && !password:
		b.say(at+".user", "password_file or password_env is needed with it")
	}
	switch {
	case (x.UserCert == "") != (x.UserKey == ""):
		b.say(at, "user_cert_file and user_key_file are needed together")
	case x.UserCert != "" && x.User != "":
		b.say(at+".user_cert_file", "user is given too: one of them")
	}
}

// charger checks a charging point and builds it.
func (b *builder) charger(x *EVCharger, path string) *district.EVChargerParams {
	least := leastA * phaseV * float64(x.Phases) / 1000
	minKW := least
	switch {
	case x.MinKW == nil:
		if least > x.MaxKW && x.MaxKW > 0 && x.Phases > 0 {
			b.say(path+".max_kw", "%v kW is below %v kW, which 6 A on %d phase(s) give: a car would never charge", x.MaxKW, least, x.Phases)
		}
	default:
		minKW = *x.MinKW
		switch {
		case minKW > x.MaxKW && x.MaxKW > 0:
			b.say(path+".min_kw", "%v kW is above max_kw %v kW", minKW, x.MaxKW)
		case minKW > 0 && minKW < least*0.9: // phase voltages may be a tenth below 230 V
			b.say(path+".min_kw", "%v kW is below %v kW, which 6 A on %d phase(s) give (IEC 61851)", minKW, least, x.Phases)
		}
	}
	if x.TargetKWh > x.CapacityKWh && x.CapacityKWh > 0 {
		b.say(path+".target_kwh", "%v kWh is above car_capacity_kwh %v kWh", x.TargetKWh, x.CapacityKWh)
	}
	return &district.EVChargerParams{MaxKW: x.MaxKW, MinKW: minKW, Phases: x.Phases, CapacityKWh: x.CapacityKWh,
		TargetKWh: x.TargetKWh, ReadyBy: x.ReadyBy}
}

// below notes a lower limit that is not below its upper one, at the one that was written.
func (b *builder) below(path, lowKey string, low float64, highKey string, high float64) {
	if low < high {
		return
	}
	unit := unitOf(lowKey)
	at, text := lowKey, fmt.Sprintf("%v%s is not below %s %v%s", low, unit, highKey, high, unit)
	if !b.has(path + "." + lowKey) {
		at, text = highKey, fmt.Sprintf("%v%s is not above %s %v%s", high, unit, lowKey, low, unit)
	}
	b.say(path+"."+at, "%s", text)
}

// endpoint notes two devices at one address and unit, and one serial line that is described in two ways. OPC UA has no units: there the profile tells devices of
// one server apart.
func (b *builder) endpoint(f *Device, path string) {
	u, err := url.Parse(f.Address)
	if err != nil || !forms["address"].re.MatchString(f.Address) {
		return
	}
	host, opc := strings.ToLower(u.Host)+strings.TrimSuffix(u.Path, "/"), u.Scheme == "opc.tcp"
	if u.Scheme == "rtu" {
		first, twice := b.lines[host]
		if twice && first.address != f.Address {
			b.say(path+".address", "the device of line %d is on the same serial line at %s: all of a line have the same baud rate, parity and stop bits", b.at(first.path).line, first.address)
		} else if !twice {
			b.lines[host] = end{path: path, address: f.Address}
		}
	}
	where, id := fmt.Sprintf("%s unit %d", f.Address, f.Unit), fmt.Sprintf("%s %d", host, f.Unit)
	if opc {
		where, id = f.Address, f.Address+" "+f.Profile
	}
	for _, other := range b.ends[id] {
		line := b.at(other.path).line
		switch {
		case !other.shared || !f.SharedUnit:
			b.say(path+".address", "%s is the device of line %d too; parts of one machine say shared_unit: true, all of them", where, line)
			return
		case other.kind == f.Kind && other.profile == f.Profile && !opc:
			b.say(path+".address", "%s with profile %s is the %s of line %d too: the same registers would count twice", where, f.Profile, f.Kind, line)
			return
		}
	}
	b.ends[id] = append(b.ends[id], end{path: path, shared: f.SharedUnit, kind: f.Kind, profile: f.Profile, address: f.Address})
}

// profile notes an unknown profile, or one of another kind of device; it reports whether the profile is known.
func (b *builder) profile(f *Device, path string) bool {
	if b.opt.Profile == nil || f.Profile == "" {
		return false
	}
	kinds, known := b.opt.Profile(f.Profile)
	switch {
	case !known && ownProfile(f.Profile):
		b.ownProfileFaults(f.Profile, path)
	case !known:
		hint := suggestion(f.Profile, b.opt.Profiles)
		if hint == "" && len(b.opt.Profiles) > 0 {
			hint = "; known are " + strings.Join(b.opt.Profiles, ", ")
		}
		b.say(path+".profile", "no profile is named %q%s", f.Profile, hint)
	case len(kinds) > 0 && !slices.Contains(kinds, district.Kind(f.Kind)) && district.Kind(f.Kind).Valid():
		b.say(path+".profile", "%s is no profile of a %s", f.Profile, f.Kind)
	}
	return known
}

func span(minutes float64) time.Duration { return time.Duration(minutes * float64(time.Minute)) }
