package sharing

import (
	"errors"
	"fmt"

	"quartier/schemas/units"
)

// Entitled returns what each member may use of the energy that is produced in each step by fixed shares, in Wh by member and step: what [Operation.Allocate] gives by the static key to members who consume all
// that there is. What a member consumes less stays surplus and is nobody else's, so that the smaller of the two is its allocation. Shares are in [0, 1], at most 1 together, as their shortest decimals say.
func Entitled(produced []units.WattHours, shares []float64) ([][]units.WattHours, error) {
	if len(shares) == 0 {
		return nil, nil
	}
	o := &Operation{StepMinutes: 15, Key: Static, Producers: []Participant{{"production", produced}}}
	var errs []error
	for i, share := range shares {
		c, err := CoefficientOf(share)
		if err != nil {
			errs = append(errs, fmt.Errorf("sharing: share of member %d: %w", i, err))
		}
		o.Shares = append(o.Shares, c)
		o.Consumers = append(o.Consumers, Participant{fmt.Sprint("member ", i), produced})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	a, err := o.Allocate()
	if err != nil {
		return nil, fmt.Errorf("sharing: fixed shares: %w", err)
	}
	return a.Allocated, nil
}
