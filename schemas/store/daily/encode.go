package daily

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/units"
)

// version is that of what is kept of a day. A body of another one is summed again.
const version = 2

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged is matched by every error of [Decode].
var errDamaged = errors.New("store/daily: damaged sum")

// Encode packs a day without its key: the version (1 byte), the figures in the order of visit as variable-length integers and 8-byte floats, and the CRC-32C of all that.
func Encode(d *balance.Day) []byte {
	x := *d
	e := encoder{out: make([]byte, 1, 256)}
	e.out[0] = version
	visit(&e, &x)
	return binary.LittleEndian.AppendUint32(e.out, crc32.Checksum(e.out, castagnoli))
}

// Decode unpacks a sum.
func Decode(districtID string, s *Sum) (balance.Day, error) {
	d := balance.Day{CarrierRow: balance.CarrierRow{District: districtID, Site: s.Site, Carrier: s.Carrier, Start: s.Start.UTC(), Step: s.End.Sub(s.Start)}}
	n := len(s.Body) - 4
	if n < 1 || s.Body[0] != version || crc32.Checksum(s.Body[:n], castagnoli) != binary.LittleEndian.Uint32(s.Body[n:]) {
		return d, fmt.Errorf("%w: %d bytes", errDamaged, len(s.Body))
	}
	r := decoder{in: s.Body[1:n]}
	if s.Carrier == balance.Electricity {
		d.Electric = &balance.Electric{}
	}
	visit(&r, &d)
	if r.bad || len(r.in) > 0 {
		return d, fmt.Errorf("%w: its figures do not fill its %d bytes", errDamaged, len(s.Body))
	}
	d.Coverage = d.CoveredHours / d.Step.Hours()
	if e := d.Electric; e != nil {
		e.Total.District, e.Total.Site = d.District, d.Site
		if e.Total.Hours > 0 {
			e.Total.Coverage = e.Total.CoveredHours / e.Total.Hours
		}
	}
	return d, nil
}

// coder reads or writes one figure after the other.
type coder interface {
	integer(v *int64)
	float(v *float64)
}

// visit shows a coder every figure of a day, always in the same order.
func visit(c coder, d *balance.Day) {
	wh(c, &d.DeliveredWh, &d.ExportedWh, &d.GeneratedWh, &d.ConvertedWh, &d.ChargeWh, &d.DischargeWh, &d.ConsumedWh, &d.ResidualWh, &d.DemandWh,
		&d.Netted.DeliveredWh, &d.Netted.ExportedWh, &d.NettedHour.DeliveredWh, &d.NettedHour.ExportedWh)
	whole(c, &d.Slots, &d.Estimated, &d.Sites)
	whole(c, &d.Method)
	floats(c, &d.CoveredHours)
	if d.Electric == nil {
		return
	}
	t, m := &d.Electric.Total, &d.Electric.Match
	w, h := &d.Electric.WithoutCars, &d.Electric.WithoutCarsHour
	wh(c, &w.DeliveredWh, &w.ExportedWh, &h.DeliveredWh, &h.ExportedWh)
	after := t.Start.Sub(d.Start)
	whole(c, &after, &t.Step)
	t.Start = d.Start.Add(after)
	wh(c, &t.ImportWh, &t.ExportWh, &t.ProductionWh, &t.ChargeWh, &t.DischargeWh, &t.HeatWh, &t.CarsWh, &t.OtherWh, &t.ResidualWh, &t.SharedWh, &t.StationResidualWh, &t.MatchedWh)
	floats(c, &t.CostEUR, &t.CarbonKg, &t.BaselineCostEUR, &t.BaselineCarbonKg, &t.CoveredHours, &t.Hours)
	whole(c, &t.Slots, &t.Estimated)
	whole(c, &t.Method)
	substituted := 0
	if t.Substituted {
		substituted = 1
	}
	whole(c, &substituted)
	t.Substituted = substituted != 0
	whole(c, &m.Slots, &m.Consuming, &m.Deficits, &m.Hours, &m.ConsumingHours)
	wh(c, &m.MostProductionWh, &m.MostConsumptionWh, &m.MostImportWh, &m.MostUnstoredWh, &m.MostNetWh, &m.NetWh, &m.PassedWh, &m.MostSurplusWh, &m.MostDeficitWh)
	floats(c, &m.Mismatch, &m.Covered, &m.NetSpread, &m.MostSurplus)
}

func wh(c coder, list ...*units.WattHours) { whole(c, list...) }

func whole[T units.WattHours | int | time.Duration | balance.Method](c coder, list ...*T) {
	for _, p := range list {
		v := int64(*p)
		c.integer(&v)
		*p = T(v)
	}
}

func floats(c coder, list ...*float64) {
	for _, p := range list {
		c.float(p)
	}
}

type encoder struct{ out []byte }

func (e *encoder) integer(v *int64) { e.out = binary.AppendVarint(e.out, *v) }
func (e *encoder) float(v *float64) {
	e.out = binary.LittleEndian.AppendUint64(e.out, math.Float64bits(*v))
}

type decoder struct {
	in  []byte
	bad bool
}

func (d *decoder) integer(v *int64) {
	x, n := binary.Varint(d.in)
	if n <= 0 {
		d.bad, d.in = true, nil
		return
	}
	*v, d.in = x, d.in[n:]
}

func (d *decoder) float(v *float64) {
	if len(d.in) < 8 {
		d.bad, d.in = true, nil
		return
	}
	*v, d.in = math.Float64frombits(binary.LittleEndian.Uint64(d.in)), d.in[8:]
	if math.IsNaN(*v) || math.IsInf(*v, 0) {
		d.bad = true
	}
}
