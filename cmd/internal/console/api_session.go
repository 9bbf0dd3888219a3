package console

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/schemas/store"
)

// sessionLife is how long a browser stays signed in.
const sessionLife = 12 * time.Hour

func (s *Server) cookieName() string {
	if s.deps.SecureCookie {
		return "__Host-quartier_session"
	}
	return "quartier_session"
}

// Me is who is signed in and what he may do.
type Me struct {
	Name     string     `json:"name"`
	Role     store.Role `json:"role" enum:"resident,viewer,operator,administrator"`
	District string     `json:"district,omitempty" doc:"a resident's district"`
	Member   string     `json:"member,omitempty" doc:"a resident's member"`
	Language string     `json:"language" enum:"fr,en"`
	CSRF     string     `json:"csrf" doc:"to be sent as X-CSRF-Token with every write"`
	Expires  time.Time  `json:"expires"`
	Version  string     `json:"version"`
	Demo     bool       `json:"demo" doc:"the districts are simulated"`
	Speed    float64    `json:"speed" doc:"seconds of the districts' clock in one second"`
	Features Features   `json:"features"`
}

// Features tells what this server offers beside the rest.
type Features struct {
	Reports   bool `json:"reports"`
	Overrides bool `json:"overrides"`
	Orders    bool `json:"orders"`
}

type meOutput struct {
	SetCookie *http.Cookie `header:"Set-Cookie"`
	Body      Me
}

type signInInput struct {
	Body struct {
		Name     string `json:"name" minLength:"1" maxLength:"100"`
		Password string `json:"password" minLength:"1" maxLength:"512"`
	}
}

type cookieOutput struct {
	SetCookie *http.Cookie `header:"Set-Cookie"`
}

type passwordInput struct {
	Body struct {
		Current string `json:"current" minLength:"1" maxLength:"512"`
		New     string `json:"new" minLength:"1" maxLength:"512"`
	}
}

type languageInput struct {
	Body struct {
		Language string `json:"language" enum:"fr,en"`
	}
}

func (s *Server) sessionRoutes() {
	in := write(http.MethodPost, "sign-in", "/api/session", "session", "Sign in")
	in.Errors = []int{http.StatusUnauthorized, http.StatusTooManyRequests}
	register(s, AnyoneAccess, in, s.signIn)
	register(s, SignedInAccess, get("get-session", "/api/session", "session", "Who is signed in"), s.getSession)
	out := write(http.MethodDelete, "sign-out", "/api/session", "session", "Sign out")
	out.DefaultStatus = http.StatusNoContent
	register(s, SignedInAccess, out, s.signOut)
	password := write(http.MethodPut, "change-password", "/api/session/password", "session", "Change the own password; ends the account's other sessions")
	register(s, SignedInAccess, password, s.changePassword)
	register(s, SignedInAccess, write(http.MethodPut, "change-language", "/api/session/language", "session", "Change the own language"), s.changeLanguage)
}

func (s *Server) me(u store.User, session store.Session) Me {
	lang := u.Language
	if lang != "fr" && lang != "en" {
		lang = "en"
	}
	return Me{Name: u.Name, Role: u.Role, District: u.District, Member: u.Member, Language: lang, CSRF: session.CSRF, Expires: session.ExpiresAt,
		Version: s.deps.Version, Demo: s.deps.Demo, Speed: s.deps.Speed, Features: Features{Reports: s.deps.Reports != nil, Overrides: s.deps.Overrides != nil, Orders: s.deps.Orders != nil}}
}

func (s *Server) signIn(ctx context.Context, in *signInInput) (*meOutput, error) {
	p := who(ctx)
	if wait := s.throttle.begin(in.Body.Name, p.remote, s.wall()); wait > 0 {
		s.metrics.refused.Inc()
		seconds := int(math.Ceil(wait.Seconds()))
		err := huma.NewError(http.StatusTooManyRequests, fmt.Sprintf("too many failed sign-ins; try again in %d s", seconds))
		return nil, huma.ErrorWithHeaders(err, http.Header{"Retry-After": {fmt.Sprint(seconds)}})
	}
	u, err := s.deps.Store.User(ctx, in.Body.Name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, s.broken(ctx, "reading the account", err)
	}
	hash := u.PasswordHash
	if err != nil {
		hash = ""
	}
	ok, verr := s.hasher.verify(ctx, hash, in.Body.Password)
	if verr != nil {
		s.log.Error("password not verified", "user", in.Body.Name, "err", verr)
	}
	if !ok || u.Disabled {
		s.metrics.refused.Inc()
		s.audit(ctx, p, "sign-in-failed", in.Body.Name, "wrong name or password, or disabled", "warning")
		return nil, huma.Error401Unauthorized("name or password is wrong")
	}
	s.throttle.succeed(in.Body.Name, p.remote)
	session, cookie, err := s.newSession(ctx, u.Name)
	if err != nil {
		return nil, s.broken(ctx, "keeping the session", err)
	}
	p.user = u
	s.audit(ctx, p, "sign-in", u.Name, "role "+string(u.Role), "info")
	return &meOutput{SetCookie: cookie, Body: s.me(u, session)}, nil
}

func (s *Server) newSession(ctx context.Context, user string) (store.Session, *http.Cookie, error) {
	token, now := randomToken(), s.wall().UTC()
	session := store.Session{TokenHash: tokenHash(token), User: user, CSRF: randomToken(), CreatedAt: now, ExpiresAt: now.Add(sessionLife)}
	if err := s.deps.Store.SaveSession(ctx, session); err != nil {
		return session, nil, err
	}
	return session, s.cookie(token, int(sessionLife/time.Second)), nil
}

func (s *Server) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: s.cookieName(), Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: s.deps.SecureCookie, SameSite: http.SameSiteLaxMode}
}

func randomToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *Server) getSession(ctx context.Context, _ *struct{}) (*struct{ Body Me }, error) {
	p := who(ctx)
	return &struct{ Body Me }{s.me(p.user, p.session)}, nil
}

func (s *Server) signOut(ctx context.Context, _ *struct{}) (*cookieOutput, error) {
	p := who(ctx)
	if err := s.deps.Store.DeleteSession(ctx, p.session.TokenHash); err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, s.broken(ctx, "ending the session", err)
	}
	s.audit(ctx, p, "sign-out", p.user.Name, "", "info")
	return &cookieOutput{SetCookie: s.cookie("", -1)}, nil
}

func (s *Server) changePassword(ctx context.Context, in *passwordInput) (*meOutput, error) {
	p := who(ctx)
	if wait := s.throttle.begin(p.user.Name, p.remote, s.wall()); wait > 0 {
		return nil, huma.NewError(http.StatusTooManyRequests, fmt.Sprintf("too many wrong passwords; try again in %.0f s", math.Ceil(wait.Seconds())))
	}
	ok, err := s.hasher.verify(ctx, p.user.PasswordHash, in.Body.Current)
	if err != nil {
		s.log.Error("password not verified", "user", p.user.Name, "err", err)
	}
	if !ok {
		s.audit(ctx, p, "password-refused", p.user.Name, "the present password was wrong", "warning")
		return nil, huma.Error422UnprocessableEntity("the present password is wrong", &huma.ErrorDetail{Message: "wrong password", Location: "body.current"})
	}
	s.throttle.succeed(p.user.Name, p.remote)
	if err := CheckNewPassword(p.user.Name, in.Body.New); err != nil {
		return nil, huma.Error422UnprocessableEntity(err.Error(), &huma.ErrorDetail{Message: err.Error(), Location: "body.new"})
	}
	hash, err := s.hasher.hash(ctx, in.Body.New)
	if err != nil {
		return nil, s.broken(ctx, "hashing the password", err)
	}
	u := p.user
	u.PasswordHash = hash
	if err := s.deps.Store.UpdateUser(ctx, u); err != nil {
		return nil, s.broken(ctx, "keeping the password", err)
	}
	if err := s.deps.Store.DeleteSessions(ctx, u.Name); err != nil {
		return nil, s.broken(ctx, "ending the other sessions", err)
	}
	session, cookie, err := s.newSession(ctx, u.Name)
	if err != nil {
		return nil, s.broken(ctx, "keeping the session", err)
	}
	s.audit(ctx, p, "password-changed", u.Name, "by himself", "info")
	return &meOutput{SetCookie: cookie, Body: s.me(u, session)}, nil
}

func (s *Server) changeLanguage(ctx context.Context, in *languageInput) (*struct{ Body Me }, error) {
	p := who(ctx)
	p.user.Language = in.Body.Language
	if err := s.deps.Store.UpdateUser(ctx, p.user); err != nil {
		return nil, s.broken(ctx, "keeping the language", err)
	}
	return &struct{ Body Me }{s.me(p.user, p.session)}, nil
}

// CheckPassword returns the user whose name and password these are, or nil for a wrong one, a disabled account, or one that has to wait after failures. It is for other doors than the console's: they
// share its patience and its bound on passwords hashed at once. remote is the address of the caller, without port.
func (s *Server) CheckPassword(ctx context.Context, name, password, remote string) (*store.User, error) {
	if s.throttle.begin(name, remote, s.wall()) > 0 {
		s.metrics.refused.Inc()
		return nil, nil
	}
	u, err := s.deps.Store.User(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("console: read account %s: %w", name, err)
	}
	hash := u.PasswordHash
	if err != nil {
		hash = ""
	}
	ok, err := s.hasher.verify(ctx, hash, password)
	if err != nil {
		return nil, fmt.Errorf("console: password of %s: %w", name, err)
	}
	if !ok || u.Disabled {
		s.metrics.refused.Inc()
		return nil, nil
	}
	s.throttle.succeed(name, remote)
	return &u, nil
}
