package storetest

import (
	"testing"
	"time"

	"quartier/schemas/store"
)

func users(t *testing.T, s store.Store) {
	_, err := s.User(t.Context(), "zoé")
	wantIs(t, err, store.ErrNotFound)
	if us, err := s.Users(t.Context()); err != nil || len(us) != 0 {
		t.Fatalf("an empty store has users %v, %v", us, err)
	}
	zoe := store.User{Name: "zoé", PasswordHash: "$argon2id$v=19$m=65536,t=3,p=2$c2FsdA$aGFzaA", Role: store.Resident, District: "fontaine", Member: "logement-3",
		Language: "fr", CreatedAt: t0}
	adam := store.User{Name: "adam", PasswordHash: "$argon2id$x", Role: store.Administrator, Language: "en", CreatedAt: t0.Add(time.Hour), Disabled: true}
	must(t, s.CreateUser(t.Context(), zoe))
	must(t, s.CreateUser(t.Context(), adam))
	wantIs(t, s.CreateUser(t.Context(), store.User{Name: "zoé", Role: store.Viewer, CreatedAt: t0}), store.ErrExists)
	for _, want := range []store.User{zoe, adam} {
		got, err := s.User(t.Context(), want.Name)
		must(t, err)
		if got != want {
			t.Errorf("user came back as\n%+v, want\n%+v", got, want)
		}
	}
	_, err = s.User(t.Context(), "Zoé") // names are taken as they are
	wantIs(t, err, store.ErrNotFound)
	zoe.Role, zoe.PasswordHash, zoe.Disabled, zoe.Language = store.Operator, "$argon2id$new", true, "en"
	must(t, s.UpdateUser(t.Context(), zoe))
	us, err := s.Users(t.Context())
	must(t, err)
	if len(us) != 2 || us[0] != adam || us[1] != zoe {
		t.Errorf("users are %+v, want adam, then zoé as updated", us)
	}
	wantIs(t, s.UpdateUser(t.Context(), store.User{Name: "nobody", CreatedAt: t0}), store.ErrNotFound)
	wantIs(t, s.CreateUser(t.Context(), store.User{}), store.ErrInvalid)
	wantIs(t, s.CreateUser(t.Context(), store.User{Name: "a\x00b"}), store.ErrInvalid)
	if us, err = s.Users(t.Context()); err != nil || len(us) != 2 {
		t.Errorf("after refused changes there are %d users, %v; want 2", len(us), err)
	}
}

func sessions(t *testing.T, s store.Store) {
	se := func(hash, user string, created, expires time.Duration) store.Session {
		return store.Session{TokenHash: hash, User: user, CSRF: "csrf-" + hash, CreatedAt: t0.Add(created), ExpiresAt: t0.Add(expires)}
	}
	_, err := s.Session(t.Context(), "aa")
	wantIs(t, err, store.ErrNotFound)
	for _, x := range []store.Session{se("aa", "zoé", 0, time.Hour), se("bb", "zoé", 0, 3*time.Hour), se("cc", "adam", time.Minute, 2*time.Hour)} {
		must(t, s.SaveSession(t.Context(), x))
		got, err := s.Session(t.Context(), x.TokenHash)
		must(t, err)
		if got != x {
			t.Errorf("session came back as\n%+v, want\n%+v", got, x)
		}
	}
	longer := se("aa", "zoé", 0, 90*time.Minute) // prolonged
	must(t, s.SaveSession(t.Context(), longer))
	if got, err := s.Session(t.Context(), "aa"); err != nil || got != longer {
		t.Errorf("prolonged session is %+v, %v", got, err)
	}
	must(t, s.DeleteSession(t.Context(), "bb"))
	_, err = s.Session(t.Context(), "bb")
	wantIs(t, err, store.ErrNotFound)
	must(t, s.DeleteSession(t.Context(), "bb")) // gone already

	// at 1:45 the first has expired and is forgotten; until then it is the caller who looks at ExpiresAt
	must(t, s.SaveSession(t.Context(), se("dd", "zoé", 105*time.Minute, 5*time.Hour)))
	_, err = s.Session(t.Context(), "aa")
	wantIs(t, err, store.ErrNotFound)
	_, err = s.Session(t.Context(), "cc")
	must(t, err)

	must(t, s.DeleteSessions(t.Context(), "zoé"))
	_, err = s.Session(t.Context(), "dd")
	wantIs(t, err, store.ErrNotFound)
	_, err = s.Session(t.Context(), "cc")
	must(t, err)
	must(t, s.DeleteSessions(t.Context(), "nobody"))
	wantIs(t, s.SaveSession(t.Context(), store.Session{User: "zoé", CreatedAt: t0, ExpiresAt: t0}), store.ErrInvalid)
}
