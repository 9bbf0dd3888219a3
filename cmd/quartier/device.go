package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus"
	"quartier/drivers/opcua"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

func deviceCommand() *command {
	return &command{name: "device", does: "Read, write or find one device by its profile, for commissioning.",
		usage: `device profiles [NAME]
quartier device check FILE|FOLDER...
quartier device read --profile NAME|FILE --address ADDRESS [--unit N] [--points a,b]
quartier device write --profile NAME|FILE --address ADDRESS [--unit N] --point NAME --value V [--yes]
quartier device scan --address tcp://host:port [--units 1-20] [--profile FILE|FOLDER]
quartier device scan --address opc.tcp://host:port [--policy P] [--user NAME --password-file FILE]
quartier device trust [list|own|accept THUMBPRINT|reject THUMBPRINT|add FILE] [--pki FOLDER]

A profile is one of those that 'device profiles' lists, or the path of your own file, which ends in
.yaml: 'device profiles NAME' prints one to begin with, 'device check' tells every fault of yours.
A scan tries your own profile beside the built-in ones.

An address of Modbus is tcp://host:port, modbus+tls://host:port, udp://host:port,
rtuovertcp://host:port or rtu:///dev/ttyUSB0?baud=9600&parity=even; of OPC UA opc.tcp://host:port.
Behind TLS --ca, --cert, --key and --server-name say which certificates to use. Values are in the
units that 'device read' shows; power is positive into the device. Without --yes a write is only
checked and shown. A scan of an OPC UA server shows how it may be entered and the tree of its nodes.

An OPC UA server elsewhere is entered with encryption when its certificate is trusted: 'device
trust' lists the servers that were turned away, and accepts one by its thumbprint or the begin of
it. The folder of certificates is that of the configuration, pki in its data_dir. Building systems that
were turned away by Quartier's own OPC UA server are listed and accepted with --pki DATA_DIR/pki/clients.
Exit: 1 when the device does not answer, 2 for an unknown profile or point.`,
		run: runDevice}
}

type deviceFlags struct {
	profile, address, points, point, units *string
	unit                                   *int
	value                                  *string
	yes                                    *bool
	tls                                    district.TLSFiles
	timeout                                *time.Duration
	opcua                                  opcuaFlags
}

func runDevice(ctx context.Context, c *call) error {
	f := deviceFlags{
		profile: c.flags.String("profile", "", "`name` of the device type, see 'device profiles', or path of your own"),
		address: c.flags.String("address", "", "`address` of the device"),
		unit:    c.flags.Int("unit", 1, "Modbus unit `id`"),
		points:  c.flags.String("points", "", "`names` of the points to read, comma between: all when not given"),
		point:   c.flags.String("point", "", "`name` of the point to write"),
		value:   c.flags.String("value", "", "`number` to write, in the point's unit"),
		units:   c.flags.String("units", "1-20", "unit `ids` to scan, such as 1-20 or 1,3,100"),
		yes:     c.flags.Bool("yes", false, "really write"),
		timeout: c.flags.Duration("timeout", 10*time.Second, "`time` to wait for the device; for each unit of a scan, and 500ms there when not given"),
		opcua:   newOPCUAFlags(c),
	}
	c.flags.StringVar(&f.tls.CAFile, "ca", "", "PEM `file` of the authorities that sign devices' certificates")
	c.flags.StringVar(&f.tls.CertFile, "cert", "", "PEM `file` of our certificate")
	c.flags.StringVar(&f.tls.KeyFile, "key", "", "PEM `file` of its private key")
	c.flags.StringVar(&f.tls.ServerName, "server-name", "", "`name` that the device's certificate is for, when it is not the host of the address")
	if err := c.parse(maxFiles); err != nil {
		return err
	}
	if *f.timeout <= 0 {
		return badInput{fmt.Errorf("quartier device: --timeout %v is not above 0", *f.timeout)}
	}
	if len(c.args) == 0 {
		return badInput{errors.New("quartier device: say what to do: profiles, check, read, write, scan or trust\nRun 'quartier device -h' for its options")}
	}
	if most := map[string]int{"check": maxFiles, "profiles": 2, "trust": 3}[c.args[0]]; len(c.args) > max(most, 1) {
		return badInput{fmt.Errorf("quartier device: unexpected argument %q\nRun 'quartier device -h' for its options", c.args[max(most, 1)])}
	}
	switch c.args[0] {
	case "profiles":
		return listProfiles(c)
	case "check":
		return checkProfiles(c, c.args[1:])
	case "trust":
		return f.opcua.trust(c, c.args[1:])
	case "read":
		return f.with(ctx, c, func(ctx context.Context, drv drivers.Driver) error { return f.read(ctx, c, drv) })
	case "write":
		if err := c.need("point", "value"); err != nil {
			return err
		}
		v, err := strconv.ParseFloat(*f.value, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return badInput{fmt.Errorf("quartier device: --value %q is no finite number", *f.value)}
		}
		return f.with(ctx, c, func(ctx context.Context, drv drivers.Driver) error { return f.write(ctx, c, drv, v) })
	case "scan":
		if strings.HasPrefix(*f.address, "opc.tcp://") {
			ctx, cancel := context.WithTimeout(ctx, max(*f.timeout, time.Minute))
			defer cancel()
			return f.opcua.scan(ctx, c, *f.address)
		}
		return f.scan(ctx, c)
	}
	return badInput{fmt.Errorf("quartier device: unknown action %q: profiles, check, read, write, scan or trust", c.args[0])}
}

// maxFiles is how many files one call checks.
const maxFiles = 1000

// with opens the device of the flags for one action.
func (f deviceFlags) with(ctx context.Context, c *call, do func(context.Context, drivers.Driver) error) error {
	if err := c.need("profile", "address"); err != nil {
		return err
	}
	if *f.unit < 0 || *f.unit > 255 {
		return badInput{fmt.Errorf("quartier device: --unit %d is outside 0 to 255", *f.unit)}
	}
	p, err := profile.Load(*f.profile)
	if err != nil {
		if profile.IsFile(*f.profile) {
			return badInput{err}
		}
		return badInput{fmt.Errorf("quartier device: %w; 'quartier device profiles' lists them", err)}
	}
	drv, err := f.open(p, f.at(p, uint8(*f.unit)))
	if err != nil {
		return badInput{fmt.Errorf("quartier device: %w", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, *f.timeout)
	defer cancel()
	err = do(ctx, drv)
	if closed := drv.Close(); err == nil {
		err = closed
	}
	var limit *drivers.LimitError
	if errors.Is(err, drivers.ErrUnknownPoint) || errors.Is(err, drivers.ErrReadOnly) || errors.As(err, &limit) {
		return badInput{fmt.Errorf("quartier device: %w", err)}
	}
	return err
}

// at is the device of the flags.
func (f deviceFlags) at(p *profile.Profile, unit uint8) district.Device {
	dev := district.Device{ID: p.Name, Profile: p.Name, Address: *f.address, Unit: unit}
	if len(p.Kinds) > 0 {
		dev.Kind = p.Kinds[0]
	}
	if f.tls != (district.TLSFiles{}) {
		dev.TLS = &f.tls
	}
	return dev
}

// open makes the driver of one device; nothing is dialled before the first read.
func (f deviceFlags) open(p *profile.Profile, dev district.Device) (drivers.Driver, error) {
	opc := strings.HasPrefix(dev.Address, "opc.tcp://")
	switch {
	case p.Protocol == profile.Modbus && !opc:
		if err := modbus.CheckTLS(dev.Address, dev.TLS, time.Now()); err != nil {
			return nil, err
		}
		return modbus.Open(dev, p, modbus.Config{})
	case p.Protocol != profile.Modbus && opc:
		access, config, err := f.opcua.access(dev.Address)
		if err != nil {
			return nil, err
		}
		return opcua.Open(dev, p, access, config)
	}
	want := "opc.tcp://host:port"
	if p.Protocol == profile.Modbus {
		want = "tcp://host:port or another address of Modbus"
	}
	return nil, fmt.Errorf("address %q: profile %s speaks %s, want %s", dev.Address, p.Name, p.Protocol, want)
}

func (f deviceFlags) read(ctx context.Context, c *call, drv drivers.Driver) error {
	var names []string
	for name := range strings.SplitSeq(*f.points, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	got, err := drv.Read(ctx, names...)
	w := tabwriter.NewWriter(c.stdout, 0, 4, 2, ' ', 0)
	for _, r := range got {
		p, _ := pointOf(drv, r.Point)
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.Point, valueText(r, p), r.Quality)
	}
	return errors.Join(w.Flush(), err)
}

// pointOf returns a point of a device by its name.
func pointOf(drv drivers.Driver, name string) (drivers.Point, bool) {
	for _, p := range drv.Points() {
		if p.Name == name {
			return p, true
		}
	}
	return drivers.Point{}, false
}

// valueText writes a reading with its unit, to the seven digits that a device's 32-bit number holds, or "-" where the device gave no number.
func valueText(r drivers.Reading, p drivers.Point) string {
	if math.IsNaN(r.Value) {
		return "-"
	}
	if p.Form == district.Counter { // counts on to more digits than a gauge has
		return strings.TrimSpace(fmt.Sprintf("%.12g %s", r.Value, p.Unit))
	}
	return strings.TrimSpace(fmt.Sprintf("%.7g %s", r.Value, p.Unit))
}

func (f deviceFlags) write(ctx context.Context, c *call, drv drivers.Driver, v float64) error {
	p, ok := pointOf(drv, *f.point)
	if !ok {
		var can []string
		for _, p := range drv.Points() {
			if p.Writable {
				can = append(can, p.Name)
			}
		}
		hint := "; none of its points can be written"
		if len(can) > 0 {
			hint = "; these can be written: " + strings.Join(can, ", ")
		}
		return fmt.Errorf("profile %s: %w %q%s", *f.profile, drivers.ErrUnknownPoint, *f.point, hint)
	}
	if !p.Writable {
		return fmt.Errorf("profile %s: %s: %w", *f.profile, p.Name, drivers.ErrReadOnly)
	}
	if v < p.Min || v > p.Max {
		return &drivers.LimitError{Point: p.Name, Value: v, Min: p.Min, Max: p.Max, Unit: p.Unit}
	}
	if prof, err := profile.Load(*f.profile); err == nil && prof.Control != nil && prof.Control.Point == p.Name && !prof.Control.Allows(v) {
		ctl := prof.Control // between the pause and the least command
		return &drivers.LimitError{Point: p.Name, Value: v, Min: ctl.Min, Max: ctl.Max, Unit: p.Unit}
	}
	before := "which cannot be read"
	if p.Readable {
		got, err := drv.Read(ctx, p.Name)
		if err != nil {
			return err
		}
		for _, r := range got {
			before = "now " + valueText(r, p)
		}
	}
	fmt.Fprintf(c.stdout, "%s, %s\n", p.Name, before)
	if !*f.yes {
		fmt.Fprintf(c.stdout, "would write %g %s; add --yes to do it\n", v, p.Unit)
		return nil
	}
	back, err := drv.Write(ctx, p.Name, v)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "written %g %s, read back %s (%s)\n", v, p.Unit, valueText(back, p), back.Quality)
	return nil
}

func (f deviceFlags) scan(ctx context.Context, c *call) error {
	if err := c.need("address"); err != nil {
		return err
	}
	ids, err := parseUnits(*f.units)
	if err != nil {
		return badInput{fmt.Errorf("quartier device: --units: %w", err)}
	}
	dev := f.at(&profile.Profile{Name: "scan"}, 0)
	if err := modbus.CheckTLS(dev.Address, dev.TLS, time.Now()); err != nil {
		return badInput{fmt.Errorf("quartier device: scan: %w", err)}
	}
	if err := modbus.Reach(ctx, dev); err != nil { // tells at once when nothing listens there, before its units are asked one by one
		return fmt.Errorf("scan: %w", err)
	}
	names := profile.Names()
	mine := map[string]bool{} // shown before the built-in ones
	if *f.profile != "" {
		own, err := profileFiles(*f.profile)
		if err != nil {
			return badInput{fmt.Errorf("quartier device: scan: --profile: %w", err)}
		}
		names = append(own, names...)
	}
	var profiles []*profile.Profile
	for _, name := range names {
		p, err := profile.Load(name)
		if err != nil {
			return badInput{err}
		}
		mine[p.Name] = mine[p.Name] || profile.IsFile(name)
		if p.Protocol == profile.Modbus {
			profiles = append(profiles, p)
		}
	}
	perUnit := 500 * time.Millisecond
	c.flags.Visit(func(set *flag.Flag) {
		if set.Name == "timeout" {
			perUnit = *f.timeout
		}
	})
	n := 0
	err = modbus.Scan(ctx, dev, ids, profiles, modbus.Config{Timeout: perUnit}, func(u modbus.Found, ok bool) {
		if !ok {
			fmt.Fprintf(c.stderr, "unit %d: no answer\n", u.Unit)
			return
		}
		n++
		fmt.Fprintf(c.stdout, "unit %d answers", u.Unit)
		if len(u.SunSpec) > 0 {
			fmt.Fprintf(c.stdout, ", SunSpec models %v", u.SunSpec)
		}
		slices.SortStableFunc(u.Matches, func(a, b modbus.Match) int {
			if mine[a.Profile] != mine[b.Profile] {
				return map[bool]int{true: -1, false: 1}[mine[a.Profile]]
			}
			return cmp.Compare(b.Fit(), a.Fit())
		})
		for _, m := range u.Matches[:min(3, len(u.Matches))] {
			fmt.Fprintf(c.stdout, ", could be %s (%d of %d points)", m.Profile, m.Good, m.Points)
		}
		fmt.Fprintln(c.stdout)
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("%s takes connections, but no unit of %s answers as a Modbus device", *f.address, *f.units)
	}
	return err
}

// parseUnits reads "1-20" or "1,3,100".
func parseUnits(text string) ([]uint8, error) {
	var out []uint8
	for _, part := range strings.Split(text, ",") {
		from, to, ok := strings.Cut(part, "-")
		if !ok {
			to = from
		}
		a, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 8)
		b, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 8)
		if err1 != nil || err2 != nil || a > b {
			return nil, fmt.Errorf("%q is no unit id and no range such as 1-20", part)
		}
		for u := a; u <= b; u++ {
			out = append(out, uint8(u))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
