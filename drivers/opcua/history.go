package opcua

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/profile"
)

// Bounds of what is fetched from a server's history after an outage.
const (
	historySpan  = 7 * 24 * time.Hour // back from now
	historyTime  = 30 * time.Second   // that it may take; the live values wait for it
	historyPage  = 1000               // values of a node at once
	historyNodes = 10                 // per request
	historyMost  = 200_000            // values of a device
)

// past is one value of the history.
type past struct {
	point *profile.Point
	value value
}

// recall returns what the server recorded of points since the newest value that is known of each, in the order of time. A server without
// history, or with none of a node, is no error; what was read until an error is returned with it.
func (d *Device) recall(ctx context.Context, s *session, points []*profile.Point, since map[*profile.Point]time.Time) ([]past, error) {
	if d.link.access.NoHistory || s.skewed.Load() || s.historyless.Load() {
		return nil, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, historyTime, fmt.Errorf("the history takes longer than %v", historyTime))
	defer cancel()
	now := d.link.config.Now().UTC()
	nodes, err := d.resolve(ctx, s, points)
	if err != nil {
		return nil, err
	}
	var reads []*ua.ReadValueID
	var of []*profile.Point
	for _, p := range points {
		if nodes[p] != nil && !since[p].IsZero() {
			reads, of = append(reads, &ua.ReadValueID{NodeID: nodes[p], AttributeID: ua.AttributeIDUserAccessLevel}), append(of, p)
		}
	}
	levels, err := s.readNodes(ctx, reads)
	if err != nil {
		return nil, err
	}
	byStart := map[time.Time][]*profile.Point{} // one request has one span
	for i, p := range of {
		const historyRead = 1 << 2
		if level, ok := valueOf(levels[i]).(uint8); ok && level&historyRead != 0 {
			from := since[p]
			if oldest := now.Add(-historySpan); from.Before(oldest) {
				from = oldest
			}
			from = from.Truncate(time.Second)
			byStart[from] = append(byStart[from], p)
		}
	}
	var out []past
	var faults []error
	for from, group := range byStart {
		for part := range slices.Chunk(group, historyNodes) {
			if err = d.recallPart(ctx, s, part, nodes, from, now, since, &out); err != nil {
				faults = append(faults, err)
				break
			}
		}
	}
	slices.SortStableFunc(out, func(a, b past) int { return cmp.Compare(a.value.source.UnixNano(), b.value.source.UnixNano()) })
	return out, errors.Join(faults...)
}

// recallPart reads the history of some nodes page by page.
func (d *Device) recallPart(ctx context.Context, s *session, points []*profile.Point, nodes map[*profile.Point]*ua.NodeID, from, to time.Time,
	since map[*profile.Point]time.Time, out *[]past) error {
	details := &ua.ReadRawModifiedDetails{StartTime: from, EndTime: to, NumValuesPerNode: historyPage}
	ids := make([]*ua.HistoryReadValueID, len(points))
	for i, p := range points {
		ids[i] = &ua.HistoryReadValueID{NodeID: nodes[p], DataEncoding: &ua.QualifiedName{}}
	}
	read := func(release bool) (*ua.HistoryReadResponse, error) {
		return ask[*ua.HistoryReadResponse](ctx, s, &ua.HistoryReadRequest{HistoryReadDetails: ua.NewExtensionObject(details), TimestampsToReturn: ua.TimestampsToReturnSource,
			ReleaseContinuationPoints: release, NodesToRead: ids})
	}
	for len(ids) > 0 {
		resp, err := read(false)
		if err != nil {
			return err
		}
		if len(resp.Results) != len(ids) {
			return fmt.Errorf("%w: the history of %d nodes for %d", drivers.ErrGarbage, len(resp.Results), len(ids))
		}
		var more []*ua.HistoryReadValueID
		var rest []*profile.Point
		for i, r := range resp.Results {
			if r == nil || severity(r.StatusCode) == severityBad {
				if r != nil && (r.StatusCode == ua.StatusBadHistoryOperationUnsupported || r.StatusCode == ua.StatusBadServiceUnsupported) {
					s.historyless.Store(true)
				}
				continue
			}
			if r.HistoryData != nil {
				if h, ok := r.HistoryData.Value.(*ua.HistoryData); ok {
					for _, dv := range h.DataValues {
						if dv == nil || !dv.Has(ua.DataValueSourceTimestamp) || !dv.SourceTimestamp.Truncate(tick).After(since[points[i]]) || dv.SourceTimestamp.After(to.Add(maxSkew)) {
							continue
						}
						datum := datumOf(dv)
						if v := datum.decode(points[i], dv.SourceTimestamp.UTC()); v.known && v.refused == nil {
							*out = append(*out, past{points[i], v})
						}
					}
				}
			}
			if len(r.ContinuationPoint) > 0 {
				ids[i].ContinuationPoint = r.ContinuationPoint
				more, rest = append(more, ids[i]), append(rest, points[i])
			}
		}
		ids, points = more, rest
		if len(*out) > historyMost && len(ids) > 0 {
			read(true)
			return fmt.Errorf("the history of the outage has more than %d values, the rest is left out", historyMost)
		}
	}
	return nil
}
