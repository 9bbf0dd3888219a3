package modbus

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/drivertest"
	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/profile"
)

// mutatedAnswers are recorded answers of another's server with faults put into them, the same ones at each run.
func mutatedAnswers(t *testing.T, n int, do func(b []byte)) {
	t.Helper()
	var answers [][]byte
	for line := range strings.Lines(exchanges) {
		if text, ok := strings.CutPrefix(line, "< "); ok {
			b, err := hex.DecodeString(strings.TrimSpace(text))
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, b)
		}
	}
	rng := rand.New(rand.NewPCG(7, 0))
	for i := range n {
		do(drivertest.Mutate(rng, answers[i%len(answers)]))
	}
}

// TestMutatedAnswers: a recorded answer with faults in it is read as a frame that stands there and taken for an answer only when it is one, or is garbage.
func TestMutatedAnswers(t *testing.T) {
	requests := []exchange{{unit: 1, function: 1, quantity: 1}, {unit: 1, function: 2, quantity: 9}, {unit: 1, function: 3, quantity: 1}, {unit: 1, function: 4, quantity: 2},
		{unit: 1, function: 5, quantity: 1, values: []uint16{1}}, {unit: 1, function: 6, quantity: 1, values: []uint16{3}}, {unit: 1, function: 16, quantity: 2, values: []uint16{1, 2}}}
	frames, taken := 0, 0
	mutatedAnswers(t, 20_000, func(b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), maxFrame)
		for {
			got, err := readFrame(r, make([]byte, maxFrame))
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errGarbage) {
					t.Fatalf("% x: %v", b, err)
				}
				return
			}
			if frames++; !bytes.Contains(b, got.pdu) || 7+len(got.pdu) > maxFrame {
				t.Fatalf("% x: frame %+v", b, got)
			}
			for _, x := range requests {
				values, err := x.decode(got.pdu)
				_, exception := errors.AsType[exceptionError](err)
				switch {
				case err == nil && got.pdu[0] != x.function, err == nil && !x.write() && len(values) != int(x.quantity), exception && got.pdu[0] != x.function|0x80,
					err != nil && !exception && !errors.Is(err, errGarbage):
					t.Fatalf("% x as the answer to %+v: %v, %v", got.pdu, x, values, err)
				case err == nil:
					taken++
				}
			}
		}
	})
	t.Logf("%d frames, %d of them answers", frames, taken)
	if frames < 1000 || taken == 0 {
		t.Error("too few of them are frames: nothing is tested")
	}
}

// TestMutatedAnswersOnTheLine: the same on a connection, in the name of the request: what is read is what stands in the frame, and the device is well afterwards.
func TestMutatedAnswersOnTheLine(t *testing.T) {
	s := modbustest.New(t)
	l := newLink(t, s.URL()+"?answer_unit=any", Config{Timeout: 50 * time.Millisecond, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond, Silent: -1})
	defer l.Close()
	mutatedAnswers(t, 100, func(b []byte) {
		s.Behave(func(_ *modbustest.Server, c net.Conn, r modbustest.Request) bool {
			b := slices.Clone(b)
			if len(b) > 6 { // as if it were the answer
				copy(b, r.Header[:2])
				b[6] = r.Unit()
			}
			_, err := c.Write(b)
			return err == nil
		})
		got, err := l.Read(t.Context(), 1, profile.Holding, 5, 1)
		if err == nil && (len(got) != 1 || !bytes.Contains(b, binary.BigEndian.AppendUint16([]byte{3, 2}, got[0]))) {
			t.Fatalf("% x was read as %04x", b, got)
		}
		if err != nil && !errors.Is(err, drivers.ErrUnreachable) && !errors.Is(err, drivers.ErrGarbage) && !errors.Is(err, drivers.ErrRejected) {
			t.Fatalf("error %v is of no kind", err)
		}
	})
	s.Behave(modbustest.Good)
	recovers(t, l, 1)
}
