package store

import (
	"slices"
	"time"

	"quartier/schemas/district"
)

// KeptOutlooks is how many outlooks of a district are kept: those of the hours of 60 days.
const KeptOutlooks = 60 * 24

// maxOutlook is the longest body of an outlook in bytes.
const maxOutlook = 1 << 20

// CheckOutlooks returns the faults of outlooks, or nil.
func CheckOutlooks(rows []district.Outlook) error {
	var f Faults
	for i := range rows {
		r := &rows[i]
		if r.District == "" {
			f.Addf("outlook %d: the district is empty", i)
		}
		f.CheckName("district", r.District)
		f.CheckTime("outlook of "+r.District, r.At)
		if len(r.Body) == 0 || len(r.Body) > maxOutlook {
			f.Addf("outlook of %s at %s: %d bytes, want 1 to %d", r.District, r.At.UTC().Format(time.RFC3339), len(r.Body), maxOutlook)
		}
	}
	return f.Err()
}

// OutlookDistricts returns the districts of outlooks, each once.
func OutlookDistricts(rows []district.Outlook) (out []string) {
	for i := range rows {
		if !slices.Contains(out, rows[i].District) {
			out = append(out, rows[i].District)
		}
	}
	return out
}
