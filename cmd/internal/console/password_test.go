package console

import (
	"strings"
	"testing"
	"time"
)

func TestPasswordHash(t *testing.T) {
	hash, err := HashPassword("Größe zählt nicht")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q is no PHC string with our parameters", hash)
	}
	for password, want := range map[string]bool{"Größe zählt nicht": true, "größe zählt nicht": false, "": false} {
		if got, err := VerifyPassword(hash, password); err != nil || got != want {
			t.Errorf("VerifyPassword(%q) = %v, %v; want %v", password, got, err, want)
		}
	}
	if again, _ := HashPassword("Größe zählt nicht"); again == hash {
		t.Error("two hashes of one password are equal: no salt")
	}
}

func TestVerifyPasswordRefusesBadHashes(t *testing.T) {
	for _, hash := range []string{"", "x", "$2a$10$abc", "$argon2id$v=18$m=19456,t=2,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=99999999,t=2,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=19456,t=0,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=19456,t=2,p=1$!$AAAAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$"} {
		if ok, err := VerifyPassword(hash, "anything"); ok || err == nil {
			t.Errorf("VerifyPassword with hash %q = %v, %v; want an error", hash, ok, err)
		}
	}
}

func TestDecoyCostsAsMuchAsAPassword(t *testing.T) {
	if ok, err := VerifyPassword(newHasher().decoy, "anything"); ok || err != nil {
		t.Errorf("the decoy gave %v, %v; want a comparison that fails", ok, err)
	}
}

func FuzzVerifyPassword(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$AAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAA", "secret")
	f.Add("$argon2id$v=19$m=64,t=1,p=1$$", "")
	f.Fuzz(func(t *testing.T, hash, password string) {
		if strings.Contains(hash, "m=") && !strings.Contains(hash, "m=64,") {
			return // large memories are valid and slow
		}
		_, _ = VerifyPassword(hash, password) // must not panic
	})
}

func TestCheckNewPassword(t *testing.T) {
	for password, ok := range map[string]bool{"": false, "short": false, "aaaaaaaaaaaaaaaa": false, "xx-operator-xx": false, strings.Repeat("ab", 300): false, "a long enough phrase": true} {
		if err := CheckNewPassword("operator", password); (err == nil) != ok {
			t.Errorf("CheckNewPassword(%q) = %v, want fine %v", password, err, ok)
		}
	}
}

func TestThrottle(t *testing.T) {
	th, now := newThrottle(), time.Date(2026, 1, 14, 12, 0, 0, 0, time.UTC)
	for i := range throttleFree {
		if w := th.begin("ann", "10.0.0.1", now); w != 0 {
			t.Fatalf("try %d waits %v, want 0", i+1, w)
		}
	}
	if w := th.begin("ann", "10.0.0.1", now); w != throttleFirst {
		t.Errorf("the try after %d failures waits %v, want %v", throttleFree, w, throttleFirst)
	}
	if w := th.begin("ann", "10.0.0.2", now); w != 0 {
		t.Errorf("the same name from elsewhere waits %v, want 0: nobody locks another out", w)
	}
	now = now.Add(throttleFirst)
	if w := th.begin("ann", "10.0.0.1", now); w != 0 {
		t.Errorf("after the wait it waits %v, want 0", w)
	}
	if w := th.begin("ann", "10.0.0.1", now); w != 2*throttleFirst {
		t.Errorf("after one more failure it waits %v, want %v", w, 2*throttleFirst)
	}
	th.succeed("ann", "10.0.0.1")
	if w := th.begin("ann", "10.0.0.1", now); w != 0 {
		t.Errorf("after success it waits %v, want 0", w)
	}
	for i := range throttleSpray {
		_ = th.begin(strings.Repeat("x", i+1), "10.0.0.9", now)
	}
	if w := th.begin("somebody", "10.0.0.9", now); w == 0 {
		t.Error("an address that tries many names does not wait")
	}
	for i := range 3 * throttleMaxKey {
		_ = th.begin("u", "10.1."+strings.Repeat("y", i%7)+string(rune('a'+i%26))+time.Duration(i).String(), now.Add(time.Duration(i)*time.Millisecond))
	}
	if len(th.keys) > throttleMaxKey+2 {
		t.Errorf("%d keys are kept, want at most %d", len(th.keys), throttleMaxKey)
	}
}
