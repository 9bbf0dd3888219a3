package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"quartier/cmd/internal/app"
	"quartier/drivers"
	"quartier/drivers/modbus"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

func deviceCommand() *command {
	return &command{name: "device", does: "Read, write or find one device by its profile, for commissioning.",
		usage: `device profiles
device read --profile NAME --address ADDRESS [--unit N] [--points a,b]
device write --profile NAME --address ADDRESS [--unit N] --point NAME --value V --yes
device scan --address tcp://host:port [--units 1-20]

Values are in the units that 'device read' shows; power is positive into the device.`,
		run: runDevice}
}

type deviceFlags struct {
	profile, address, points, point, units *string
	unit                                   *int
	value                                  *float64
	yes                                    *bool
	timeout                                *time.Duration
}

func runDevice(ctx context.Context, c *call) error {
	f := deviceFlags{
		profile: c.flags.String("profile", "", "`name` of the device type, see 'device profiles'"),
		address: c.flags.String("address", "", "`address`: tcp://host:port or opc.tcp://host:port"),
		unit:    c.flags.Int("unit", 1, "Modbus unit `id`"),
		points:  c.flags.String("points", "", "`names` of the points to read, comma between: all when not given"),
		point:   c.flags.String("point", "", "`name` of the point to write"),
		value:   c.flags.Float64("value", 0, "`value` to write, in the point's unit"),
		units:   c.flags.String("units", "1-20", "unit `ids` to scan, such as 1-20 or 1,3,100"),
		yes:     c.flags.Bool("yes", false, "really write"),
		timeout: c.flags.Duration("timeout", 10*time.Second, "`time` to wait for the device"),
	}
	if err := c.parse(1); err != nil {
		return err
	}
	if len(c.args) == 0 {
		return badInput{errors.New("quartier device: say what to do: profiles, read, write or scan")}
	}
	ctx, cancel := context.WithTimeout(ctx, *f.timeout)
	defer cancel()
	switch c.args[0] {
	case "profiles":
		return listProfiles(c)
	case "read":
		return f.with(c, func(drv drivers.Driver) error { return f.read(ctx, c, drv) })
	case "write":
		if err := c.need("point"); err != nil {
			return err
		}
		return f.with(c, func(drv drivers.Driver) error { return f.write(ctx, c, drv) })
	case "scan":
		return f.scan(ctx, c)
	}
	return badInput{fmt.Errorf("quartier device: unknown action %q: profiles, read, write or scan", c.args[0])}
}

// with opens the device of the flags for one action.
func (f deviceFlags) with(c *call, do func(drivers.Driver) error) error {
	if err := c.need("profile", "address"); err != nil {
		return err
	}
	if *f.unit < 0 || *f.unit > 255 {
		return badInput{fmt.Errorf("quartier device: --unit %d is outside 0 to 255", *f.unit)}
	}
	dev := district.Device{ID: "device", Profile: *f.profile, Address: *f.address, Unit: uint8(*f.unit)}
	p, err := profile.Load(*f.profile)
	if err != nil {
		return badInput{fmt.Errorf("quartier device: %w; 'quartier device profiles' lists them", err)}
	}
	if len(p.Kinds) > 0 {
		dev.Kind = p.Kinds[0]
	}
	all, err := app.Connect([]district.District{{ID: "d", Devices: []district.Device{dev}}}, app.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return badInput{err}
	}
	defer all.Close()
	for _, drv := range all.All {
		err = do(drv)
	}
	var limit *drivers.LimitError
	if errors.Is(err, drivers.ErrUnknownPoint) || errors.Is(err, drivers.ErrReadOnly) || errors.As(err, &limit) {
		return badInput{fmt.Errorf("quartier device: %w", err)}
	}
	return err
}

func (f deviceFlags) read(ctx context.Context, c *call, drv drivers.Driver) error {
	var names []string
	if *f.points != "" {
		names = strings.Split(*f.points, ",")
	}
	got, err := drv.Read(ctx, names...)
	units := map[string]string{}
	for _, p := range drv.Points() {
		units[p.Name] = string(p.Unit)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 4, 2, ' ', 0)
	for _, r := range got {
		fmt.Fprintf(w, "%s\t%g %s\t%s\n", r.Point, r.Value, units[r.Point], r.Quality)
	}
	return errors.Join(w.Flush(), err)
}

func (f deviceFlags) write(ctx context.Context, c *call, drv drivers.Driver) error {
	if !*f.yes {
		fmt.Fprintf(c.stdout, "would write %s = %g; add --yes to do it\n", *f.point, *f.value)
		return nil
	}
	back, err := drv.Write(ctx, *f.point, *f.value)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s written %g, read back %g (%s)\n", *f.point, *f.value, back.Value, back.Quality)
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
	var profiles []*profile.Profile
	for _, name := range profile.Names() {
		if p, err := profile.Load(name); err == nil && p.Protocol == profile.Modbus {
			profiles = append(profiles, p)
		}
	}
	n := 0
	err = modbus.Scan(ctx, *f.address, ids, profiles, modbus.Config{Timeout: 500 * time.Millisecond}, func(u modbus.Found, ok bool) {
		if !ok {
			fmt.Fprintf(c.stderr, "unit %d is silent\n", u.Unit)
			return
		}
		n++
		fmt.Fprintf(c.stdout, "unit %d answers", u.Unit)
		if len(u.SunSpec) > 0 {
			fmt.Fprintf(c.stdout, ", SunSpec models %v", u.SunSpec)
		}
		for i, m := range u.Matches {
			if i == 3 {
				break
			}
			fmt.Fprintf(c.stdout, ", could be %s (%d of %d points)", m.Profile, m.Good, m.Points)
		}
		fmt.Fprintln(c.stdout)
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("no unit answers at %s", *f.address)
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

func listProfiles(c *call) error {
	w := tabwriter.NewWriter(c.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "Profile\tProtocol\tDevice\tState\tSource")
	for _, name := range profile.Names() {
		p, err := profile.Load(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", name, p.Protocol, p.Title, p.State, p.Source.Document)
	}
	return w.Flush()
}
