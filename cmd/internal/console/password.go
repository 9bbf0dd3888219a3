package console

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Parameters of new hashes: OWASP's argon2id recommendation of 19 MiB, 2 passes and one lane. A hash keeps its own, so they may be raised.
const (
	argonMemoryKiB = 19 * 1024
	argonPasses    = 2
	argonLanes     = 1
	argonSaltBytes = 16
	argonKeyBytes  = 32
)

// MinPasswordRunes is the length of the shortest password that is taken (NIST SP 800-63B asks for at least 8; we ask for more).
const MinPasswordRunes = 10

const maxPasswordBytes = 512

// CheckNewPassword returns an error that says what is wrong with a password that somebody wants to set.
func CheckNewPassword(name, password string) error {
	switch {
	case utf8.RuneCountInString(password) < MinPasswordRunes:
		return fmt.Errorf("password has %d characters, want at least %d", utf8.RuneCountInString(password), MinPasswordRunes)
	case len(password) > maxPasswordBytes:
		return fmt.Errorf("password has %d bytes, want at most %d", len(password), maxPasswordBytes)
	case name != "" && strings.Contains(strings.ToLower(password), strings.ToLower(name)) && len(name) > 3:
		return errors.New("password contains the user name")
	case strings.Count(password, password[:1]) == len(password):
		return errors.New("password repeats one character")
	}
	return nil
}

// HashPassword returns the argon2id hash of a password in PHC string format.
func HashPassword(password string) (string, error) {
	if password == "" || len(password) > maxPasswordBytes {
		return "", fmt.Errorf("console: hash a password of %d bytes, want 1 to %d", len(password), maxPasswordBytes)
	}
	salt := make([]byte, argonSaltBytes)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	key := argon2.IDKey([]byte(password), salt, argonPasses, argonMemoryKiB, argonLanes, argonKeyBytes)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemoryKiB, argonPasses, argonLanes,
		enc.EncodeToString(salt), enc.EncodeToString(key)), nil
}

// VerifyPassword reports whether password belongs to a hash made by [HashPassword] or another argon2id hash in PHC format. A hash that cannot be read, or
// that asks for more than 256 MiB or 16 passes, is an error.
func VerifyPassword(hash, password string) (bool, error) {
	var version int
	var memory, passes uint32
	var lanes uint8
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return false, errors.New("console: password hash is no argon2id PHC string")
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false, fmt.Errorf("console: password hash has version %q, want v=%d", parts[2], argon2.Version)
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return false, fmt.Errorf("console: password hash has parameters %q: %w", parts[3], err)
	}
	if memory < 8 || memory > 256*1024 || passes < 1 || passes > 16 || lanes < 1 {
		return false, fmt.Errorf("console: password hash asks for %d KiB, %d passes, %d lanes", memory, passes, lanes)
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("console: salt of password hash: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) < 16 || len(want) > 128 {
		return false, fmt.Errorf("console: key of password hash has %d bytes, want 16 to 128", len(want))
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, lanes, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// hasher bounds how many passwords are hashed at once, so that a flood of sign-ins can take neither all memory nor all cores.
type hasher struct {
	slots chan struct{}
	decoy string // compared with when the user does not exist, so that both take the same time
}

func newHasher() *hasher {
	decoy := fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$cXVhcnRpZXItZGVjb3ktMQ$mwR4yd2Iv3eeEy5n0DDpYrfyOdJRlhmZ8eJgiXHC5fw", argon2.Version, argonMemoryKiB, argonPasses, argonLanes)
	return &hasher{slots: make(chan struct{}, 2), decoy: decoy}
}

func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (h *hasher) verify(ctx context.Context, hash, password string) (bool, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	if len(password) > maxPasswordBytes {
		return false, nil
	}
	if hash == "" {
		_, _ = VerifyPassword(h.decoy, password)
		return false, nil
	}
	return VerifyPassword(hash, password)
}

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return HashPassword(password)
}
