package face

import (
	"context"
	"errors"
	"math"
	"time"

	"quartier/schemas/district"
)

// Login is an attempt to sign in to the OPC UA server. Of a certificate, the OPC UA process has checked that it is trusted and that its holder has the key; Name is its common name.
type Login struct {
	Name, Password string
	Certificate    bool
	Remote         string
}

// User is who signed in.
type User struct {
	Name     string
	Requests bool // whether it may make requests
}

// ErrDenied is what [OPCUA.SignIn] returns for a wrong password or an account that may not sign in.
var ErrDenied = errors.New("wrong name or password")

// OPCUA is how the OPC UA server listens, and what it needs of the main process.
type OPCUA struct {
	Listen    string // host:port, empty: none; beyond loopback without Unsecured
	Host      string // name or address under which clients reach it, in its certificate and endpoints; empty: this machine
	PKI       string // folder of its certificate; those of trusted applications are in clients, of users in users below it. Empty: security policy None alone
	URI, Name string // of the application, for a certificate that is made
	Unsecured bool   // security policy None as well, with anonymous users who read
	Anonymous bool   // anonymous users read over secured channels

	SignIn  func(ctx context.Context, l Login) (User, error)
	History func(ctx context.Context, series district.SeriesID, from, to time.Time, limit int) ([]district.Sample, error)
	Now     func() time.Time // the districts' clock; nil: the machine's
	Speed   float64          // by which it is faster than real
}

const (
	historyReach  = 25 * time.Hour // further back the OPC UA process gets nothing
	maxQuestions  = 16             // under way; the OPC UA process asks no more than it has requests
	maxPastValues = 200_000
)

// answerTo answers a question of the OPC UA process, which is not trusted further than its clients are.
func (s *Supervisor) answerTo(ctx context.Context, q *childAsk) (a childAnswer) {
	a.ID = q.ID
	ctx, cancel := context.WithTimeout(ctx, askPeriod)
	defer cancel()
	variable := func(i int) *Variable {
		if i < 0 || i >= len(s.model.Variables) {
			return nil
		}
		return &s.model.Variables[i]
	}
	switch {
	case q.Login != nil:
		if s.opcua.SignIn == nil {
			a.Denied = true
			return a
		}
		u, err := s.opcua.SignIn(ctx, Login{q.Login.Name, q.Login.Password, q.Login.Certificate, q.Remote})
		switch {
		case errors.Is(err, ErrDenied):
			a.Denied = true
		case err != nil:
			a.Error = "sign-in is not possible now"
			s.log.Error("opc ua sign-in", "user", q.Login.Name, "remote", q.Remote, "err", err)
		default:
			a.User, a.Write = u.Name, u.Requests && s.asks.requests != nil
		}
	case q.Write != nil:
		v := variable(q.Write.Index)
		if v == nil || !v.Writable || s.asks.requests == nil {
			a.Error = "no request"
			return a
		}
		value := math.NaN()
		if q.Write.Value != nil {
			value = *q.Write.Value
		}
		err := s.asks.ask(ctx, []Ask{{Variable: v, Value: value, Actor: q.Write.User, Remote: q.Remote}})
		switch {
		case errors.Is(err, ErrRange):
			a.Range = true
		case errors.Is(err, ErrBusy):
			a.Busy = true
		case err != nil:
			a.Error = "the request is not taken"
			s.log.Error("opc ua request", "object", v.Name, "user", q.Write.User, "remote", q.Remote, "err", err)
		}
	case q.History != nil:
		v := variable(q.History.Index)
		if v == nil || v.Series == "" || s.opcua.History == nil {
			a.Error = "no history"
			return a
		}
		from, to := time.Unix(0, q.History.From), time.Unix(0, q.History.To)
		if oldest := s.now().Add(-historyReach); from.Before(oldest) {
			from = oldest
		}
		if !from.Before(to) {
			return a
		}
		samples, err := s.opcua.History(ctx, v.Series, from, to, max(0, min(q.History.Limit, maxPastValues)))
		if err != nil {
			a.Error = "the record does not answer"
			s.log.Error("opc ua history", "series", v.Series, "err", err)
			return a
		}
		for _, x := range samples {
			a.Past = append(a.Past, childSample{x.Time.UnixNano(), x.Value, uint8(x.Quality)})
		}
	default:
		a.Error = "unknown question"
	}
	return a
}

func (s *Supervisor) now() time.Time {
	if s.opcua.Now != nil {
		return s.opcua.Now()
	}
	return time.Now()
}
