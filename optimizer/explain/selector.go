package explain

import (
	"fmt"
	"strconv"
	"strings"

	"quartier/optimizer/problem"
)

// Selector names one device in one step.
type Selector struct {
	Site, Device string
	Step         int
}

// ParseSelectors reads a list of SITE/DEVICE@STEP, parted by commas. STEP is the number of a step, from 0, or a time of day such as 18:30, the first of the plan.
func ParseSelectors(p *problem.Problem, text string) ([]Selector, error) {
	var list []Selector
	for _, one := range strings.Split(text, ",") {
		s, err := parseSelector(p, strings.TrimSpace(one))
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func parseSelector(p *problem.Problem, text string) (Selector, error) {
	at := strings.LastIndex(text, "@")
	if at < 0 {
		return Selector{}, fmt.Errorf("explain: %q is not SITE/DEVICE@STEP", text)
	}
	s := Selector{Step: -1}
	for i := range p.Sites {
		if rest, ok := strings.CutPrefix(text[:at], p.Sites[i].ID+"/"); ok {
			for _, d := range p.Sites[i].Devices {
				if d.ID() == rest {
					s.Site, s.Device = p.Sites[i].ID, rest
				}
			}
		}
	}
	if s.Device == "" {
		return Selector{}, fmt.Errorf("explain: %q names no device of the problem", text[:at])
	}
	when := text[at+1:]
	if n, err := strconv.Atoi(when); err == nil {
		if n < 0 || n >= p.Steps {
			return Selector{}, fmt.Errorf("explain: %q: step %d is not one of 0 to %d", text, n, p.Steps-1)
		}
		s.Step = n
		return s, nil
	}
	hour, minute, ok := strings.Cut(when, ":")
	h, err1 := strconv.Atoi(hour)
	m, err2 := strconv.Atoi(minute)
	if !ok || err1 != nil || err2 != nil || h < 0 || h > 23 || m < 0 || m > 59 || len(minute) != 2 {
		return Selector{}, fmt.Errorf("explain: %q: %q is neither the number of a step nor a time such as 18:30", text, when)
	}
	for t := range p.Steps {
		from := p.At(t)
		minutes := float64((h*60+m+24*60-from.Hour()*60-from.Minute())%(24*60)) - float64(from.Second())/60
		if minutes >= 0 && minutes < p.StepMinutes {
			s.Step = t
			return s, nil
		}
	}
	return Selector{}, fmt.Errorf("explain: %q: the plan from %s to %s does not reach %s", text, p.Start.Format("2 Jan 15:04"), p.At(p.Steps).Format("2 Jan 15:04"), when)
}
