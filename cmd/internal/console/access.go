package console

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"quartier/schemas/store"
)

// Access says who may call an operation.
type Access string

// The kinds of access. Operations for residents are bound to the district, and where the path names one to the member, of the account.
const (
	AnyoneAccess        Access = "anyone"        // also without an account
	SignedInAccess      Access = "signed-in"     // every account
	DistrictAccess      Access = "district"      // viewers and above; a resident for his own district
	MemberAccess        Access = "member"        // operators and above; a resident for his own member
	ViewerAccess        Access = "viewer"        // viewers and above
	OperatorAccess      Access = "operator"      // operators and above
	AdministratorAccess Access = "administrator" // administrators
)

var rank = map[store.Role]int{store.Resident: 0, store.Viewer: 1, store.Operator: 2, store.Administrator: 3}

// allows reports whether a user may call an operation with the district and member of its path.
func (a Access) allows(u store.User, districtID, member string) bool {
	r, known := rank[u.Role]
	if !known || u.Disabled {
		return false
	}
	resident := u.Role == store.Resident
	switch a {
	case AnyoneAccess, SignedInAccess:
		return true
	case DistrictAccess:
		return r >= rank[store.Viewer] || resident && u.District != "" && u.District == districtID
	case MemberAccess:
		return r >= rank[store.Operator] || resident && u.District != "" && u.Member != "" && u.District == districtID && u.Member == member
	case ViewerAccess:
		return r >= rank[store.Viewer]
	case OperatorAccess:
		return r >= rank[store.Operator]
	case AdministratorAccess:
		return r >= rank[store.Administrator]
	}
	return false
}

// principal is who makes a request.
type principal struct {
	user    store.User
	session store.Session
	remote  string // address without port
}

type principalKey struct{}

// who returns who makes the request of ctx; without a session only its remote address is set.
func who(ctx context.Context) principal {
	p, _ := ctx.Value(principalKey{}).(principal)
	return p
}

// enforce is the middleware in front of every operation.
func (s *Server) enforce(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, _ := humago.Unwrap(ctx)
		op := ctx.Operation()
		access, ok := op.Metadata["access"].(Access)
		if !ok { // cannot happen: register sets it
			_ = huma.WriteErr(api, ctx, http.StatusForbidden, "operation has no access rule")
			return
		}
		p := principal{remote: remoteAddress(r)}
		err := s.authenticate(r, &p)
		switch {
		case err != nil && r.Context().Err() != nil:
			return // the caller went away: there is nobody to answer
		case err != nil && !errors.Is(err, store.ErrNotFound):
			s.log.Error("session not read", "operation", op.OperationID, "err", err)
			_ = huma.WriteErr(api, ctx, http.StatusServiceUnavailable, "the account store cannot be read now")
			return
		case err != nil && access != AnyoneAccess:
			_ = huma.WriteErr(api, ctx, http.StatusUnauthorized, "sign in first")
			return
		case err == nil && access != AnyoneAccess && !access.allows(p.user, ctx.Param("district"), ctx.Param("member")):
			_ = huma.WriteErr(api, ctx, http.StatusForbidden, "your role does not include this")
			return
		}
		if access != AnyoneAccess && !safeMethod(r.Method) &&
			subtle.ConstantTimeCompare([]byte(r.Header.Get("X-CSRF-Token")), []byte(p.session.CSRF)) != 1 {
			_ = huma.WriteErr(api, ctx, http.StatusForbidden, "header X-CSRF-Token does not belong to the session")
			return
		}
		next(huma.WithValue(ctx, principalKey{}, p))
	}
}

func safeMethod(m string) bool {
	return m == http.MethodGet || m == http.MethodHead || m == http.MethodOptions
}

// authenticate fills in the session and user of a request; the error wraps [store.ErrNotFound] when it has no valid session.
func (s *Server) authenticate(r *http.Request, p *principal) error {
	cookie, err := r.Cookie(s.cookieName())
	if err != nil || cookie.Value == "" {
		return store.ErrNotFound
	}
	session, err := s.deps.Store.Session(r.Context(), tokenHash(cookie.Value))
	if err != nil {
		return err
	}
	if !s.wall().Before(session.ExpiresAt) {
		_ = s.deps.Store.DeleteSession(r.Context(), session.TokenHash) // expired already: a leftover does no harm
		return store.ErrNotFound
	}
	user, err := s.deps.Store.User(r.Context(), session.User)
	if err != nil {
		return err
	}
	if user.Disabled {
		return store.ErrNotFound
	}
	p.session, p.user = session, user
	return nil
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func remoteAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func loopback(remote string) bool {
	ip := net.ParseIP(remote)
	return ip != nil && ip.IsLoopback()
}
