package console

import (
	"context"
	"net/http"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

type setpointsInput struct {
	DistrictPath
	Site   string  `query:"site" maxLength:"100" doc:"empty: all"`
	Device string  `query:"device" maxLength:"100" doc:"empty: all"`
	Hours  float64 `query:"hours" minimum:"0.25" maximum:"2400" default:"24"`
	Limit  int     `query:"limit" minimum:"1" maximum:"2000" default:"200"`
}

type eventsInput struct {
	Days  int `query:"days" minimum:"1" maximum:"400" default:"7"`
	Limit int `query:"limit" minimum:"1" maximum:"2000" default:"200"`
}

func (s *Server) ledgerRoutes() {
	register(s, ViewerAccess, get("list-setpoints", "/api/districts/{district}/setpoints", "ledger", "What was sent to the devices, why, and what became of it; newest first"), s.listSetpoints)
	register(s, ViewerAccess, get("list-alarms", "/api/districts/{district}/alarms", "ledger", "The alarms that hold now"), s.listAlarms)
	acknowledge := write(http.MethodPost, "acknowledge-alarm", "/api/districts/{district}/alarms/acknowledge", "ledger", "Say that you know of an alarm")
	acknowledge.Errors = []int{http.StatusNotFound, http.StatusConflict}
	register(s, OperatorAccess, acknowledge, s.acknowledgeAlarm)
	register(s, ViewerAccess, get("list-events", "/api/events", "ledger", "Alarms raised and cleared, and the system's diary; newest first"), s.listEvents)
}

func (s *Server) listSetpoints(ctx context.Context, in *setpointsInput) (*struct{ Body []district.Setpoint }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	now := s.deps.Now()
	sp := timegrid.NewSpan(now.Add(-time.Duration(in.Hours*float64(time.Hour))), now.Add(time.Minute))
	list, err := s.deps.Store.Setpoints(ctx, d.ID, in.Site, in.Device, sp, in.Limit)
	if err != nil {
		return nil, s.broken(ctx, "reading set-points", err)
	}
	return &struct{ Body []district.Setpoint }{append([]district.Setpoint{}, list...)}, nil
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
