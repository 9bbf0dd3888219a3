package optimizer_test

import (
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/certify"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// FuzzPlan plans random problems whose boxes were squeezed: full and empty stores, powers of zero, windows without width, targets at the edge of reach. Whatever comes out holds what it
// says.
//
//	go test ./optimizer -run '^$' -fuzz FuzzPlan -fuzztime 2m
func FuzzPlan(f *testing.F) {
	for seed := range uint64(24) {
		f.Add(seed, []byte{byte(seed), byte(3 * seed), byte(7 * seed), 255})
	}
	f.Fuzz(func(t *testing.T, seed uint64, bends []byte) {
		p := problemtest.Random(seed, problemtest.Options{MaxSteps: 12, TankByStep: true})
		var devices []problem.Device
		for i := range p.Sites {
			devices = append(devices, p.Sites[i].Devices...)
		}
		for k, b := range bends[:min(len(bends), 16)] {
			if len(devices) > 0 {
				squeeze(devices[(k+int(b))%len(devices)], p, int(b))
			}
		}
		if problem.Validate(p) != nil {
			return
		}
		s, err := optimizer.Plan(t.Context(), p, optimizer.Settings{TimeLimit: 30 * time.Second, Rounds: 8})
		if err != nil {
			t.Fatal(err)
		}
		report := certify.Evaluate(p, s)
		for _, line := range certify.Claims(p, s, &report) {
			text, _ := p.Marshal()
			t.Errorf("%s\n%s", line, text)
		}
	})
}

// squeeze takes the room out of one side of a device's boxes.
func squeeze(d problem.Device, p *problem.Problem, how int) {
	switch d := d.(type) {
	case *problem.PV:
		for t := range d.AvailableKW {
			if (t+how)%2 == 0 {
				d.AvailableKW[t] = 0
			}
		}
	case *problem.Battery:
		switch how % 6 {
		case 0:
			d.MinKWh, d.InitialKWh = d.CapacityKWh, d.CapacityKWh
		case 1:
			d.ChargeKW = 0
		case 2:
			d.DischargeKW = 0
		case 3: // exactly what can be reached
			d.SelfDischargePerHour = 0
			d.FinalMinKWh = min(d.CapacityKWh, d.InitialKWh+float64(p.Steps)*p.Hours()*d.ChargeKW*d.ChargeEfficiency)
		case 4:
			d.CapacityKWh, d.MinKWh, d.InitialKWh, d.FinalMinKWh = 0, 0, 0, 0
		case 5:
			d.FinalMinKWh, d.InitialKWh = d.CapacityKWh, d.CapacityKWh
		}
	case *problem.EV:
		switch how % 4 {
		case 0:
			d.MaxKW, d.MinKW = 0, 0
		case 1:
			d.MinKW = d.MaxKW
		case 2:
			for k := range d.Sessions {
				d.Sessions[k].DepartStep = d.Sessions[k].ArriveStep
			}
		case 3: // exactly what can be reached
			for k := range d.Sessions {
				s := &d.Sessions[k]
				s.TargetKWh = min(d.CapacityKWh, s.InitialKWh+float64(s.DepartStep-s.ArriveStep)*p.Hours()*d.MaxKW*d.ChargeEfficiency)
			}
		}
	case *problem.HeatPump:
		switch how % 5 {
		case 0:
			d.MaxKW, d.MinKW = 0, 0
		case 1:
			d.MinKW = d.MaxKW
		case 2:
			copy(d.Zone.MaxC, d.Zone.MinC)
		case 3:
			d.MinOnSteps, d.MinOffSteps = p.Steps+1, p.Steps+1
		case 4:
			d.InitialOn, d.InitialSteps, d.MinOnSteps = true, 0, 3
		}
	case *problem.WaterHeater:
		switch how % 4 {
		case 0:
			d.CapacityKWh, d.InitialKWh, d.FinalMinKWh = 0, 0, 0
		case 1:
			d.MaxKW, d.MinKW = 0, 0
		case 2:
			d.MinKW = d.MaxKW
		case 3:
			d.InitialKWh = d.CapacityKWh
		}
	case *problem.Shiftable:
		if how%2 == 0 {
			d.LatestStep = d.EarliestStep
		} else {
			clear(d.ProfileKW)
		}
	case *problem.Flexible:
		switch how % 3 {
		case 0:
			d.LatestStep = d.EarliestStep
		case 1:
			d.MaxKW = 0
		case 2: // exactly what can be reached
			d.EnergyKWh = float64(d.LatestStep-d.EarliestStep) * p.Hours() * d.MaxKW
		}
	}
}
