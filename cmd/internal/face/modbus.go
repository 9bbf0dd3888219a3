package face

import (
	"log/slog"
	"math"
	"sync"
	"time"

	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
)

// modbusFace renders values to registers.
type modbusFace struct {
	server *serve.Server
	model  *Model

	mu      sync.Mutex
	tables  []*serve.Table // by unit, the first is unit 1
	blocks  [][]block      // of each table
	updates uint16
}

// block is a run of registers without a gap.
type block struct {
	at        uint16
	regs      []uint16
	variables []int // indices of the model, in the order of their registers
}

func startModbus(addr string, m *Model, log *slog.Logger) (*modbusFace, error) {
	f := &modbusFace{model: m}
	at := 0
	for i, d := range m.districts {
		table := &serve.Table{}
		unit := uint8(i + 1)
		head := make([]uint16, valuesAt)
		head[0], head[1], head[2], head[3] = mapMagic>>16, mapMagic&0xFFFF, mapVersion, uint16(len(d.sites))
		var length uint16
		for _, q := range districtQuantities {
			length += words(q.long)
		}
		head[4], head[5], head[6], head[7], head[8] = valuesAt, length, hoursAt, Hours, uint16(len(hourlyQuantities))
		head[9], head[10] = sitesAt, siteStride
		copy(head[16:], text(d.id, 16))
		copy(head[32:], text(d.name, 32))
		publish(table, 0, head)
		for k, s := range d.sites {
			names := make([]uint16, siteStride) // the rest of the place reads as 0
			copy(names, text(s.id, 16))
			copy(names[16:], text(s.name, 32))
			publish(table, uint16(sitesAt+siteStride*k), names)
		}
		var blocks []block
		for ; at < len(m.Variables) && m.Variables[at].UnitID == unit; at++ {
			v := &m.Variables[at]
			if last := len(blocks) - 1; last >= 0 && int(blocks[last].at)+len(blocks[last].regs) == int(v.Register) {
				blocks[last].regs = append(blocks[last].regs, make([]uint16, words(v.Long))...)
				blocks[last].variables = append(blocks[last].variables, at)
				continue
			}
			blocks = append(blocks, block{v.Register, make([]uint16, words(v.Long)), []int{at}})
		}
		f.tables, f.blocks = append(f.tables, table), append(f.blocks, blocks)
	}
	f.update(nil, time.Time{})
	server, err := serve.Listen(addr, serve.Config{Log: log})
	if err != nil {
		return nil, err
	}
	for i, t := range f.tables {
		server.Handle(uint8(i+1), t)
	}
	f.server = server
	return f, nil
}

func publish(t *serve.Table, at uint16, regs []uint16) {
	t.Set(profile.Holding, at, regs...)
	t.Set(profile.Input, at, regs...)
}

// update writes every value to its registers; now is the time of the update, zero before the first.
func (f *modbusFace) update(values map[string]Value, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !now.IsZero() {
		f.updates++
	}
	for i, t := range f.tables {
		for _, b := range f.blocks[i] {
			at := 0
			for _, n := range b.variables {
				v := &f.model.Variables[n]
				at += encode(b.regs[at:], number(values, v.Name), v.Long)
			}
			publish(t, b.at, b.regs)
		}
		if !now.IsZero() {
			seconds := uint32(now.Unix())
			publish(t, 11, []uint16{f.updates, uint16(seconds >> 16), uint16(seconds)})
		}
	}
}

// number is a value to show, NaN when it is not available.
func number(values map[string]Value, name string) float64 {
	v, ok := values[name]
	if !ok || !v.ok() {
		return math.NaN()
	}
	return v.V
}

// encode writes v with the high word first and returns how many registers it took.
func encode(regs []uint16, v float64, long bool) int {
	if long {
		bits := math.Float64bits(v)
		if math.IsNaN(v) {
			bits = 0x7FF8000000000000
		}
		regs[0], regs[1], regs[2], regs[3] = uint16(bits>>48), uint16(bits>>32), uint16(bits>>16), uint16(bits)
		return 4
	}
	bits := math.Float32bits(float32(v))
	if math.IsNaN(v) {
		bits = 0x7FC00000
	}
	regs[0], regs[1] = uint16(bits>>16), uint16(bits)
	return 2
}

// text packs UTF-8 two bytes a register, cut at a character's border so that a NUL ends it.
func text(s string, registers int) []uint16 {
	room := 2*registers - 1
	for len(s) > room {
		cut := room
		for cut > 0 && s[cut]&0xC0 == 0x80 {
			cut--
		}
		s = s[:cut]
	}
	out := make([]uint16, registers)
	for i := range len(s) {
		out[i/2] |= uint16(s[i]) << (8 * (1 - i%2))
	}
	return out
}
