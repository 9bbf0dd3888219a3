package archive_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/store"
	"quartier/schemas/store/archive"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/outbox"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/store/storetest"
	"quartier/schemas/store/timescale"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

var t0 = time.Date(2026, 1, 14, 23, 0, 0, 0, time.UTC)

// everyDay holds the days of everything that fill writes in its own time.
var everyDay = timegrid.NewSpan(t0.Add(-100*time.Hour), t0.Add(300*time.Hour))

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// record is a store that archives go out of and into.
type record interface {
	archive.Source
	archive.Target
}

func file(t *testing.T) record {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func database(t *testing.T) record {
	t.Helper()
	s, err := timescale.Open(t.Context(), storetest.Database(t), timescale.Options{})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// both is a file in front of a database, which has shipped all and forgotten what it may.
type both struct {
	*outbox.Store
	local *sqlite.Store
}

func (b both) Restore(ctx context.Context, x *batch.Batch) error {
	if err := b.Store.Restore(ctx, x); err != nil {
		return err
	}
	if err := b.Drain(ctx); err != nil {
		return err
	}
	_, err := b.local.Age(ctx, t0.Add(20*time.Hour))
	return err
}

func fileAndDatabase(t *testing.T) record {
	t.Helper()
	url := storetest.Database(t)
	local, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{Outbox: true})
	must(t, err)
	s := outbox.New(local, func(ctx context.Context) (*timescale.Store, error) {
		return timescale.Open(ctx, url, timescale.Options{})
	}, outbox.Options{})
	t.Cleanup(func() { s.Close() })
	return both{s, local}
}

// fill writes some of everything.
func fill(t *testing.T, s store.Store) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var in []district.Sample
	for i := range 12_000 {
		in = append(in, district.Sample{Series: []district.SeriesID{"fontaine/ecole/pv/power_kw", "fontaine/école/meter/import_kwh", "lac/mairie/tank/tank_c"}[i%3],
			Time: t0.Add(time.Duration(i*7) * time.Second).Add(time.Duration(rng.IntN(999)) * time.Microsecond), Value: rng.NormFloat64(), Quality: district.Quality(rng.IntN(4)), Source: district.Source(rng.IntN(5))})
	}
	in = append(in, district.Sample{Series: "fontaine/ecole/pv/power_kw", Time: time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC), Value: 1})
	must(t, s.Append(t.Context(), in))
	var rows []balance.Row
	for i := range 300 {
		rows = append(rows, balance.Row{District: []string{"fontaine", "lac"}[i%2], Site: []string{"_", "ecole"}[i/2%2], Start: t0.Add(time.Duration(i) * 15 * time.Minute), Step: 15 * time.Minute,
			ImportWh: units.WattHours(i), OtherWh: units.WattHours(i), CostEUR: float64(i) / 7, Coverage: 1, Substituted: i%5 == 0})
	}
	must(t, s.SaveBalances(t.Context(), rows))
	var carriers []balance.CarrierRow
	for i := range 120 {
		carriers = append(carriers, balance.CarrierRow{District: []string{"fontaine", "lac"}[i%2], Site: []string{"_", "ecole"}[i/2%2], Carrier: []balance.Carrier{balance.Heat, balance.Gas, "biomass"}[i%3],
			Start: t0.Add(time.Duration(i) * 15 * time.Minute), Step: 15 * time.Minute, DeliveredWh: units.WattHours(i), ExportedWh: 1, GeneratedWh: 2, ConvertedWh: 3, ChargeWh: 4, DischargeWh: 5,
			ConsumedWh: units.WattHours(i + 5), ResidualWh: -1, Coverage: float64(i) / 120, Method: balance.Method(i % 16)})
	}
	must(t, s.SaveCarriers(t.Context(), carriers))
	must(t, s.SaveOutlooks(t.Context(), []district.Outlook{{District: "fontaine", At: t0, Body: []byte{1, 0, 255}}, {District: "fontaine", At: t0.Add(time.Hour), Body: []byte{2}}}))
	for i := range 45 {
		_, err := s.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: t0.Add(time.Duration(i) * 6 * time.Hour), StepMinutes: 15, Steps: 1, Price: []float64{float64(i)}})
		must(t, err)
		must(t, s.AppendEvent(t.Context(), store.Event{Time: t0.Add(time.Duration(i) * 13 * time.Hour), Kind: store.AuditEvent, Actor: "zoé", Action: "sign-in", Detail: "d\n"}))
		must(t, s.AppendSetpoints(t.Context(), []district.Setpoint{{District: "fontaine", Site: "ecole", Device: "battery", Time: t0.Add(time.Duration(i) * 17 * time.Hour), WantedKW: float64(i), Reason: "cheap"},
			{District: "lac", Site: "mairie", Device: "tank", Time: t0.Add(time.Duration(i) * time.Hour), SentKW: -1}}))
	}
	must(t, s.AppendEvent(t.Context(), store.Event{Time: time.Date(1970, 5, 1, 0, 0, 0, 0, time.UTC), Kind: store.SystemEvent, Action: "start"}))
	must(t, s.AppendSetpoints(t.Context(), []district.Setpoint{{District: "lac", Time: time.Date(2001, 5, 1, 0, 0, 0, 0, time.UTC), Device: "tank"}}))
	for version := range 2 {
		must(t, s.AppendFigures(t.Context(), []ledger.Figure{ledger.Figure{District: "lac", Subject: "_", Kind: "import_wh", Period: timegrid.NewSpan(t0, t0.Add(time.Hour)), Value: float64(version) / 3, Unit: "Wh",
			Method: "balance", MethodVersion: "1", Inputs: []ledger.Input{{Name: "samples é", Count: 3, SHA256: "ab"}}, CreatedAt: t0, Version: version + 1, Supersedes: version}.Sealed()}))
	}
	must(t, s.CreateUser(t.Context(), store.User{Name: "zoé", Role: store.Administrator, PasswordHash: "$argon2id$x", CreatedAt: t0, Language: "fr"}))
	must(t, s.CreateUser(t.Context(), store.User{Name: "bob", Role: store.Resident, District: "lac", Member: "m1", Disabled: true}))
}

func write(t *testing.T, s archive.Source) (packed []byte, counts archive.Counts) {
	t.Helper()
	var out bytes.Buffer
	counts, err := archive.Write(t.Context(), &out, s, []string{"fontaine", "nowhere"})
	must(t, err)
	return out.Bytes(), counts
}

func plain(t *testing.T, packed []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	must(t, err)
	out, err := io.ReadAll(z)
	must(t, err)
	return out
}

// TestRoundTrip: a record goes from every store into every store, twice, and its archive there is the same to the byte: every row with its id.
func TestRoundTrip(t *testing.T) {
	for name, from := range map[string]func(*testing.T) record{"file": file, "database": database} {
		src := from(t)
		fill(t, src)
		must(t, src.SumBalances(t.Context(), "fontaine", time.UTC, t0.Add(200*time.Hour)))
		days, err := src.BalanceDays(t.Context(), "fontaine", "", everyDay, time.UTC)
		must(t, err)
		packed, counts := write(t, src)
		want := archive.Counts{"samples": 12_001, "balances": 300, batch.OfCarriers.String(): 120, "plans": 45, "set-points": 91, "events": 46, "users": 2, "figures": 2, "outlooks": 2}
		for kind, n := range want {
			if counts[kind] != n {
				t.Errorf("the archive has %d %s, want %d", counts[kind], kind, n)
			}
		}
		for to, open := range map[string]func(*testing.T) record{"file": file, "database": database, "file and database": fileAndDatabase} {
			t.Run(name+" to "+to, func(t *testing.T) {
				dst := open(t)
				for range 2 {
					must(t, dst.SumBalances(t.Context(), "fontaine", time.UTC, t0.Add(200*time.Hour)))
					got, err := archive.Read(t.Context(), bytes.NewReader(packed), dst)
					must(t, err)
					if got["samples"] != want["samples"] {
						t.Errorf("%d samples were taken, want %d", got["samples"], want["samples"])
					}
				}
				if got, err := dst.BalanceDays(t.Context(), "fontaine", "", everyDay, time.UTC); err != nil || len(days) < 6 || !reflect.DeepEqual(got, days) {
					t.Errorf("daily balances of the restored record are others: %v", err)
				}
				again, _ := write(t, dst)
				if !bytes.Equal(plain(t, again), plain(t, packed)) {
					t.Error("the archive of the restored record is another one")
				}
				if id, err := dst.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: t0}); err != nil || id == 0 {
					t.Errorf("a new plan in the restored record: id %d, %v", id, err)
				}
			})
		}
	}
}

// hungry counts how many plans are asked for at once.
type hungry struct {
	record
	most int
}

func (h *hungry) PlansBetween(ctx context.Context, districtID string, sp timegrid.Span) ([]*district.Plan, error) {
	list, err := h.record.PlansBetween(ctx, districtID, sp)
	h.most = max(h.most, len(list))
	return list, err
}

// TestPlansInPieces: of plans of every five minutes no more than an hour's are in memory at a time, and all are in the archive, in their order.
func TestPlansInPieces(t *testing.T) {
	src := &hungry{record: file(t)}
	const n = 300
	for i := range n {
		_, err := src.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: t0.Add(time.Duration(i) * 5 * time.Minute), Steps: i})
		must(t, err)
	}
	packed, counts := write(t, src)
	if src.most != 12 || counts["plans"] != n {
		t.Errorf("%d plans at once and %d in all, want 12 and %d", src.most, counts["plans"], n)
	}
	dst := file(t)
	_, err := archive.Read(t.Context(), bytes.NewReader(packed), dst)
	must(t, err)
	list, err := dst.PlansBetween(t.Context(), "fontaine", timegrid.NewSpan(t0, t0.Add(n*5*time.Minute)))
	must(t, err)
	if len(list) != n {
		t.Fatalf("%d plans came back, want %d", len(list), n)
	}
	for i, p := range list {
		if p.Steps != i {
			t.Fatalf("plan %d is the %dth", p.Steps, i)
		}
	}
}

// TestDamaged: an archive that is cut off or changed anywhere is refused, and never taken for a whole one.
func TestDamaged(t *testing.T) {
	src := file(t)
	fill(t, src)
	packed, _ := write(t, src)
	if _, err := archive.Read(t.Context(), bytes.NewReader(packed[:len(packed)-9]), file(t)); !errors.Is(err, archive.ErrCut) {
		t.Errorf("a cut archive gave %v", err)
	}
	for i := 20; i < len(packed); i += len(packed) / 15 {
		spoilt := bytes.Clone(packed)
		spoilt[i] ^= 0x10
		if _, err := archive.Read(t.Context(), bytes.NewReader(spoilt), file(t)); err == nil {
			t.Errorf("an archive with a wrong bit at %d was taken", i)
		}
	}
	// cut between two batches, and packed again: only the missing end shows it
	whole := plain(t, packed)
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(whole[:len("quartier archive 1\n")])
	z.Close()
	if _, err := archive.Read(t.Context(), &out, file(t)); !errors.Is(err, archive.ErrCut) {
		t.Errorf("an archive without its end gave %v", err)
	}
	if _, err := archive.Read(t.Context(), bytes.NewReader([]byte("series,time,value\n")), file(t)); err == nil {
		t.Error("a CSV file was taken for an archive")
	}
}
