package face

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"sync"
	"time"

	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
)

// Client is who may connect to the Modbus servers, and whether it may make requests. Exactly one of Network, Certificate and Role is set.
type Client struct {
	Network     netip.Prefix // of the server without encryption
	Certificate string       // common name of the client's certificate, of the TLS server
	Role        string       // role in the client's certificate (Modbus/TCP Security), of the TLS server
	Requests    bool
}

// ModbusTLS is how the Modbus server with encryption listens. Any client whose certificate is of an authority in ClientCA may read.
type ModbusTLS struct {
	Listen                      string // host:port, empty: none
	CertFile, KeyFile, ClientCA string // PEM files
}

// config loads the files.
func (t ModbusTLS) config() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("face: modbus certificate: %w", err)
	}
	data, err := os.ReadFile(t.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("face: modbus client authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("face: modbus client authorities: %s holds no certificate", t.ClientCA)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// modbusFace renders values to registers.
type modbusFace struct {
	servers []*serve.Server
	model   *Model
	clients []Client
	asks    *asker

	mu      sync.Mutex
	units   map[uint8]*unit
	updates uint16
	values  map[string]Value // of the last update
}

// unit is one district's registers.
type unit struct {
	face   *modbusFace
	table  serve.Table
	blocks []block
	asks   map[uint16]*Variable // by first register
}

// block is a run of registers without a gap.
type block struct {
	at        uint16
	regs      []uint16
	variables []int // indices of the model, in the order of their registers
}

// maxModbusClients are the places of each server.
const maxModbusClients = 128

func startModbus(cfg Config, m *Model, asks *asker, log *slog.Logger) (*modbusFace, error) {
	f := &modbusFace{model: m, clients: cfg.ModbusClients, asks: asks, units: map[uint8]*unit{}}
	for i := range m.districts {
		f.addUnit(&m.districts[i], cfg.RequestTimeout)
	}
	f.update(nil, time.Time{})
	listen := func(addr string, sc serve.Config) error {
		sc.Log, sc.MaxClients, sc.MaxPerAddress = log, maxModbusClients, maxModbusClients/2
		s, err := serve.Listen(addr, sc)
		if err != nil {
			return err
		}
		f.servers = append(f.servers, s)
		for id, u := range f.units {
			s.Handle(id, u)
		}
		return nil
	}
	if cfg.ModbusListen != "" {
		if err := listen(cfg.ModbusListen, serve.Config{Admit: f.admit}); err != nil {
			return nil, err
		}
	}
	if cfg.ModbusTLS.Listen != "" {
		t, err := cfg.ModbusTLS.config()
		if err == nil {
			err = listen(cfg.ModbusTLS.Listen, serve.Config{TLS: t})
		}
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	return f, nil
}

func (f *modbusFace) close() error {
	var errs []error
	for _, s := range f.servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// admit lets this machine in, and whoever is on the list.
func (f *modbusFace) admit(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return true
	}
	for _, c := range f.clients {
		if c.Network.IsValid() && c.Network.Contains(addr) {
			return true
		}
	}
	return false
}

// mayRequest says whether a client may make requests, and as whom it is recorded.
func (f *modbusFace) mayRequest(c serve.Client) (actor string, ok bool) {
	actor = "modbus " + c.Addr.Addr().String()
	if c.TLS {
		actor = "modbus " + c.Name
	}
	for _, known := range f.clients {
		if !known.Requests {
			continue
		}
		switch {
		case c.TLS && known.Certificate != "" && known.Certificate == c.Name, c.TLS && known.Role != "" && known.Role == c.Role,
			!c.TLS && known.Network.IsValid() && known.Network.Contains(c.Addr.Addr()):
			return actor, true
		}
	}
	return actor, false
}

func (f *modbusFace) addUnit(d *modelDistrict, timeout time.Duration) {
	if d.unit == 0 {
		return
	}
	u := &unit{face: f, asks: map[uint16]*Variable{}}
	head := make([]uint16, valuesAt)
	head[0], head[1], head[2], head[3] = mapMagic>>16, mapMagic&0xFFFF, mapVersion, uint16(min(len(d.slots.Sites), maxSites))
	var length uint16
	for _, q := range districtQuantities {
		length += words(q.long)
	}
	head[4], head[5], head[6], head[7], head[8] = valuesAt, length, hoursAt, Hours, uint16(len(hourlyQuantities))
	head[9], head[10], head[14], head[15] = sitesAt, siteStride, devicesAt, deviceStride
	copy(head[16:], text(d.id, 16))
	copy(head[32:], text(d.name, 32))
	sum := d.slots.checksum()
	head[64], head[65], head[66], head[68], head[69] = uint16(min(len(d.slots.Devices), maxDevices)), requestsAt, uint16(min(timeout.Seconds(), 65535)), uint16(sum>>16), uint16(sum)
	u.publish(0, head)
	for k := range min(len(d.slots.Sites), maxSites) { // places of what is gone read as empty
		u.publish(uint16(sitesAt+siteStride*k), make([]uint16, siteStride))
	}
	for _, s := range d.sites {
		u.publish(uint16(sitesAt+siteStride*s.slot), append(text(s.id, 16), text(s.name, 32)...))
	}
	for k := range min(len(d.slots.Devices), maxDevices) {
		regs := make([]uint16, deviceStride)
		for at := deviceHeading; at < deviceStride; at += 2 {
			encode(regs[at:], math.NaN(), false)
		}
		for _, q := range deviceQuantities {
			encode(regs[q.offset:], math.NaN(), q.long)
		}
		u.publish(uint16(devicesAt+deviceStride*k), regs)
	}
	for _, dev := range d.devices {
		site := uint16(noSite)
		for _, s := range d.sites {
			if s.id == dev.site {
				site = uint16(s.slot)
			}
		}
		u.publish(uint16(devicesAt+deviceStride*dev.slot), append(text(dev.id, 16), kindCodes[dev.kind], site))
	}
	for i := range f.model.Variables {
		v := &f.model.Variables[i]
		if v.UnitID != d.unit {
			continue
		}
		if v.Writable {
			u.asks[v.Register] = v
		}
		if last := len(u.blocks) - 1; last >= 0 && int(u.blocks[last].at)+len(u.blocks[last].regs) == int(v.Register) {
			u.blocks[last].regs = append(u.blocks[last].regs, make([]uint16, words(v.Long))...)
			u.blocks[last].variables = append(u.blocks[last].variables, i)
			continue
		}
		u.blocks = append(u.blocks, block{v.Register, make([]uint16, words(v.Long)), []int{i}})
	}
	f.units[d.unit] = u
}

func (u *unit) publish(at uint16, regs []uint16) {
	u.table.Set(profile.Holding, at, regs...)
	u.table.Set(profile.Input, at, regs...)
}

// Read serves a client.
func (u *unit) Read(t profile.Table, address, quantity uint16) ([]uint16, error) {
	return u.table.Read(t, address, quantity)
}

// Write is never called: WriteFrom takes its place.
func (u *unit) Write(profile.Table, uint16, []uint16) error { return serve.IllegalFunction }

// WriteFrom takes requests: whole ones only, each within its range, and all of them or none.
func (u *unit) WriteFrom(ctx context.Context, c serve.Client, t profile.Table, address uint16, values []uint16) error {
	actor, ok := u.face.mayRequest(c)
	if !ok || u.face.asks.requests == nil {
		return serve.IllegalFunction
	}
	if t != profile.Holding || len(values)%2 != 0 {
		return serve.IllegalAddress
	}
	var asks []Ask
	for i := 0; i < len(values); i += 2 {
		v := u.asks[address+uint16(i)]
		if v == nil {
			return serve.IllegalAddress
		}
		kw := float64(math.Float32frombits(uint32(values[i])<<16 | uint32(values[i+1])))
		asks = append(asks, Ask{Variable: v, Value: kw, Actor: actor, Remote: c.Addr.String()})
	}
	u.face.mu.Lock()
	defer u.face.mu.Unlock()
	switch err := u.face.asks.ask(ctx, asks); {
	case errors.Is(err, ErrRange):
		return serve.IllegalValue
	case errors.Is(err, ErrBusy):
		return serve.DeviceBusy
	case err != nil:
		return serve.DeviceFailure
	}
	u.face.render(u)
	return nil
}

// update writes every value to its registers; now is the time of the update, zero before the first.
func (f *modbusFace) update(values map[string]Value, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.values = values
	if !now.IsZero() {
		f.updates++
	}
	for _, u := range f.units {
		f.render(u)
		if !now.IsZero() {
			seconds := uint32(now.Unix())
			u.publish(11, []uint16{f.updates, uint16(seconds >> 16), uint16(seconds)})
		}
	}
}

// render writes the last values, and the requests that are in force now, to the registers of a unit; mu is held.
func (f *modbusFace) render(u *unit) {
	inForce := f.asks.inForce()
	for _, b := range u.blocks {
		at := 0
		for _, n := range b.variables {
			v := &f.model.Variables[n]
			x := number(f.values, v.Name)
			if v.Writable {
				x = math.NaN()
				if asked, ok := inForce[v.Name]; ok {
					x = asked
				}
			}
			at += encode(b.regs[at:], x, v.Long)
		}
		u.publish(b.at, b.regs)
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
