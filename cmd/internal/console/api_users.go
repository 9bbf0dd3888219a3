package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

type usersOutput struct{ Body []store.User }

// UserFields are what an administrator sets of an account.
type UserFields struct {
	Role     store.Role `json:"role" enum:"resident,viewer,operator,administrator"`
	District string     `json:"district,omitempty" maxLength:"100" doc:"a resident's district"`
	Member   string     `json:"member,omitempty" maxLength:"100" doc:"a resident's member"`
	Language string     `json:"language" enum:"fr,en"`
}

// NewUser is an account to be made.
type NewUser struct {
	Name     string `json:"name" pattern:"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$" patternDescription:"letters, digits, and . _ @ -"`
	Password string `json:"password" minLength:"1" maxLength:"512"`
	UserFields
}

// UserUpdate replaces what an administrator sets of an account.
type UserUpdate struct {
	UserFields
	Disabled bool `json:"disabled"`
}

type createUserInput struct{ Body NewUser }

type updateUserInput struct {
	Name string `path:"name"`
	Body UserUpdate
}

type setPasswordInput struct {
	Name string `path:"name"`
	Body struct {
		Password string `json:"password" minLength:"1" maxLength:"512"`
	}
}

type userOutput struct{ Body store.User }

func (s *Server) userRoutes() {
	register(s, AdministratorAccess, get("list-users", "/api/users", "users", "All accounts"), s.listUsers)
	create := write(http.MethodPost, "create-user", "/api/users", "users", "Make an account")
	create.DefaultStatus = http.StatusCreated
	create.Errors = []int{http.StatusConflict}
	register(s, AdministratorAccess, create, s.createUser)
	update := write(http.MethodPut, "update-user", "/api/users/{name}", "users", "Change role, language or state of an account; disabling it ends its sessions")
	update.Errors = []int{http.StatusNotFound, http.StatusConflict}
	register(s, AdministratorAccess, update, s.updateUser)
	password := write(http.MethodPut, "set-user-password", "/api/users/{name}/password", "users", "Set the password of an account and end its sessions")
	password.DefaultStatus = http.StatusNoContent
	password.Errors = []int{http.StatusNotFound}
	register(s, AdministratorAccess, password, s.setPassword)
	register(s, AdministratorAccess, get("list-audit", "/api/audit", "users", "The audit log, newest first"), s.listAudit)
}

func (s *Server) listUsers(ctx context.Context, _ *struct{}) (*usersOutput, error) {
	users, err := s.deps.Store.Users(ctx)
	if err != nil {
		return nil, s.broken(ctx, "listing accounts", err)
	}
	return &usersOutput{append([]store.User{}, users...)}, nil
}

// checkFields returns every fault of an account's fields at once.
func (s *Server) checkFields(f *UserFields) []error {
	if f.Role != store.Resident {
		if f.District != "" || f.Member != "" {
			return []error{&huma.ErrorDetail{Message: "only a resident belongs to a member", Location: "body.member"}}
		}
		return nil
	}
	d, err := s.district(f.District)
	if err != nil {
		return []error{&huma.ErrorDetail{Message: "a resident needs a district that exists", Location: "body.district", Value: f.District}}
	}
	if d.Member(f.Member) == nil {
		return []error{&huma.ErrorDetail{Message: "district " + d.ID + " has no such member", Location: "body.member", Value: f.Member}}
	}
	return nil
}

func (s *Server) createUser(ctx context.Context, in *createUserInput) (*userOutput, error) {
	errs := s.checkFields(&in.Body.UserFields)
	if err := CheckNewPassword(in.Body.Name, in.Body.Password); err != nil {
		errs = append(errs, &huma.ErrorDetail{Message: err.Error(), Location: "body.password"})
	}
	if len(errs) > 0 {
		return nil, huma.Error422UnprocessableEntity("the account has faults", errs...)
	}
	hash, err := s.hasher.hash(ctx, in.Body.Password)
	if err != nil {
		return nil, s.broken(ctx, "hashing the password", err)
	}
	u := store.User{Name: in.Body.Name, PasswordHash: hash, Role: in.Body.Role, District: in.Body.District, Member: in.Body.Member,
		Language: in.Body.Language, CreatedAt: s.wall().UTC()}
	if err := s.deps.Store.CreateUser(ctx, u); errors.Is(err, store.ErrExists) {
		return nil, huma.Error409Conflict(fmt.Sprintf("there is an account %q already", u.Name))
	} else if err != nil {
		return nil, s.broken(ctx, "making the account", err)
	}
	s.audit(ctx, who(ctx), "user-created", u.Name, describeUser(u), "info")
	return &userOutput{u}, nil
}

func describeUser(u store.User) string {
	text := "role " + string(u.Role)
	if u.Role == store.Resident {
		text += " of " + u.District + "/" + u.Member
	}
	if u.Disabled {
		text += ", disabled"
	}
	return text
}

func (s *Server) user(ctx context.Context, name string) (store.User, error) {
	u, err := s.deps.Store.User(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return u, huma.Error404NotFound(fmt.Sprintf("there is no account %q", name))
	} else if err != nil {
		return u, s.broken(ctx, "reading the account", err)
	}
	return u, nil
}

func (s *Server) updateUser(ctx context.Context, in *updateUserInput) (*userOutput, error) {
	u, err := s.user(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if errs := s.checkFields(&in.Body.UserFields); len(errs) > 0 {
		return nil, huma.Error422UnprocessableEntity("the account has faults", errs...)
	}
	p := who(ctx)
	if u.Name == p.user.Name && (in.Body.Disabled || in.Body.Role != store.Administrator) {
		return nil, huma.Error409Conflict("you cannot take administration from your own account; another administrator can")
	}
	was := describeUser(u)
	u.Role, u.District, u.Member, u.Language, u.Disabled = in.Body.Role, in.Body.District, in.Body.Member, in.Body.Language, in.Body.Disabled
	if err := s.deps.Store.UpdateUser(ctx, u); err != nil {
		return nil, s.broken(ctx, "changing the account", err)
	}
	if u.Disabled {
		if err := s.deps.Store.DeleteSessions(ctx, u.Name); err != nil {
			return nil, s.broken(ctx, "ending the account's sessions", err)
		}
	}
	s.audit(ctx, p, "user-changed", u.Name, was+" became "+describeUser(u), "info")
	return &userOutput{u}, nil
}

func (s *Server) setPassword(ctx context.Context, in *setPasswordInput) (*struct{}, error) {
	u, err := s.user(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if err := CheckNewPassword(u.Name, in.Body.Password); err != nil {
		return nil, huma.Error422UnprocessableEntity(err.Error(), &huma.ErrorDetail{Message: err.Error(), Location: "body.password"})
	}
	if u.PasswordHash, err = s.hasher.hash(ctx, in.Body.Password); err != nil {
		return nil, s.broken(ctx, "hashing the password", err)
	}
	if err := s.deps.Store.UpdateUser(ctx, u); err != nil {
		return nil, s.broken(ctx, "keeping the password", err)
	}
	if err := s.deps.Store.DeleteSessions(ctx, u.Name); err != nil {
		return nil, s.broken(ctx, "ending the account's sessions", err)
	}
	s.audit(ctx, who(ctx), "password-set", u.Name, "by an administrator", "info")
	return &struct{}{}, nil
}

type auditInput struct {
	Days  int `query:"days" minimum:"1" maximum:"400" default:"30"`
	Limit int `query:"limit" minimum:"1" maximum:"2000" default:"200"`
}

// EventInfo is an event with the name of what it concerns.
type EventInfo struct {
	store.Event
	ObjectName string `json:"object_name" doc:"of sites and devices by their names; empty: the object names itself"`
}

type eventsOutput struct{ Body []EventInfo }

func (s *Server) listAudit(ctx context.Context, in *auditInput) (*eventsOutput, error) {
	return s.events(ctx, []store.EventKind{store.AuditEvent}, in.Days, in.Limit)
}

func (s *Server) events(ctx context.Context, kinds []store.EventKind, days, limit int) (*eventsOutput, error) {
	now := s.deps.Now()
	sp := timegrid.NewSpan(now.AddDate(0, 0, -days), now.Add(time.Minute))
	events, err := s.deps.Store.Events(ctx, kinds, sp, limit)
	if err != nil {
		return nil, s.broken(ctx, "reading events", err)
	}
	out := []EventInfo{}
	for _, e := range events {
		out = append(out, EventInfo{e, s.nameOf(e.Object)})
	}
	return &eventsOutput{out}, nil
}

// nameOf is an object such as fontaine/ecole/pv-1 by the names of its district, where there are several, its site and its device; empty where it is none of ours. What has no name, such as a
// device that is no more, keeps its id.
func (s *Server) nameOf(object string) string {
	parts := strings.Split(object, "/")
	d, err := s.district(parts[0])
	if err != nil {
		return ""
	}
	var names []string
	if len(s.deps.Districts) > 1 || len(parts) == 1 {
		names = append(names, d.Name)
	}
	if len(parts) > 1 && parts[1] != district.DistrictSite {
		name := parts[1]
		if site := d.Site(name); site != nil {
			name = site.Name
		}
		names = append(names, name)
	}
	if len(parts) > 2 {
		name := strings.Join(parts[2:], "/")
		if dev := d.Device(parts[1], name); dev != nil {
			name = dev.Name
		}
		names = append(names, name)
	}
	return strings.Join(names, " · ")
}

// DemoUser is an account of the demonstration with its password in clear, to be printed.
type DemoUser struct {
	Name, Password string
	Role           store.Role
	District       string
	Member         string
}

// DemoUsers returns the accounts of a demonstration: one of each role. The resident is the first member with a share of a building who agreed to everything,
// so a household; else the first member.
func DemoUsers(districts []district.District) []DemoUser {
	users := []DemoUser{
		{Name: "admin", Password: "quartier-demo", Role: store.Administrator},
		{Name: "operator", Password: "quartier-demo", Role: store.Operator},
		{Name: "viewer", Password: "quartier-demo", Role: store.Viewer},
	}
	resident := DemoUser{Name: "resident", Password: "quartier-demo", Role: store.Resident}
	for i := range districts {
		for _, m := range districts[i].Members {
			household := m.Consent.LoadCurve && m.Consent.Report && m.ShareOfSite > 0 && m.ShareOfSite < 1
			if resident.Member == "" || household {
				resident.District, resident.Member = districts[i].ID, m.ID
			}
			if household {
				return append(users, resident)
			}
		}
	}
	if resident.Member != "" {
		users = append(users, resident)
	}
	return users
}

// EnsureDemoUsers makes the accounts of [DemoUsers] that do not exist yet and returns them all. An account that exists keeps its password.
func EnsureDemoUsers(ctx context.Context, accounts store.Accounts, districts []district.District, now time.Time) ([]DemoUser, error) {
	users := DemoUsers(districts)
	for _, u := range users {
		if _, err := accounts.User(ctx, u.Name); err == nil {
			continue
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("console: demo account %q: %w", u.Name, err)
		}
		hash, err := HashPassword(u.Password)
		if err != nil {
			return nil, err
		}
		lang := "en"
		if d := find(districts, u.District); d != nil {
			if m := d.Member(u.Member); m != nil && strings.HasPrefix(m.Language, "fr") {
				lang = "fr"
			}
		}
		err = accounts.CreateUser(ctx, store.User{Name: u.Name, PasswordHash: hash, Role: u.Role, District: u.District, Member: u.Member, Language: lang, CreatedAt: now.UTC()})
		if err != nil && !errors.Is(err, store.ErrExists) {
			return nil, fmt.Errorf("console: demo account %q: %w", u.Name, err)
		}
	}
	return users, nil
}

func find(districts []district.District, id string) *district.District {
	for i := range districts {
		if districts[i].ID == id {
			return &districts[i]
		}
	}
	return nil
}
