package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// Reading is the newest value of one quantity of a device.
type Reading struct {
	Quantity   string    `json:"quantity"`
	Value      float64   `json:"value"`
	Unit       string    `json:"unit"`
	Time       time.Time `json:"time"`
	AgeSeconds float64   `json:"age_seconds" doc:"on the district's clock"`
	Quality    string    `json:"quality" enum:"good,uncertain,bad,substituted"`
	Stale      bool      `json:"stale"`
}

// DeviceInfo describes a device with its state and last readings.
type DeviceInfo struct {
	Site         string        `json:"site"`
	SiteName     string        `json:"site_name"`
	ID           string        `json:"id"`
	Name         string        `json:"name"`
	Kind         district.Kind `json:"kind"`
	Profile      string        `json:"profile"`
	Protocol     string        `json:"protocol"`
	Address      string        `json:"address"`
	Controllable bool          `json:"controllable"`
	State        string        `json:"state" enum:"online,stale,offline,waiting" doc:"waiting: never heard of since the start"`
	Since        *time.Time    `json:"since" doc:"of the state, where known"`
	LastSeen     *time.Time    `json:"last_seen"`
	LastError    string        `json:"last_error"`
	PeriodSecond float64       `json:"period_seconds" doc:"how often it is read, on the wall clock"`
	LatencyMS    float64       `json:"latency_ms"`
	Readings     []Reading     `json:"readings" doc:"power first, then the quantities in their usual order"`
	PlannedKW    *float64      `json:"planned_kw" doc:"of the step that holds now; positive into the device"`
	Reason       string        `json:"reason" doc:"of the plan, with its numbers"`
	Paused       *Override     `json:"paused,omitempty"`
}

// DeviceDetail is a device with its parameters, plan and last commands.
type DeviceDetail struct {
	DeviceInfo
	Parameters []Parameter         `json:"parameters"`
	Learned    []Learned           `json:"learned" doc:"what its measurements show"`
	Plan       *DeviceSchedule     `json:"plan,omitempty"`
	Setpoints  []district.Setpoint `json:"setpoints" doc:"newest first"`
}

// Parameter is one fact of a device's configuration.
type Parameter struct {
	Key   string  `json:"key"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Learned is one fact of a device that its measurements show.
type Learned struct {
	Key       string   `json:"key"`
	Value     float64  `json:"value"`
	Unit      string   `json:"unit"`
	Deviation *float64 `json:"deviation" doc:"standard deviation; null where the fact has none"`
	Word      string   `json:"word,omitempty" doc:"a fact in a word, in place of the value: in_use is what plans go by (configured, identified, identified_with_gains), why is too_few_days, no_better, better or no_longer"`
}

// DeviceSchedule is the plan of a device.
type DeviceSchedule struct {
	Start        time.Time `json:"start"`
	StepMinutes  float64   `json:"step_minutes"`
	PowerKW      []float64 `json:"power_kw"`
	EnergyKWh    []float64 `json:"energy_kwh" doc:"steps+1 values, or none"`
	TemperatureC []float64 `json:"temperature_c" doc:"steps+1 values, or none"`
	Reason       []string  `json:"reason"`
	ImportPrice  []float64 `json:"import_price" doc:"EUR/kWh"`
}

// DevicePath names a device; the site _ holds the district's own.
type DevicePath struct {
	District string `path:"district" maxLength:"100"`
	Site     string `path:"site" maxLength:"100"`
	Device   string `path:"device" maxLength:"100"`
}

type pauseInput struct {
	DevicePath
	Body struct {
		Reason  string  `json:"reason" minLength:"3" maxLength:"300"`
		Minutes float64 `json:"minutes" minimum:"15" maximum:"10080" doc:"how long, on the district's clock"`
	}
}

type resumeInput struct {
	DevicePath
	Body struct {
		Reason string `json:"reason" minLength:"3" maxLength:"300"`
	}
}

func (s *Server) deviceRoutes() {
	register(s, ViewerAccess, get("list-devices", "/api/districts/{district}/devices", "devices", "Devices with state and last readings"), s.listDevices)
	register(s, ViewerAccess, get("get-device", "/api/districts/{district}/devices/{site}/{device}", "devices", "A device with parameters, plan and last commands"), s.getDevice)
	pause := write(http.MethodPost, "pause-device", "/api/districts/{district}/devices/{site}/{device}/pause", "devices", "Give a device back its own control for a while")
	pause.Errors = []int{http.StatusNotFound, http.StatusConflict}
	register(s, OperatorAccess, pause, s.pauseDevice)
	resume := write(http.MethodPost, "resume-device", "/api/districts/{district}/devices/{site}/{device}/resume", "devices", "End a pause")
	resume.Errors = []int{http.StatusNotFound, http.StatusConflict}
	register(s, OperatorAccess, resume, s.resumeDevice)
}

// device returns a device and the district that has it, or a 404.
func (s *Server) device(p DevicePath) (*district.District, *district.Device, error) {
	d, err := s.district(p.District)
	if err != nil {
		return nil, nil, err
	}
	dev := d.Device(p.Site, p.Device)
	if dev == nil {
		return nil, nil, huma.Error404NotFound(fmt.Sprintf("district %q has no device %q at site %q", d.ID, p.Device, p.Site))
	}
	return d, dev, nil
}

var quantityOrder = func() map[string]int {
	m := map[string]int{}
	for i, q := range district.Quantities() {
		m[q.Name] = i + 1
	}
	return m
}()

// unitOf returns the unit in which a quantity is stored; for one that only a profile knows, what its name ends in.
func unitOf(quantity string) string {
	if q, ok := district.LookupQuantity(quantity); ok {
		return string(q.Unit)
	}
	for suffix, unit := range map[string]units.Unit{"_kw": units.KW, "_kwh": units.KWh, "_c": units.DegC, "_v": units.Volt, "_a": units.Ampere, "_hz": units.Hertz,
		"_kvar": units.Kvar, "_kva": units.KVA, "_m3_h": units.CubicMPerH} {
		if strings.HasSuffix(quantity, suffix) {
			return string(unit)
		}
	}
	return string(units.ShareUnit)
}

// describe returns what is known of a device. status and plan may be nil.
func (s *Server) describe(d *district.District, site string, dev *district.Device, status *DeviceStatus, plan *district.Plan, paused []Override, now time.Time) DeviceInfo {
	info := DeviceInfo{Site: site, SiteName: objectName(d, d.ID+"/"+site), ID: dev.ID, Name: dev.Name, Kind: dev.Kind, Profile: dev.Profile, Address: dev.Address,
		Controllable: dev.Control, State: "waiting", PeriodSecond: dev.Poll.Seconds(), Readings: []Reading{}}
	if u, err := url.Parse(dev.Address); err == nil {
		info.Protocol = map[string]string{"tcp": "Modbus TCP", "opc.tcp": "OPC UA"}[u.Scheme]
	}
	newest := time.Time{}
	for _, v := range s.deps.Live.Snapshot(d.ID + "/" + site + "/" + dev.ID + "/") {
		_, _, _, quantity, _ := v.Series.Parts()
		if v.Time.After(newest) {
			newest = v.Time
		}
		age := now.Sub(v.Time)
		info.Readings = append(info.Readings, Reading{Quantity: quantity, Value: v.Value, Unit: unitOf(quantity), Time: v.Time, AgeSeconds: max(0, age.Seconds()),
			Quality: v.Quality.String(), Stale: age > s.staleAfter(dev.Poll)})
	}
	slices.SortStableFunc(info.Readings, func(a, b Reading) int {
		oa, ob := quantityOrder[a.Quantity], quantityOrder[b.Quantity]
		if oa == 0 {
			oa = 1000
		}
		if ob == 0 {
			ob = 1000
		}
		if oa != ob {
			return oa - ob
		}
		return strings.Compare(a.Quantity, b.Quantity)
	})
	if !newest.IsZero() {
		info.LastSeen = &newest
		info.State = "online"
		if now.Sub(newest) > s.staleAfter(dev.Poll) {
			info.State = "stale"
		}
	}
	if status != nil {
		info.LastError, info.LatencyMS = status.LastError, float64(status.Latency.Microseconds())/1000
		if status.Period > 0 {
			info.PeriodSecond = status.Period.Seconds()
		}
		if !status.Since.IsZero() {
			since := status.Since
			info.Since = &since
			if !status.Online {
				info.State = "offline"
			}
		}
		if !status.LastSeen.IsZero() && (info.LastSeen == nil || status.LastSeen.After(*info.LastSeen)) {
			seen := status.LastSeen
			info.LastSeen = &seen
		}
	}
	if plan != nil {
		if i, ok := plan.Index(now); ok {
			if sp := plan.Site(site); sp != nil {
				if dp := sp.Device(dev.ID); dp != nil && i < len(dp.PowerKW) {
					v := dp.PowerKW[i]
					info.PlannedKW = &v
					if i < len(dp.Reason) {
						info.Reason = dp.Reason[i]
					}
				}
			}
		}
	}
	for i := range paused {
		if paused[i].Site == site && paused[i].Device == dev.ID {
			info.Paused = &paused[i]
		}
	}
	return info
}

// planOrNil returns the newest plan, nil without one.
func (s *Server) planOrNil(ctx context.Context, districtID string) (*district.Plan, error) {
	p, err := s.latestPlan(ctx, districtID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return p, err
}

func (s *Server) listDevices(ctx context.Context, in *DistrictPath) (*struct{ Body []DeviceInfo }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	plan, err := s.planOrNil(ctx, d.ID)
	if err != nil {
		return nil, s.broken(ctx, "reading the plan", err)
	}
	all := s.deps.DeviceStatus()
	status := make(map[string]*DeviceStatus, len(all))
	for i := range all {
		status[all[i].District+"/"+all[i].Site+"/"+all[i].Device] = &all[i]
	}
	paused, now := s.paused(d.ID), s.deps.Now()
	out := []DeviceInfo{}
	for site, dev := range d.AllDevices {
		out = append(out, s.describe(d, site, dev, status[d.ID+"/"+site+"/"+dev.ID], plan, paused, now))
	}
	return &struct{ Body []DeviceInfo }{out}, nil
}

func (s *Server) getDevice(ctx context.Context, in *DevicePath) (*struct{ Body DeviceDetail }, error) {
	d, dev, err := s.device(*in)
	if err != nil {
		return nil, err
	}
	detail, err := s.deviceDetail(ctx, d, in.Site, dev)
	if err != nil {
		return nil, s.broken(ctx, "reading the device", err)
	}
	return &struct{ Body DeviceDetail }{detail}, nil
}

func (s *Server) deviceDetail(ctx context.Context, d *district.District, site string, dev *district.Device) (DeviceDetail, error) {
	plan, err := s.planOrNil(ctx, d.ID)
	if err != nil {
		return DeviceDetail{}, err
	}
	now := s.deps.Now().UTC()
	var status *DeviceStatus
	for _, st := range s.deps.DeviceStatus() {
		if st.District == d.ID && st.Site == site && st.Device == dev.ID {
			status = &st
			break
		}
	}
	out := DeviceDetail{DeviceInfo: s.describe(d, site, dev, status, plan, s.paused(d.ID), now), Parameters: parameters(dev), Learned: []Learned{}}
	if s.deps.Learned != nil {
		out.Learned = append(out.Learned, s.deps.Learned(d.ID, site, dev.ID)...)
	}
	setpoints, err := s.deps.Store.Setpoints(ctx, d.ID, site, dev.ID, timegrid.NewSpan(now.Add(-48*time.Hour), now.Add(time.Minute)), 100)
	if err != nil {
		return DeviceDetail{}, err
	}
	out.Setpoints = append([]district.Setpoint{}, setpoints...)
	if plan != nil {
		if sp := plan.Site(site); sp != nil {
			if dp := sp.Device(dev.ID); dp != nil {
				out.Plan = &DeviceSchedule{Start: plan.Start, StepMinutes: plan.StepMinutes, PowerKW: append([]float64{}, dp.PowerKW...),
					EnergyKWh: append([]float64{}, dp.EnergyKWh...), TemperatureC: append([]float64{}, dp.TemperatureC...),
					Reason: append([]string{}, dp.Reason...), ImportPrice: append([]float64{}, plan.ImportPrice...)}
			}
		}
	}
	return out, nil
}

func parameters(dev *district.Device) []Parameter {
	out := []Parameter{}
	add := func(key string, v float64, unit units.Unit) {
		if v != 0 {
			out = append(out, Parameter{key, v, string(unit)})
		}
	}
	switch {
	case dev.PV != nil:
		add("peak_kw", dev.PV.PeakKW, units.KW)
		add("tilt_deg", dev.PV.TiltDeg, "deg")
		add("azimuth_deg", dev.PV.AzimuthDeg, "deg")
	case dev.Battery != nil:
		add("capacity_kwh", dev.Battery.CapacityKWh, units.KWh)
		add("charge_kw", dev.Battery.ChargeKW, units.KW)
		add("discharge_kw", dev.Battery.DischargeKW, units.KW)
		add("min_soc", dev.Battery.MinSOC, "share")
		add("max_soc", dev.Battery.MaxSOC, "share")
	case dev.HeatPump != nil:
		add("max_kw", dev.HeatPump.MaxKW, units.KW)
		add("cop_nominal", dev.HeatPump.COPNominal, "1")
		add("min_c", dev.HeatPump.MinC, units.DegC)
		add("max_c", dev.HeatPump.MaxC, units.DegC)
		add("resistance_k_per_kw", dev.HeatPump.ResistanceKPerKW, "K/kW")
		add("capacity_kwh_per_k", dev.HeatPump.CapacityKWhPerK, "kWh/K")
		add("gains_kw", dev.HeatPump.GainsKW, units.KW)
	case dev.WaterHeater != nil:
		add("max_kw", dev.WaterHeater.MaxKW, units.KW)
		add("capacity_kwh", dev.WaterHeater.CapacityKWh, units.KWh)
		add("volume_l", dev.WaterHeater.VolumeL, "l")
		add("min_c", dev.WaterHeater.MinC, units.DegC)
		add("max_c", dev.WaterHeater.MaxC, units.DegC)
	case dev.EVCharger != nil:
		add("max_kw", dev.EVCharger.MaxKW, units.KW)
		add("min_kw", dev.EVCharger.MinKW, units.KW)
		add("capacity_kwh", dev.EVCharger.CapacityKWh, units.KWh)
	}
	return out
}

func (s *Server) pauseDevice(ctx context.Context, in *pauseInput) (*struct{ Body DeviceDetail }, error) {
	d, dev, err := s.device(in.DevicePath)
	if err != nil {
		return nil, err
	}
	if s.deps.Overrides == nil || !dev.Control {
		return nil, huma.Error409Conflict(fmt.Sprintf("%s is not controlled by Quartier, so there is nothing to pause", dev.Name))
	}
	p := who(ctx)
	until := s.deps.Now().UTC().Add(time.Duration(in.Body.Minutes * float64(time.Minute)))
	if err := s.deps.Overrides.Pause(ctx, d.ID, in.Site, dev.ID, in.Body.Reason, until, p.user.Name); err != nil {
		return nil, s.broken(ctx, "pausing the device", err)
	}
	object := d.ID + "/" + in.Site + "/" + dev.ID
	s.audit(ctx, p, "device-paused", object, fmt.Sprintf("until %s: %s", until.Format(time.RFC3339), in.Body.Reason), "info")
	detail, err := s.deviceDetail(ctx, d, in.Site, dev)
	if err != nil {
		return nil, s.broken(ctx, "reading the device", err)
	}
	return &struct{ Body DeviceDetail }{detail}, nil
}

func (s *Server) resumeDevice(ctx context.Context, in *resumeInput) (*struct{ Body DeviceDetail }, error) {
	d, dev, err := s.device(in.DevicePath)
	if err != nil {
		return nil, err
	}
	if s.deps.Overrides == nil {
		return nil, huma.Error409Conflict("this Quartier controls nothing")
	}
	p := who(ctx)
	if err := s.deps.Overrides.Resume(ctx, d.ID, in.Site, dev.ID, in.Body.Reason, p.user.Name); err != nil {
		return nil, s.broken(ctx, "resuming the device", err)
	}
	s.audit(ctx, p, "device-resumed", d.ID+"/"+in.Site+"/"+dev.ID, in.Body.Reason, "info")
	detail, err := s.deviceDetail(ctx, d, in.Site, dev)
	if err != nil {
		return nil, s.broken(ctx, "reading the device", err)
	}
	return &struct{ Body DeviceDetail }{detail}, nil
}
