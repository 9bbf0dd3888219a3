package opcua

import (
	"context"
	"fmt"
	"math"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/command"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// Write sets a point, or sends a command through the control point; see drivers.Driver and package command.
func (d *Device) Write(ctx context.Context, name string, v float64) (drivers.Reading, error) {
	return d.writer.Write(ctx, name, v)
}

// Release gives the device back; see drivers.Releaser.
func (d *Device) Release(ctx context.Context) (drivers.Reading, error) { return d.writer.Release(ctx) }

// port is the device as its commander sees it.
type port struct{ *Device }

func (p port) WritePoint(ctx context.Context, pt *profile.Point, v float64) (drivers.Reading, error) {
	return p.writePoint(ctx, pt, v)
}

func (p port) ReadBack(ctx context.Context, pt *profile.Point, name string, want, tolerance float64) (drivers.Reading, error) {
	return p.readBack(ctx, pt, name, want, tolerance)
}

func (p port) ReadPoints(ctx context.Context, points []*profile.Point) (map[string]float64, error) {
	values, err := p.fetch(ctx, points)
	out := make(map[string]float64, len(values))
	for pt, v := range values {
		if v.known && !v.bad() {
			out[pt.Name] = v.v
		}
	}
	return out, err
}

// writePoint writes one point and reads it back.
func (d *Device) writePoint(ctx context.Context, pt *profile.Point, v float64) (drivers.Reading, error) {
	if err := command.InRange(pt, v); err != nil {
		return drivers.Reading{}, err
	}
	limit := &drivers.LimitError{Point: pt.Name, Value: v, Min: pt.Min, Max: pt.Max, Unit: pt.Unit}
	raw, err := pt.ToDevice(v)
	if err != nil {
		return drivers.Reading{}, fmt.Errorf("%w: %w", limit, err)
	}
	s, err := d.link.current(ctx)
	if err != nil {
		return drivers.Reading{}, err
	}
	nodes, err := d.resolve(ctx, s, []*profile.Point{pt})
	if err != nil {
		return drivers.Reading{}, err
	}
	node := nodes[pt]
	if node == nil {
		return drivers.Reading{}, fmt.Errorf("%s: %w: %s", pt.Name, drivers.ErrRejected, s.missing(pt))
	}
	t, err := s.typeOf(ctx, node)
	if err != nil {
		return drivers.Reading{}, fmt.Errorf("%s: %w", pt.Name, err)
	}
	variant, step, ok := encode(t, raw)
	if !ok {
		return drivers.Reading{}, fmt.Errorf("%w: %g %s as %s does not fit the node's type %s", limit, raw, pt.DeviceUnit, pt.Name, t)
	}
	resp, err := ask[*ua.WriteResponse](ctx, s, &ua.WriteRequest{NodesToWrite: []*ua.WriteValue{{
		NodeID: node, AttributeID: ua.AttributeIDValue,
		Value: &ua.DataValue{EncodingMask: ua.DataValueValue, Value: variant}, // without the mask a server may store nothing and say that all is well
	}}})
	switch {
	case err != nil:
		return drivers.Reading{}, fmt.Errorf("%s: %w", pt.Name, err)
	case len(resp.Results) != 1:
		return drivers.Reading{}, fmt.Errorf("%s: %w: %d results of one write", pt.Name, drivers.ErrGarbage, len(resp.Results))
	case severity(resp.Results[0]) != severityGood:
		return drivers.Reading{}, fmt.Errorf("%s: %w: %w", pt.Name, drivers.ErrRejected, resp.Results[0])
	}
	rawSent, _ := number(variant)
	sent, err := pt.FromDevice(rawSent)
	if err != nil {
		return drivers.Reading{}, err
	}
	if !pt.Readable() {
		return drivers.Reading{Point: pt.Name, Value: sent, Quality: district.Uncertain, Time: d.link.config.Now().UTC()}, nil
	}
	next, err := pt.FromDevice(rawSent + step)
	tolerance := 1e-6 * (1 + math.Abs(sent))
	if err == nil && len(pt.States) == 0 {
		tolerance += math.Abs(next-sent) / 2
	}
	return d.readBack(ctx, pt, pt.Name, sent, tolerance)
}

// typeOf returns the built-in type of a node: that of its value, or of its data type while it has none.
func (s *session) typeOf(ctx context.Context, node *ua.NodeID) (ua.TypeID, error) {
	values, err := s.readNodes(ctx, []*ua.ReadValueID{{NodeID: node}, {NodeID: node, AttributeID: ua.AttributeIDDataType}})
	if err != nil {
		return 0, err
	}
	if refusal(values[1].Status) && refusal(values[0].Status) {
		return 0, fmt.Errorf("%w: %w", drivers.ErrRejected, values[1].Status)
	}
	if dt, ok := valueOf(values[1]).(*ua.NodeID); ok && dt.Namespace() == 0 && dt.IntID() >= 1 && dt.IntID() <= 12 {
		return ua.TypeID(dt.IntID()), nil // Part 6, 5.1.2: a built-in type has the same number as its node
	}
	if v := values[0].Value; v != nil && v.Value() != nil { // a subtype: the value shows what it is built on
		return v.Type(), nil
	}
	return 0, fmt.Errorf("%w: the node tells no type", drivers.ErrRejected)
}

// readBack reads pt until it is within tolerance of want.
func (d *Device) readBack(ctx context.Context, pt *profile.Point, name string, want, tolerance float64) (drivers.Reading, error) {
	return command.ReadBack(ctx, pt, want, tolerance, func(ctx context.Context) (drivers.Reading, error) {
		values, err := d.fetch(ctx, []*profile.Point{pt})
		got := values[pt]
		return drivers.Reading{Point: name, Value: got.v, Quality: got.quality, Time: got.at}, err
	})
}
