package answer

import (
	"math"
	"testing"
)

// TestRoomOf: what stores may do beside what their site does, never the wrong way where that is beyond a limit already.
func TestRoomOf(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		net, imp, exp float64
		want          Room
	}{
		{3, 9, 5, Room{-8, 6}}, {-3, 9, 5, Room{-2, 12}}, {12, 9, 5, Room{-17, 0}}, {-8, 9, 5, Room{0, 17}}, {3, inf, inf, Room{-inf, inf}}, {0, 0, 0, Room{0, 0}}, {0.5, 0, 0, Room{-0.5, 0}},
	} {
		if got := RoomOf(tt.net, tt.imp, tt.exp); got != tt.want {
			t.Errorf("%v kW within %v and %v kW: %v, want %v", tt.net, tt.imp, tt.exp, got, tt.want)
		}
	}
}

// TestShareMovesToOthers: what a site has no room for goes to the stores of other sites, and no more than that.
func TestShareMovesToOthers(t *testing.T) {
	half := func(site string) Store { return Store{Store: home, Site: site, StoredKWh: 4} }
	stores := []Store{half("a"), half("b"), half("b")}
	for _, tt := range []struct {
		name string
		room map[string]Room
		kw   float64
		want [3]float64
	}{
		{"room for all", nil, 6, [3]float64{2, 2, 2}},
		{"little in one", map[string]Room{"a": {-1, 0.5}}, 6, [3]float64{0.5, 2.75, 2.75}},
		{"little in one, the other way", map[string]Room{"a": {-1, 0.5}}, -6, [3]float64{-1, -2.5, -2.5}},
		{"none in one", map[string]Room{"a": {0, 0}}, 3, [3]float64{0, 1.5, 1.5}},
		{"little in both", map[string]Room{"a": {-1, 1}, "b": {-3, 2}}, 6, [3]float64{1, 1, 1}},
		{"little in the first alone", map[string]Room{"a": {-1, 1}, "b": {-9, 9}}, 6, [3]float64{1, 2.5, 2.5}},
		{"little in the second", map[string]Room{"a": {-9, 9}, "b": {-9, 2}}, 6, [3]float64{4, 1, 1}},
	} {
		got := Share(stores, tt.room, tt.kw, 0.25)
		for i, kw := range tt.want {
			if math.Abs(got[i]-kw) > 1e-6 {
				t.Errorf("%s: %v kW, want %v", tt.name, got, tt.want)
				break
			}
		}
	}
}
