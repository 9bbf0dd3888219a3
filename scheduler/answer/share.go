package answer

import (
	"math"
	"slices"

	"quartier/optimizer/storage"
)

// Store is one store of a pool.
type Store struct {
	storage.Store
	Site      string
	StoredKWh float64
}

// Room is what the stores of a site may do together without passing a limit of the site: LowKW <= 0 <= HighKW, infinite without a limit.
type Room struct{ LowKW, HighKW float64 }

// RoomOf is the room of a site whose net power without its stores is netKW. A site that is beyond a limit already gets no more of it: that the limit is kept is a matter of dispatch.
func RoomOf(netKW, importLimitKW, exportLimitKW float64) Room {
	return Room{LowKW: math.Min(0, -exportLimitKW-netKW), HighKW: math.Max(0, importLimitKW-netKW)}
}

// Share divides a power, kW into the stores, for so many hours: each store takes as much as brings all to the same share of their capacity, as far as powers, ranges and the rooms of
// sites allow; what a site has no room for goes to the stores of others. A site without a room has no limit. The sum is kw, or the nearest to it that can be.
func Share(stores []Store, room map[string]Room, kw, hours float64) []float64 {
	out := make([]float64, len(stores))
	open := make([]int, len(stores)) // those that still share
	for i := range stores {
		open[i] = i
	}
	rest := kw
	for len(open) > 0 {
		share(stores, open, rest, hours, out)
		site, allowed, ok := fullest(stores, open, room, out)
		if !ok {
			break
		}
		var own, others []int
		for _, i := range open {
			if stores[i].Site == site {
				own = append(own, i)
			} else {
				others = append(others, i)
			}
		}
		share(stores, own, allowed, hours, out)
		rest, open = rest-allowed, others
	}
	return out
}

// fullest is a site whose stores are given more than it has room for, and what they may have.
func fullest(stores []Store, open []int, room map[string]Room, out []float64) (site string, allowed float64, ok bool) {
	sum := map[string]float64{}
	var sites []string
	for _, i := range open {
		if s := stores[i].Site; !slices.Contains(sites, s) {
			sites = append(sites, s)
		}
		sum[stores[i].Site] += out[i]
	}
	for _, s := range sites {
		r, limited := room[s]
		if !limited {
			continue
		}
		if allowed = math.Max(r.LowKW, math.Min(r.HighKW, sum[s])); math.Abs(allowed-sum[s]) > 1e-9 {
			return s, allowed, true
		}
	}
	return "", 0, false
}

func share(stores []Store, which []int, kw, hours float64, out []float64) {
	some, stored, powers := make([]storage.Store, len(which)), make([]float64, len(which)), make([]float64, len(which))
	for j, i := range which {
		some[j], stored[j] = stores[i].Store, stores[i].StoredKWh
	}
	storage.Share(some, stored, kw, hours, powers)
	for j, i := range which {
		out[i] = powers[j]
	}
}
