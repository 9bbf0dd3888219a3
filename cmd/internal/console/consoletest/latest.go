package consoletest

import (
	"slices"
	"strings"
	"sync"

	"quartier/schemas/district"
)

// Latest holds the newest sample of each series, as package live does.
type Latest struct {
	mu      sync.Mutex
	samples map[district.SeriesID]district.Sample
}

// NewLatest returns an empty Latest.
func NewLatest() *Latest { return &Latest{samples: map[district.SeriesID]district.Sample{}} }

// Publish takes newer samples.
func (l *Latest) Publish(samples []district.Sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range samples {
		l.samples[s.Series] = s
	}
}

// Latest returns the newest sample of a series.
func (l *Latest) Latest(id district.SeriesID) (district.Sample, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.samples[id]
	return s, ok
}

// Snapshot returns the newest sample of every series whose name starts with prefix, sorted by name.
func (l *Latest) Snapshot(prefix string) []district.Sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []district.Sample
	for id, s := range l.samples {
		if strings.HasPrefix(string(id), prefix) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b district.Sample) int { return strings.Compare(string(a.Series), string(b.Series)) })
	return out
}
