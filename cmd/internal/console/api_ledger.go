package console

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// SetpointFilter is which lines of the ledger are asked for.
type SetpointFilter struct {
	DistrictPath
	Site    string           `query:"site" maxLength:"100" doc:"empty: all"`
	Device  string           `query:"device" maxLength:"100" doc:"empty: all"`
	Outcome district.Outcome `query:"outcome" enum:",applied,clipped,held,refused,failed,safe_mode" doc:"empty: all"`
}

type setpointsCSVInput struct {
	SetpointFilter
	Start time.Time `query:"start" required:"true"`
	End   time.Time `query:"end" required:"true"`
}

type setpointsInput struct {
	SetpointFilter
	Hours float64 `query:"hours" minimum:"0.25" maximum:"2400" default:"24"`
	Limit int     `query:"limit" minimum:"1" maximum:"2000" default:"200"`
}

type eventsInput struct {
	Days  int `query:"days" minimum:"1" maximum:"400" default:"7"`
	Limit int `query:"limit" minimum:"1" maximum:"2000" default:"200"`
}

func (s *Server) ledgerRoutes() {
	register(s, ViewerAccess, get("list-setpoints", "/api/districts/{district}/setpoints", "ledger", "What was sent to the devices, why, and what became of it; newest first"), s.listSetpoints)
	register(s, ViewerAccess, csvOperation("export-setpoints", "/api/districts/{district}/setpoints.csv", "ledger", "What was sent to the devices, why, and what became of it, the oldest first, as CSV"), s.exportSetpoints)
	register(s, ViewerAccess, get("list-alarms", "/api/districts/{district}/alarms", "ledger", "The alarms that hold now"), s.listAlarms)
	acknowledge := write(http.MethodPost, "acknowledge-alarm", "/api/districts/{district}/alarms/acknowledge", "ledger", "Say that you know of an alarm")
	acknowledge.Errors = []int{http.StatusNotFound, http.StatusConflict}
	register(s, OperatorAccess, acknowledge, s.acknowledgeAlarm)
	register(s, ViewerAccess, get("list-events", "/api/events", "ledger", "Alarms raised and cleared, and the system's diary; newest first"), s.listEvents)
}

func (s *Server) listSetpoints(ctx context.Context, in *setpointsInput) (*struct{ Body []district.Setpoint }, error) {
	if _, err := s.district(in.District); err != nil {
		return nil, err
	}
	now := s.deps.Now()
	sp := timegrid.NewSpan(now.Add(-time.Duration(in.Hours*float64(time.Hour))), now.Add(time.Minute))
	out := []district.Setpoint{}
	if in.Outcome == "" {
		list, err := s.setpoints(ctx, &in.SetpointFilter, sp, in.Limit)
		if err != nil {
			return nil, s.broken(ctx, "reading set-points", err)
		}
		return &struct{ Body []district.Setpoint }{append(out, list...)}, nil
	}
	// how many lines have the outcome is not known before they are read
	for end := sp.End; end.After(sp.Start) && len(out) < in.Limit; end = end.Add(-ledgerPart) {
		part := timegrid.NewSpan(end.Add(-ledgerPart), end)
		if part.Start.Before(sp.Start) {
			part.Start = sp.Start
		}
		list, err := s.setpoints(ctx, &in.SetpointFilter, part, 0)
		if err != nil {
			return nil, s.broken(ctx, "reading set-points", err)
		}
		out = append(out, list[:min(len(list), in.Limit-len(out))]...)
	}
	return &struct{ Body []district.Setpoint }{out}, nil
}

// ledgerPart is how much of the ledger is read at once.
const ledgerPart = 24 * time.Hour

// setpoints returns the lines of a filter in a span, newest first, at most limit before the filter's outcome is looked at; 0: all.
func (s *Server) setpoints(ctx context.Context, f *SetpointFilter, sp timegrid.Span, limit int) ([]district.Setpoint, error) {
	list, err := s.deps.Store.Setpoints(ctx, f.District, f.Site, f.Device, sp, limit)
	if f.Outcome != "" {
		list = slices.DeleteFunc(list, func(l district.Setpoint) bool { return l.Outcome != f.Outcome })
	}
	return list, err
}

func (s *Server) exportSetpoints(ctx context.Context, in *setpointsCSVInput) (*huma.StreamResponse, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	if !in.Start.Before(in.End) || in.End.Sub(in.Start) > 400*24*time.Hour {
		return nil, huma.Error422UnprocessableEntity("start must be before end, and 400 days at most apart")
	}
	name := fmt.Sprintf("setpoints-%s-%s.csv", d.ID, in.Start.In(d.Zone).Format(time.DateOnly))
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		w := csv.NewWriter(attachment(hc, name))
		_ = w.Write([]string{"time", "site", "device", "wanted_kw", "sent_kw", "command", "read_back", "reason", "outcome", "detail", "plan_id"})
		for start := in.Start; start.Before(in.End); start = start.Add(ledgerPart) {
			part := timegrid.NewSpan(start, start.Add(ledgerPart))
			if part.End.After(in.End) {
				part.End = in.End
			}
			list, err := s.setpoints(hc.Context(), &in.SetpointFilter, part, 0)
			if err != nil {
				if hc.Context().Err() == nil {
					s.log.Error("export broke off", "district", d.ID, "err", err)
				}
				panic(http.ErrAbortHandler) // so that the caller sees a broken download and no short file
			}
			for _, l := range slices.Backward(list) {
				_ = w.Write([]string{l.Time.UTC().Format(time.RFC3339Nano), l.Site, l.Device, number(l.WantedKW), number(l.SentKW), l.Command, number(l.ReadBack), l.Reason, string(l.Outcome), l.Detail,
					strconv.FormatInt(l.PlanID, 10)})
			}
			w.Flush()
		}
	}}, nil
}

func (s *Server) listAlarms(ctx context.Context, in *DistrictPath) (*struct{ Body []Alarm }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	alarms, err := s.alarms(ctx, d)
	if err != nil {
		return nil, s.broken(ctx, "reading alarms", err)
	}
	return &struct{ Body []Alarm }{alarms}, nil
}

func (s *Server) listEvents(ctx context.Context, in *eventsInput) (*eventsOutput, error) {
	return s.events(ctx, []store.EventKind{store.AlarmEvent, store.SystemEvent}, in.Days, in.Limit)
}
