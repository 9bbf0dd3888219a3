package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/schemas/district"
)

const (
	streamPath      = "/api/stream"
	streamBeat      = time.Second      // live flows
	streamSlow      = 2 * time.Second  // alarms, plan, history
	streamSession   = 30 * time.Second // between two checks that the account may still read
	streamWriteTime = 10 * time.Second // a reader that takes no bytes for so long is cut off
)

type streamInput struct {
	District string `query:"district" maxLength:"100" doc:"empty: all districts"`
	LastID   string `header:"Last-Event-ID" maxLength:"40" doc:"resumes: what did not change since is not sent again"`
}

// StreamState is the slow part of the live stream, sent when it changes.
type StreamState struct {
	District string     `json:"district"`
	Alarms   []Alarm    `json:"alarms"`
	PlanID   int64      `json:"plan_id" doc:"of the newest plan, 0 without one"`
	Paused   []Override `json:"paused"`
	History  History    `json:"history"`
	Balance  *time.Time `json:"balance_until,omitempty" doc:"end of the newest balance row"`
}

func (s *Server) streamRoutes() {
	op := get("stream", streamPath, "stream", "Live flows every second, alarms, plans and history when they change, as server-sent events")
	op.Description = "Event live carries a LiveView for each district, event state a StreamState for each district. " +
		"Every event has an id; a reader that comes back with Last-Event-ID gets the state again only where it differs. A comment is sent when there is nothing else."
	schemas := s.api.OpenAPI().Components.Schemas
	op.Responses = map[string]*huma.Response{"200": {Description: "the stream", Content: map[string]*huma.MediaType{"text/event-stream": {
		Schema: &huma.Schema{OneOf: []*huma.Schema{schemas.Schema(typeOf[LiveView](), true, ""), schemas.Schema(typeOf[StreamState](), true, "")}}}}}}
	register(s, ViewerAccess, op, s.stream)
}

func (s *Server) stream(ctx context.Context, in *streamInput) (*huma.StreamResponse, error) {
	var ds []*district.District
	if in.District == "" {
		for i := range s.deps.Districts {
			ds = append(ds, &s.deps.Districts[i])
		}
	} else {
		d, err := s.district(in.District)
		if err != nil {
			return nil, err
		}
		ds = append(ds, d)
	}
	p := who(ctx)
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "text/event-stream")
		hc.SetHeader("Cache-Control", "no-store")
		hc.SetHeader("X-Accel-Buffering", "no")
		hc.SetStatus(http.StatusOK)
		w, ok := hc.BodyWriter().(http.ResponseWriter)
		if !ok {
			return
		}
		s.metrics.streams.Inc()
		defer s.metrics.streams.Dec()
		st := &streamer{s: s, w: w, rc: http.NewResponseController(w), districts: ds, states: map[string]string{}, last: in.LastID}
		if err := st.run(hc.Context(), p); err != nil {
			s.log.Debug("stream ended", "user", p.user.Name, "err", err)
		}
	}}, nil
}

// streamer is one open stream.
type streamer struct {
	s         *Server
	w         http.ResponseWriter
	rc        *http.ResponseController
	districts []*district.District
	states    map[string]string // district → state as sent
	last      string            // id of the last state that the reader has
}

func (st *streamer) run(ctx context.Context, p principal) error {
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	if err := st.send("retry: 2000\n\n"); err != nil {
		return err
	}
	var slow, checked time.Time
	for {
		now := time.Now()
		if now.Sub(checked) >= streamSession && !checked.IsZero() {
			u, err := st.s.deps.Store.User(ctx, p.user.Name)
			session, serr := st.s.deps.Store.Session(ctx, p.session.TokenHash)
			if err != nil || serr != nil || !ViewerAccess.allows(u, "", "") || !st.s.wall().Before(session.ExpiresAt) {
				return fmt.Errorf("the account may not read any more")
			}
			checked = now
		} else if checked.IsZero() {
			checked = now
		}
		if err := st.live(ctx); err != nil {
			return err
		}
		if now.Sub(slow) >= streamSlow {
			slow = now
			if err := st.state(ctx); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-st.s.closing:
			return nil
		case <-beat.C:
		}
	}
}

func (st *streamer) send(text string) error {
	if err := st.rc.SetWriteDeadline(time.Now().Add(streamWriteTime)); err != nil {
		return err
	}
	if _, err := st.w.Write([]byte(text)); err != nil {
		return err
	}
	return st.rc.Flush()
}

func (st *streamer) live(ctx context.Context) error {
	for _, d := range st.districts {
		view, err := cached(st.s.cache, "live/"+d.ID, streamBeat*8/10, func() ([]byte, error) { return json.Marshal(st.s.live(d)) })
		if err != nil {
			return err
		}
		if err := st.send("event: live\ndata: " + string(view) + "\n\n"); err != nil {
			return err
		}
	}
	if len(st.districts) == 0 {
		return st.send(": nothing to tell\n\n")
	}
	return ctx.Err()
}

// state sends the slow part of every district where it changed. The id is a hash of all states, so that a reader that comes back with it needs none.
func (st *streamer) state(ctx context.Context) error {
	changed := map[string]string{}
	all := ""
	for _, d := range st.districts {
		text, err := cached(st.s.cache, "state/"+d.ID, streamSlow/2, func() (string, error) { return st.s.streamState(ctx, d) })
		if err != nil {
			st.s.log.Warn("live state not read", "district", d.ID, "err", err)
			text = st.states[d.ID]
		}
		all += text
		if text != "" && st.states[d.ID] != text {
			changed[d.ID] = text
		}
	}
	id := tokenHash(all)[:16]
	for _, d := range st.districts {
		if text, ok := changed[d.ID]; ok {
			st.states[d.ID] = text
			if id == st.last {
				continue
			}
			if err := st.send("id: " + id + "\nevent: state\ndata: " + text + "\n\n"); err != nil {
				return err
			}
		}
	}
	st.last = id
	return nil
}

func (s *Server) streamState(ctx context.Context, d *district.District) (string, error) {
	out := StreamState{District: d.ID, Paused: s.paused(d.ID), History: s.history()}
	var err error
	if out.Alarms, err = s.alarms(ctx, d); err != nil {
		return "", err
	}
	plan, err := s.planOrNil(ctx, d.ID)
	if err != nil {
		return "", err
	}
	if plan != nil {
		out.PlanID = plan.ID
	}
	if sp, err := cached(s.cache, "span/"+d.ID, 5*time.Second, func() (time.Time, error) {
		sp, err := s.deps.Store.BalanceSpan(context.WithoutCancel(ctx), d.ID)
		return sp.End, err
	}); err == nil {
		out.Balance = &sp
	}
	text, err := json.Marshal(out)
	return string(text), err
}
