// Package batch packs rows of the record into one checked run of bytes: the form in which they wait in the outbox and travel from the local
// store to the database.
//
// A packed batch is, in this order: the four bytes "QTB1", the kind (1 byte), the sequence (8 bytes), the number of rows (4 bytes), the payload, and the
// CRC-32C (Castagnoli, RFC 3720) of everything before it (4 bytes). Numbers are little-endian. The payload of samples is a table of series names
// followed by the rows as variable-length integers and 8-byte floats, about 13 bytes a sample; that of the other kinds is JSON, of plans
// compressed by zlib, which once was not so. A batch that was cut, zeroed or changed anywhere does not decode.
package batch

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/order"
	"quartier/schemas/store"
)

// ErrCorrupt is matched by every error of [Decode].
var ErrCorrupt = errors.New("store/batch: corrupt batch")

// Kind is what a batch holds. The numbers are stored.
type Kind uint8

// The kinds of batches.
const (
	OfSamples   Kind = 1
	OfBalances  Kind = 2
	OfPlans     Kind = 3
	OfSetpoints Kind = 4
	OfEvents    Kind = 5
	OfUsers     Kind = 6
	OfCarriers  Kind = 10
	OfFigures   Kind = 11
	OfForecasts Kind = 12
	OfOrders    Kind = 13
	OfOutlooks  Kind = 14
)

// Known reports whether k is one of the kinds of this version.
func (k Kind) Known() bool {
	return k >= OfSamples && k <= OfUsers || k >= OfCarriers && k <= OfOutlooks
}

// String returns the word for messages.
func (k Kind) String() string {
	switch k {
	case OfSamples:
		return "samples"
	case OfBalances:
		return "balances"
	case OfPlans:
		return "plans"
	case OfSetpoints:
		return "set-points"
	case OfEvents:
		return "events"
	case OfUsers:
		return "users"
	case OfCarriers:
		return "carriers"
	case OfFigures:
		return "figures"
	case OfForecasts:
		return "forecast errors"
	case OfOrders:
		return "orders"
	case OfOutlooks:
		return "outlooks"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Batch is rows of one kind in the order in which they were written. Exactly the field of its kind is set.
type Batch struct {
	Seq  int64 // place in the outbox, growing
	Kind Kind

	Samples   Samples
	Balances  []balance.Row
	Plans     []*district.Plan // with their ids
	Setpoints []Setpoint
	Events    []store.Event // with their ids
	Users     []User
	Carriers  []balance.CarrierRow
	Figures   []ledger.Figure
	Forecasts []district.ForecastError
	Orders    []order.Order
	Outlooks  []district.Outlook
}

// Setpoint is a line of the ledger with the id that the store which took it first gave it.
type Setpoint struct {
	ID int64 `json:"id"`
	district.Setpoint
}

// User is an account with its password hash, which [store.User] keeps out of JSON.
type User struct {
	store.User
	PasswordHash string `json:"password_hash"`
}

// Len returns the number of rows.
func (b *Batch) Len() int {
	return len(b.Samples.Rows) + len(b.Balances) + len(b.Plans) + len(b.Setpoints) + len(b.Events) + len(b.Users) + len(b.Figures) + len(b.Carriers) + len(b.Forecasts) + len(b.Orders) + len(b.Outlooks)
}

// Span returns the earliest and the latest time in the batch; zero times without any.
func (b *Batch) Span() (from, to time.Time) {
	seen := false
	add := func(t time.Time) {
		if !seen || t.Before(from) {
			from = t
		}
		if !seen || t.After(to) {
			to = t
		}
		seen = true
	}
	for i := range b.Samples.Rows {
		add(store.FromMicro(b.Samples.Rows[i].Micro))
	}
	for i := range b.Balances {
		add(b.Balances[i].Start)
	}
	for i := range b.Carriers {
		add(b.Carriers[i].Start)
	}
	for _, p := range b.Plans {
		add(p.CreatedAt)
	}
	for i := range b.Setpoints {
		add(b.Setpoints[i].Time)
	}
	for i := range b.Events {
		add(b.Events[i].Time)
	}
	for i := range b.Figures {
		add(b.Figures[i].CreatedAt)
	}
	for i := range b.Forecasts {
		add(b.Forecasts[i].Day)
	}
	for i := range b.Orders {
		add(b.Orders[i].Created)
	}
	for i := range b.Outlooks {
		add(b.Outlooks[i].At)
	}
	return from, to
}

const (
	magic      = "QTB1"
	headerSize = len(magic) + 1 + 8 + 4
	crcSize    = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode packs b. The only errors are numbers that JSON cannot hold.
func Encode(b *Batch) ([]byte, error) {
	out := make([]byte, 0, 64+14*len(b.Samples.Rows))
	out = append(out, magic...)
	out = append(out, byte(b.Kind))
	out = binary.LittleEndian.AppendUint64(out, uint64(b.Seq))
	out = binary.LittleEndian.AppendUint32(out, uint32(b.Len()))
	var err error
	switch b.Kind {
	case OfSamples:
		out = b.Samples.append(out)
	case OfBalances:
		out, err = appendJSON(out, b.Balances)
	case OfPlans:
		var text []byte
		if text, err = json.Marshal(b.Plans); err == nil {
			out = Squeeze(out, text)
		}
	case OfSetpoints:
		out, err = appendJSON(out, b.Setpoints)
	case OfEvents:
		out, err = appendJSON(out, b.Events)
	case OfUsers:
		out, err = appendJSON(out, b.Users)
	case OfCarriers:
		out, err = appendJSON(out, b.Carriers)
	case OfFigures:
		out, err = appendJSON(out, b.Figures)
	case OfForecasts:
		out, err = appendJSON(out, b.Forecasts)
	case OfOrders:
		out, err = appendJSON(out, b.Orders)
	case OfOutlooks:
		out, err = appendJSON(out, b.Outlooks)
	default:
		err = fmt.Errorf("unknown %v", b.Kind)
	}
	if err != nil {
		return nil, fmt.Errorf("store/batch: pack %d %v: %w", b.Len(), b.Kind, err)
	}
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli)), nil
}

func appendJSON(out []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	return append(out, text...), err
}

// Decode unpacks a batch. Every error matches [ErrCorrupt] and says what is wrong.
func Decode(data []byte) (*Batch, error) {
	if len(data) < headerSize+crcSize {
		return nil, fmt.Errorf("%w: %d bytes, fewer than the %d of an empty one", ErrCorrupt, len(data), headerSize+crcSize)
	}
	body, sum := data[:len(data)-crcSize], binary.LittleEndian.Uint32(data[len(data)-crcSize:])
	if got := crc32.Checksum(body, castagnoli); got != sum {
		return nil, fmt.Errorf("%w: checksum %08x, want %08x, over %d bytes", ErrCorrupt, got, sum, len(body))
	}
	if string(body[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: starts with %q, want %q", ErrCorrupt, body[:len(magic)], magic)
	}
	b := &Batch{Kind: Kind(body[4]), Seq: int64(binary.LittleEndian.Uint64(body[5:]))}
	count, payload := int(binary.LittleEndian.Uint32(body[13:])), body[headerSize:]
	var err error
	switch b.Kind {
	case OfSamples:
		b.Samples, err = decodeSamples(payload, count)
	case OfBalances:
		err = json.Unmarshal(payload, &b.Balances)
	case OfPlans:
		var text []byte
		if text, err = Text(payload); err == nil {
			err = json.Unmarshal(text, &b.Plans)
		}
	case OfSetpoints:
		err = json.Unmarshal(payload, &b.Setpoints)
	case OfEvents:
		err = json.Unmarshal(payload, &b.Events)
	case OfUsers:
		err = json.Unmarshal(payload, &b.Users)
	case OfCarriers:
		err = json.Unmarshal(payload, &b.Carriers)
	case OfFigures:
		err = json.Unmarshal(payload, &b.Figures)
	case OfForecasts:
		b.Forecasts, err = decodeForecasts(payload)
	case OfOrders:
		err = json.Unmarshal(payload, &b.Orders)
	case OfOutlooks:
		err = json.Unmarshal(payload, &b.Outlooks)
	default:
		err = fmt.Errorf("unknown %v", b.Kind)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v of sequence %d: %w", ErrCorrupt, b.Kind, b.Seq, err)
	}
	for _, p := range b.Plans {
		if p == nil {
			return nil, fmt.Errorf("%w: an empty plan in sequence %d", ErrCorrupt, b.Seq)
		}
	}
	if b.Len() != count {
		return nil, fmt.Errorf("%w: %d %v in sequence %d, its head says %d", ErrCorrupt, b.Len(), b.Kind, b.Seq, count)
	}
	return b, nil
}

// UserOf returns the account with its password hash in place.
func (u User) UserOf() store.User {
	out := u.User
	out.PasswordHash = u.PasswordHash
	return out
}

// append packs the samples: series names, then rows as the change of series, the change of time, the value and quality with source.
func (s *Samples) append(out []byte) []byte {
	out = binary.AppendUvarint(out, uint64(len(s.Names)))
	for _, name := range s.Names {
		out = binary.AppendUvarint(out, uint64(len(name)))
		out = append(out, name...)
	}
	var series int32
	var micro int64
	for i := range s.Rows {
		r := &s.Rows[i]
		out = binary.AppendVarint(out, int64(r.Series-series))
		out = binary.AppendVarint(out, r.Micro-micro)
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(r.Value))
		out = append(out, r.Flags)
		series, micro = r.Series, r.Micro
	}
	return out
}

// minRow is the fewest bytes of a packed sample: two one-byte changes, the value and the flags.
const minRow = 1 + 1 + 8 + 1

func decodeSamples(in []byte, count int) (Samples, error) {
	names, in, err := uvarint(in)
	if err != nil {
		return Samples{}, fmt.Errorf("number of series: %w", err)
	}
	if names > uint64(len(in)) || uint64(count) > uint64(len(in))/minRow {
		return Samples{}, fmt.Errorf("%d series and %d samples in %d bytes", names, count, len(in))
	}
	s := Samples{Names: make([]district.SeriesID, 0, names), Rows: make([]Row, 0, count)}
	for range names {
		var size uint64
		if size, in, err = uvarint(in); err != nil {
			return Samples{}, fmt.Errorf("length of a series name: %w", err)
		}
		if size > uint64(len(in)) {
			return Samples{}, fmt.Errorf("series name of %d bytes in %d", size, len(in))
		}
		s.Names = append(s.Names, district.SeriesID(in[:size]))
		in = in[size:]
	}
	var f store.Faults
	for _, name := range s.Names {
		f.CheckSeries(name)
	}
	if err := f.Err(); err != nil {
		return Samples{}, err
	}
	var series, micro, change int64
	for i := range count {
		if change, in, err = varint(in); err != nil {
			return Samples{}, fmt.Errorf("series of sample %d: %w", i, err)
		}
		series += change
		if change, in, err = varint(in); err != nil {
			return Samples{}, fmt.Errorf("time of sample %d: %w", i, err)
		}
		micro += change
		if series < 0 || series >= int64(names) {
			return Samples{}, fmt.Errorf("sample %d is of series %d of %d", i, series, names)
		}
		if len(in) < 9 {
			return Samples{}, fmt.Errorf("sample %d is cut off", i)
		}
		value := math.Float64frombits(binary.LittleEndian.Uint64(in))
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return Samples{}, fmt.Errorf("sample %d has value %v", i, value)
		}
		s.Rows = append(s.Rows, Row{Series: int32(series), Micro: micro, Value: value, Flags: in[8]})
		in = in[9:]
	}
	if len(in) != 0 {
		return Samples{}, fmt.Errorf("%d bytes after the last sample", len(in))
	}
	return s, nil
}

var errCut = errors.New("cut off")

func uvarint(in []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(in)
	if n <= 0 {
		return 0, nil, errCut
	}
	return v, in[n:], nil
}

func varint(in []byte) (int64, []byte, error) {
	v, n := binary.Varint(in)
	if n <= 0 {
		return 0, nil, errCut
	}
	return v, in[n:], nil
}
