package enedis

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"quartier/schemas/district"
)

// xml reads the flows R50 and R4x, element by element. A document that breaks off loses nothing of what is before.
func (r *reader) xml(in io.Reader) error {
	d := xml.NewDecoder(in)
	x := flow{reader: r}
	for {
		line, _ := d.InputPos()
		token, err := d.Token()
		var broken *xml.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &broken):
			r.drop(broken.Line, "the document breaks off: %s", broken.Msg)
			return nil
		case err != nil:
			return fmt.Errorf("read line %d: %w", line, err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			x.text.Reset()
			x.start(line, t)
		case xml.CharData:
			if x.text.Len() < 200 {
				x.text.Write(t)
			}
		case xml.EndElement:
			x.end(t.Name.Local, strings.TrimSpace(x.text.String()))
			x.text.Reset()
		}
	}
}

// flow is what the elements said so far.
type flow struct {
	*reader
	text                               strings.Builder
	point, unit, quantity, direction   string
	step, nature, time, value, caution string
	line                               int // of the value
}

func (x *flow) start(line int, t xml.StartElement) {
	switch t.Name.Local {
	case "PDC":
		x.line, x.time, x.value, x.caution = line, "", "", ""
	case "Donnees_Courbe":
		x.step, x.unit, x.quantity, x.direction = "", "", "", ""
	case "Donnees_Point_Mesure": // of R4x: a step stands at its beginning
		x.line, x.time, x.value, x.nature, x.caution = line, "", "", "", ""
		for _, a := range t.Attr {
			switch a.Name.Local {
			case "Horodatage":
				x.time = a.Value
			case "Valeur_Point":
				x.value = a.Value
			case "Statut_Point":
				x.nature = a.Value
			}
		}
		x.take(Begin)
	}
}

func (x *flow) end(name, text string) {
	switch name {
	case "Id_PRM", "Identifiant_PRM":
		x.point = text
	case "Pas_Publication", "Granularite":
		x.step = text
	case "Unite_Mesure":
		x.unit = text
	case "Grandeur_Physique":
		x.quantity = text
	case "Grandeur_Metier":
		x.direction = text
	case "H":
		x.time = text
	case "V":
		x.value = text
	case "IV":
		x.caution = text
	case "PDC": // of R50: a step stands at its end
		x.nature = ""
		x.take(End)
	}
}

// take takes one value, or says all that is wrong with it.
func (x *flow) take(stamp Stamp) {
	v := row{Value: Value{Line: x.line, Point: x.point}}
	var faults []string
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err.Error())
		}
	}
	if !isPoint(x.point) {
		fault(fmt.Errorf("delivery point %.40q has not 14 digits", x.point))
	}
	fault(active(x.quantity))
	var err error
	v.Export, err = direction(x.direction)
	fault(err)
	v.unit, err = unit(x.unit)
	fault(err)
	if stamp == End && x.step == "" {
		x.step = "30"
	}
	v.Step, err = step("", x.step)
	fault(err)
	v.Quality, err = quality(x.nature)
	fault(err)
	if x.caution != "" && x.caution != "0" {
		v.Quality = district.Uncertain
	}
	v.at, err = x.instant(x.point, x.time)
	fault(err)
	v.value, err = number(x.value)
	fault(err)
	if len(faults) > 0 {
		x.drop(x.line, "%s", strings.Join(faults, "; "))
		return
	}
	// finish looks at the step alone, so a stamp that it would read otherwise is moved
	if byStep := v.Step >= 15*time.Minute; byStep != (stamp == End) {
		if byStep {
			v.at = v.at.Add(v.Step)
		} else {
			v.at = v.at.Add(-v.Step)
		}
	}
	x.rows = append(x.rows, v)
}
