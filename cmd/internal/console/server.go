package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// Server is the console of one process. Its handler may be served by any [http.Server]; streams end when the server's context or shutdown ends them.
type Server struct {
	deps     Deps
	log      *slog.Logger
	wall     func() time.Time
	hasher   *hasher
	throttle *throttle
	metrics  *metrics
	cache    *cache
	mux      *http.ServeMux
	api      huma.API
	closing  chan struct{}
}

// New returns a console. It starts nothing: everything runs in the requests.
func New(deps Deps) (*Server, error) {
	var errs []error
	if deps.Store == nil {
		errs = append(errs, errors.New("console: no store"))
	}
	if deps.Live == nil {
		errs = append(errs, errors.New("console: no live values"))
	}
	for i := range deps.Districts {
		if deps.Districts[i].Zone == nil {
			errs = append(errs, fmt.Errorf("console: district %q has no time zone", deps.Districts[i].ID))
		}
		if deps.Districts[i].Step <= 0 {
			errs = append(errs, fmt.Errorf("console: district %q has a step of %v", deps.Districts[i].ID, deps.Districts[i].Step))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.PlanLateAfter == 0 {
		deps.PlanLateAfter = 40 * time.Minute
	}
	if deps.Speed == 0 {
		deps.Speed = 1
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Registry == nil {
		deps.Registry = prometheus.NewRegistry()
	}
	if deps.DeviceStatus == nil {
		deps.DeviceStatus = func() []DeviceStatus { return nil }
	}
	if deps.History == nil {
		deps.History = func() HistoryProgress { return HistoryProgress{} }
	}
	m, err := newMetrics(deps.Registry)
	if err != nil {
		return nil, err
	}
	s := &Server{deps: deps, log: deps.Logger, wall: time.Now, hasher: newHasher(), throttle: newThrottle(), metrics: m,
		cache: newCache(), mux: http.NewServeMux(), closing: make(chan struct{})}
	s.routes()
	return s, nil
}

// Close ends the live streams, so that the HTTP server can shut down at once. It must be called once at most.
func (s *Server) Close() { close(s.closing) }

func (s *Server) routes() {
	cfg := huma.DefaultConfig("Quartier", s.deps.Version)
	cfg.CreateHooks = nil // no $schema property in answers
	cfg.DocsPath = ""     // the document alone: the viewer would load from elsewhere
	cfg.SchemasPath = ""  //
	cfg.OpenAPIPath = ""  // served below with our own headers
	cfg.Info.Description = "The energy management system of positive-energy districts. Power kW, energy kWh, times UTC; a missing value is null."
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: s.cookieName(), Description: "given by sign-in"},
		"csrf":    {Type: "apiKey", In: "header", Name: "X-CSRF-Token", Description: "csrf of GET /api/session, on every write"},
	}
	s.api = humago.New(s.mux, cfg)
	s.api.UseMiddleware(s.enforce(s.api))
	s.sessionRoutes()
	s.districtRoutes()
	s.deviceRoutes()
	s.orderRoutes()
	s.dayRoutes()
	s.balanceRoutes()
	s.forecastRoutes()
	s.foreseenRoutes()
	s.ledgerRoutes()
	s.memberRoutes()
	s.userRoutes()
	s.streamRoutes()
	for _, schema := range s.api.OpenAPI().Components.Schemas.Map() {
		neverNull(schema)
	}
	s.mux.HandleFunc("GET /api/openapi.json", s.serveOpenAPI)
	s.mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, http.StatusNotFound, fmt.Sprintf("%s %s is no operation of this API; /api/openapi.json lists them", r.Method, r.URL.Path))
	})
	s.mux.HandleFunc("GET /healthz", s.serveHealth)
	s.mux.Handle("GET /metrics", s.metricsHandler())
	s.mux.Handle("/", webHandler())
}

// neverNull marks the arrays of a schema as never null: every answer makes them empty instead.
func neverNull(schema *huma.Schema) {
	for _, p := range schema.Properties {
		if p.Type == huma.TypeArray {
			p.Nullable = false
		}
	}
	if schema.Type == huma.TypeArray {
		schema.Nullable = false
	}
}

// OpenAPI returns the API's OpenAPI 3.1 document as JSON.
func (s *Server) OpenAPI() ([]byte, error) {
	doc, err := json.MarshalIndent(s.api.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("console: OpenAPI document: %w", err)
	}
	return append(doc, '\n'), nil
}

// Handler returns the handler of everything: the web application at /, the API under /api, /healthz and /metrics.
func (s *Server) Handler() http.Handler {
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.log.Warn("cross-site request refused", "method", r.Method, "path", r.URL.Path, "origin", r.Header.Get("Origin"), "remote", remoteAddress(r))
		writeProblem(w, http.StatusForbidden, "a write must come from the console's own origin")
	}))
	return s.observe(securityHeaders(s.deps.SecureCookie, compress(csrf.Handler(s.mux))))
}

// register adds an operation with its access rule.
func register[I, O any](s *Server, access Access, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	op.Metadata = map[string]any{"access": access}
	op.Extensions = map[string]any{"x-access": string(access)}
	if access != AnyoneAccess {
		need := map[string][]string{"session": {}}
		if !safeMethod(op.Method) {
			need["csrf"] = []string{}
		}
		op.Security = []map[string][]string{need}
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden)
	}
	op.MaxBodyBytes = 64 << 10
	huma.Register(s.api, op, handler)
}

func get(id, path, tag, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Tags: []string{tag}, Summary: summary}
}

func write(method, id, path, tag, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary}
}

// district returns a configured district, or a 404.
func (s *Server) district(id string) (*district.District, error) {
	for i := range s.deps.Districts {
		if s.deps.Districts[i].ID == id {
			return &s.deps.Districts[i], nil
		}
	}
	return nil, huma.Error404NotFound(fmt.Sprintf("there is no district %q", id))
}

// broken logs an error of a dependency and returns what the caller may know of it.
func (s *Server) broken(ctx context.Context, doing string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(ctx.Err(), context.Canceled) {
		return huma.NewError(499, "the caller went away")
	}
	s.log.Error("request failed", "doing", doing, "err", err)
	return huma.Error503ServiceUnavailable(doing + ": the store cannot answer now; the log says why")
}

// audit appends to the audit log. A log that cannot be written does not undo what was done, but is reported.
func (s *Server) audit(ctx context.Context, p principal, action, object, detail, severity string) {
	actor := p.user.Name
	if actor == "" {
		actor = "-"
	}
	e := store.Event{Time: s.deps.Now().UTC(), Kind: store.AuditEvent, Actor: actor, Action: action, Object: object, Detail: detail, Remote: p.remote, Severity: severity}
	if err := s.deps.Store.AppendEvent(context.WithoutCancel(ctx), e); err != nil {
		s.log.Error("audit event not stored", "action", action, "actor", actor, "object", object, "err", err)
	}
}

func (s *Server) serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	doc, err := s.OpenAPI()
	if err != nil {
		writeProblem(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(doc)
}

// serveHealth answers 200 as long as the store takes writes, with no more than a stranger may know.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	status, code := "ok", http.StatusOK
	if err := s.deps.Store.Ping(ctx); err != nil {
		s.log.Error("store does not answer", "err", err)
		status, code = "store unavailable", http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "version": s.deps.Version, "time": s.deps.Now().UTC(), "loading_history": s.deps.History().Loading})
}

func (s *Server) metricsHandler() http.Handler {
	inner := promhttp.HandlerFor(s.deps.Registry, promhttp.HandlerOpts{DisableCompression: true})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(remoteAddress(r)) && (s.deps.MetricsToken == "" || !equal(r.Header.Get("Authorization"), "Bearer "+s.deps.MetricsToken)) {
			writeProblem(w, http.StatusForbidden, "metrics are given to loopback, or to the bearer of the metrics token")
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// today returns the civil day of a district that holds now.
func (s *Server) today(d *district.District) timegrid.Span { return timegrid.Day(s.deps.Now(), d.Zone) }
