package drivertest

import (
	"encoding/hex"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// Frames reads a file of testdata/frames: messages that programs of other authors sent, in their order.
func Frames(t testing.TB, file string) (frames [][]byte) {
	t.Helper()
	path, err := Path("testdata", "frames", file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		frames = append(frames, b)
	}
	if len(frames) < 20 {
		t.Fatalf("%s: %d frames", file, len(frames))
	}
	return frames
}

// Mutate returns a message with one to four faults: a byte or a bit changed, a large number in between, cut off, or a part of it twice. It leaves b as it is.
func Mutate(rng *rand.Rand, b []byte) []byte {
	out := slices.Clone(b)
	for range 1 + rng.IntN(4) {
		if len(out) == 0 {
			return out
		}
		i := rng.IntN(len(out))
		switch rng.IntN(5) {
		case 0:
			out[i] = byte(rng.Uint32())
		case 1:
			out[i] ^= 1 << rng.IntN(8)
		case 2:
			out = out[:i]
		case 3:
			out = slices.Insert(out, i, 0xFF, 0xFF, 0xFF, 0x7F)
		case 4:
			out = append(out, out[i:]...)
		}
	}
	return out
}
