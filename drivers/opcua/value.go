package opcua

import (
	"fmt"
	"math"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// value is what is known of one node of the device.
type value struct {
	v       float64 // stored unit; NaN when bad
	quality district.Quality
	at      time.Time // when it held: source time, or arrival
	source  time.Time // as the server gave it; zero without
	known   bool
	refused error // the server has no such node, or does not let it be read
}

func (v value) bad() bool { return v.quality == district.Bad }

const (
	severityGood = iota
	severityUncertain
	severityBad
)

// severity is the meaning of the two highest bits of a status; what the specification keeps for later counts as bad.
func severity(s ua.StatusCode) int {
	switch uint32(s) >> 30 {
	case 0:
		return severityGood
	case 1:
		return severityUncertain
	}
	return severityBad
}

// qualityOf is the quality of a status; the low 16 bits, which tell more of the same, are left out.
func qualityOf(s ua.StatusCode) district.Quality {
	switch ua.StatusCode(uint32(s) &^ 0xFFFF) {
	case ua.StatusUncertainSubstituteValue, ua.StatusGoodLocalOverride:
		return district.Substituted
	}
	switch severity(s) {
	case severityGood:
		return district.Good
	case severityUncertain:
		return district.Uncertain
	}
	return district.Bad
}

// refusals are the statuses that say that a node cannot be read at all, unlike those that say that it has no good value now.
func refusal(s ua.StatusCode) bool {
	switch ua.StatusCode(uint32(s) &^ 0xFFFF) {
	case ua.StatusBadNodeIDUnknown, ua.StatusBadNodeIDInvalid, ua.StatusBadAttributeIDInvalid, ua.StatusBadNotReadable, ua.StatusBadUserAccessDenied,
		ua.StatusBadNotSupported, ua.StatusBadIndexRangeInvalid, ua.StatusBadDataEncodingUnsupported:
		return true
	}
	return false
}

// overflowed reports whether the server dropped values of the item before this one, because its queue was full (Part 4, 7.39.1).
func overflowed(s ua.StatusCode) bool {
	const dataValue, overflow = 0x0400, 0x0080
	return uint32(s)&(dataValue|overflow) == dataValue|overflow
}

// datum is what a data value of the server says.
type datum struct {
	known  bool // there is a data value at all
	kind   datumKind
	number float64
	text   string
	status ua.StatusCode
	source time.Time // zero without
}

type datumKind uint8

const (
	datumNone datumKind = iota // nothing, an array or a structure
	datumNumber
	datumText
)

// datumOf is the datum of a data value that the library decoded.
func datumOf(dv *ua.DataValue) datum {
	if dv == nil {
		return datum{}
	}
	d := datum{known: true, status: dv.Status}
	if dv.Has(ua.DataValueSourceTimestamp) {
		d.source = dv.SourceTimestamp
	}
	if dv.Value == nil {
		return d
	}
	if text, ok := dv.Value.Value().(string); ok {
		d.kind, d.text = datumText, text
	} else if n, ok := number(dv.Value); ok {
		d.kind, d.number = datumNumber, n
	}
	return d
}

// decode brings a datum to the stored unit and sign of its point. at is the time to give it.
func (d *datum) decode(pt *profile.Point, at time.Time) value {
	out := value{v: math.NaN(), quality: district.Bad, at: at, source: d.source, known: d.known}
	if !d.known {
		return out
	}
	if refusal(d.status) {
		out.refused = fmt.Errorf("%s: %w: %w", pt.Name, drivers.ErrRejected, d.status)
		return out
	}
	q := qualityOf(d.status)
	if q == district.Bad {
		return out
	}
	var v float64
	var err error
	switch d.kind {
	case datumText:
		v, err = fromText(pt, d.text)
	case datumNumber:
		v, err = pt.FromDevice(d.number)
	default:
		return out
	}
	if err == nil {
		out.v, out.quality = v, q
	}
	return out
}

// number is the value of a scalar number or boolean.
func number(v *ua.Variant) (float64, bool) {
	switch x := v.Value().(type) {
	case float64:
		return x, true
	case float32:
		return float64(x), true
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case int8:
		return float64(x), true
	case uint8:
		return float64(x), true
	case int16:
		return float64(x), true
	case uint16:
		return float64(x), true
	case int32:
		return float64(x), true
	case uint32:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	}
	return 0, false
}

func fromText(pt *profile.Point, text string) (float64, error) {
	for _, s := range pt.States {
		if s.Text == text {
			return s.Is, nil
		}
	}
	if pt.Otherwise != nil {
		return *pt.Otherwise, nil
	}
	return math.NaN(), profile.ErrUnknownCode
}

// encode makes a variant of a node's own type. ok is false when the type is no number or the value does not fit it; step is its resolution.
func encode(t ua.TypeID, raw float64) (v *ua.Variant, step float64, ok bool) {
	n := math.Round(raw)
	within := func(lo, hi float64) bool { return n >= lo && n < hi }
	if math.IsNaN(raw) || math.IsInf(raw, 0) {
		return nil, 0, false
	}
	var x any
	switch {
	case t == ua.TypeIDDouble:
		return ua.MustVariant(raw), 0, true
	case t == ua.TypeIDFloat && math.Abs(raw) <= math.MaxFloat32:
		return ua.MustVariant(float32(raw)), 0, true
	case t == ua.TypeIDBoolean && (n == 0 || n == 1):
		x = n == 1
	case t == ua.TypeIDSByte && within(-1<<7, 1<<7):
		x = int8(n)
	case t == ua.TypeIDByte && within(0, 1<<8):
		x = uint8(n)
	case t == ua.TypeIDInt16 && within(-1<<15, 1<<15):
		x = int16(n)
	case t == ua.TypeIDUint16 && within(0, 1<<16):
		x = uint16(n)
	case t == ua.TypeIDInt32 && within(-1<<31, 1<<31):
		x = int32(n)
	case t == ua.TypeIDUint32 && within(0, 1<<32):
		x = uint32(n)
	case t == ua.TypeIDInt64 && within(-1<<63, 1<<63):
		x = int64(n)
	case t == ua.TypeIDUint64 && within(0, 1<<64):
		x = uint64(n)
	default:
		return nil, 0, false
	}
	return ua.MustVariant(x), 1, true
}
