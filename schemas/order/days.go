package order

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Days are days of the week; none of them stands for every day.
type Days uint8

// dayNames are the days in the order of a week, as files and the API name them.
var dayNames = [7]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// DayNames returns the names of the days, from Monday on.
func DayNames() []string { return append([]string(nil), dayNames[:]...) }

// DaysOf returns the days of some names; the error names the first one that is none.
func DaysOf(names []string) (d Days, err error) {
	for _, name := range names {
		i := dayIndex(name)
		if i < 0 {
			return 0, fmt.Errorf("%q is no day of the week: %s", name, strings.Join(dayNames[:], ", "))
		}
		d |= 1 << i
	}
	return d, nil
}

func dayIndex(name string) int {
	for i, n := range dayNames {
		if n == name {
			return i
		}
	}
	return -1
}

// Names returns the names of the days from Monday on; none for every day.
func (d Days) Names() (out []string) {
	for i, n := range dayNames {
		if d&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// Has reports whether a day of the week is among them.
func (d Days) Has(day time.Weekday) bool { return d == 0 || d&(1<<((int(day)+6)%7)) != 0 }

// MarshalJSON writes the names.
func (d Days) MarshalJSON() ([]byte, error) { return json.Marshal(append([]string{}, d.Names()...)) }

// UnmarshalJSON reads the names.
func (d *Days) UnmarshalJSON(text []byte) error {
	var names []string
	if err := json.Unmarshal(text, &names); err != nil {
		return fmt.Errorf("order: days: %w", err)
	}
	days, err := DaysOf(names)
	if err != nil {
		return fmt.Errorf("order: days: %w", err)
	}
	*d = days
	return nil
}
