package face

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"quartier/schemas/district"
)

// Slots say which place in the Modbus map each district, site and device has: the first of a district is unit 1, the first of a site the first site block. A place is given
// once and never again to another: what is removed from a configuration leaves its place empty, what is added takes the next, wherever it stands in the file. They are kept
// in a file of the data folder, which belongs to its backup: building systems are set up by these places.
type Slots struct {
	Version   int             `json:"version"`
	Districts []DistrictSlots `json:"districts"`
}

// DistrictSlots are the places of one district.
type DistrictSlots struct {
	ID      string   `json:"id"`
	Sites   []string `json:"sites"`
	Devices []string `json:"devices"` // site/device; _/device for the district's own
}

// slotsVersion is that of the file. It is older than the map's: places are given as ever.
const slotsVersion = 2

// SlotsFile is the name of the file of [Slots] in the data folder.
const SlotsFile = "face-map.json"

// LoadSlots reads the places given so far; a file that is not there is none given. Anything else that is wrong is an error: with other places, building systems would read
// one value for another.
func LoadSlots(path string) (*Slots, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Slots{Version: slotsVersion}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("face: register map: %w", err)
	}
	var s Slots
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("face: register map %s: %w", path, err)
	}
	if s.Version != slotsVersion {
		return nil, fmt.Errorf("face: register map %s has version %d, want %d", path, s.Version, slotsVersion)
	}
	for i, d := range s.Districts {
		if slices.ContainsFunc(s.Districts[:i], func(o DistrictSlots) bool { return o.ID == d.ID }) || repeats(d.Sites) || repeats(d.Devices) {
			return nil, fmt.Errorf("face: register map %s: district %s or a part of it has two places", path, d.ID)
		}
	}
	return &s, nil
}

func repeats(names []string) bool {
	sorted := slices.Sorted(slices.Values(names))
	return len(slices.Compact(sorted)) != len(names)
}

// Save writes the file, whole or not at all.
func (s *Slots) Save(path string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("face: register map: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+SlotsFile+"-*")
	if err != nil {
		return fmt.Errorf("face: register map: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("face: register map: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// Assign gives a place to everything in the districts that has none, in their order, and reports whether there was anything.
func (s *Slots) Assign(districts []district.District) (changed bool) {
	give := func(places *[]string, id string) {
		if !slices.Contains(*places, id) {
			*places, changed = append(*places, id), true
		}
	}
	for i := range districts {
		d := &districts[i]
		at := s.district(d.ID)
		if at < 0 {
			at, changed = len(s.Districts), true
			s.Districts = append(s.Districts, DistrictSlots{ID: d.ID, Sites: []string{}, Devices: []string{}})
		}
		for _, site := range d.Sites {
			give(&s.Districts[at].Sites, site.ID)
		}
		for site, dev := range d.AllDevices {
			give(&s.Districts[at].Devices, site+"/"+dev.ID)
		}
	}
	return changed
}

func (s *Slots) district(id string) int {
	return slices.IndexFunc(s.Districts, func(d DistrictSlots) bool { return d.ID == id })
}

// checksum changes with every place given: a client that kept it sees that the map has grown, or that it is not the one it knows.
func (d DistrictSlots) checksum() uint32 {
	h := crc32.NewIEEE()
	for _, names := range [][]string{{d.ID}, d.Sites, d.Devices} {
		for _, n := range names {
			h.Write([]byte(n + "\n"))
		}
		h.Write([]byte{0})
	}
	return h.Sum32()
}
