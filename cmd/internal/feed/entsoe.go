package feed

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"quartier/schemas/timegrid"
)

// ErrNothingPublished says that the service answered and has nothing for the time that was asked for, such as the prices of tomorrow before noon.
var ErrNothingPublished = errors.New("nothing is published for that time")

const (
	maxPoints   = 1000      // of a period: ten days of quarter-hours
	maxEURPerMW = 20_000.0  // EUR/MWh beyond which no price of a harmonised market lies
	maxEntsoe   = 1_000_000 // elements of a document
)

// ReadEntsoe reads day-ahead prices in a Publication_MarketDocument of ENTSO-E (IEC 62325-451-3) as EUR/kWh. Periods have 15, 30 or 60 minutes; the finest holds where several cover a time, and the series has
// its step. With curve type A03 a position that is left out has the price of the one before; with A01 it is a gap. Series of other auctions than the day-ahead coupling (contract type other than A01, a
// classification position above 1) are passed over; those of another area, currency or unit are refused with the line where they begin, and a point that cannot be with its own. area is the EIC
// code that the document must be of; empty: any, but one alone. The error is about the document as a whole; that of an acknowledgement is its reason, [ErrNothingPublished] where that is all it says.
func ReadEntsoe(data []byte, area string) (Bulletin, error) {
	p := &entsoe{dec: xml.NewDecoder(bytes.NewReader(data)), area: area}
	p.dec.Strict = true
	p.dec.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "us-ascii") {
			return in, nil
		}
		return nil, fmt.Errorf("its encoding is %.20q, want UTF-8", charset)
	}
	if err := p.document(); err != nil {
		return Bulletin{}, fmt.Errorf("entso-e: %w", err)
	}
	return p.result()
}

// entsoe reads one document.
type entsoe struct {
	dec    *xml.Decoder
	area   string
	out    Bulletin
	series []priceSeries
	count  int
}

type priceSeries struct {
	line                                  int
	in, outArea, contract, currency, unit string
	position, curve                       string
	periods                               []pricePeriod
}

type pricePeriod struct {
	line                   int
	start, end, resolution string
	points                 []pricePoint
}

type pricePoint struct {
	line             int
	position, amount string
}

// next returns the next start or end of an element, and the text before an end.
func (p *entsoe) next(text *strings.Builder) (xml.Token, error) {
	for {
		t, err := p.dec.Token()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if p.count++; p.count > maxEntsoe {
				return nil, fmt.Errorf("more than %d elements", maxEntsoe)
			}
			return t, nil
		case xml.EndElement:
			return t, nil
		case xml.CharData:
			if text != nil && text.Len() < 1000 {
				text.Write(t)
			}
		case xml.Directive:
			return nil, errors.New("it has a document type, which such documents have not")
		}
	}
}

// children calls take for each child of the element that was begun last. take reads the child to its end.
func (p *entsoe) children(take func(name string) error) error {
	for {
		t, err := p.next(nil)
		if err != nil {
			return err
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			return nil
		}
		if err := take(start.Name.Local); err != nil {
			return err
		}
	}
}

// text returns the text of the element that was begun last.
func (p *entsoe) text() (string, error) {
	var b strings.Builder
	for {
		t, err := p.next(&b)
		if err != nil {
			return "", err
		}
		if _, ok := t.(xml.StartElement); ok {
			if err := p.dec.Skip(); err != nil {
				return "", err
			}
			continue
		}
		return strings.TrimSpace(b.String()), nil
	}
}

func (p *entsoe) into(to *string) (err error) {
	*to, err = p.text()
	return err
}

func (p *entsoe) line() int {
	line, _ := p.dec.InputPos()
	return line
}

func (p *entsoe) document() error {
	t, err := p.next(nil)
	if err != nil {
		return fmt.Errorf("no XML document: %w", err)
	}
	root, ok := t.(xml.StartElement)
	if !ok {
		return errors.New("no XML document")
	}
	switch root.Name.Local {
	case "Publication_MarketDocument":
	case "Acknowledgement_MarketDocument":
		return p.acknowledgement()
	default:
		return fmt.Errorf("the document is a %.60s, want a Publication_MarketDocument", root.Name.Local)
	}
	return p.children(func(name string) error {
		switch name {
		case "createdDateTime":
			text, err := p.text()
			if t, e := time.Parse(time.RFC3339, text); e == nil {
				p.out.Issued = t.UTC()
			}
			return err
		case "TimeSeries":
			return p.timeSeries()
		}
		return p.dec.Skip()
	})
}

func (p *entsoe) acknowledgement() error {
	var codes, words []string
	err := p.children(func(name string) error {
		if name != "Reason" {
			return p.dec.Skip()
		}
		return p.children(func(name string) error {
			text, err := p.text()
			switch name {
			case "code":
				codes = append(codes, text)
			case "text":
				words = append(words, text)
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	all := strings.Join(words, "; ")
	if strings.Contains(strings.ToLower(all), "no matching data") {
		return ErrNothingPublished
	}
	return fmt.Errorf("%w: code %.20q, %.300q", errSaid, strings.Join(codes, ", "), all)
}

func (p *entsoe) timeSeries() error {
	s := priceSeries{line: p.line()}
	err := p.children(func(name string) error {
		switch name {
		case "in_Domain.mRID":
			return p.into(&s.in)
		case "out_Domain.mRID":
			return p.into(&s.outArea)
		case "contract_MarketAgreement.type":
			return p.into(&s.contract)
		case "currency_Unit.name":
			return p.into(&s.currency)
		case "price_Measure_Unit.name":
			return p.into(&s.unit)
		case "classificationSequence_AttributeInstanceComponent.position":
			return p.into(&s.position)
		case "curveType":
			return p.into(&s.curve)
		case "Period":
			return p.period(&s)
		}
		return p.dec.Skip()
	})
	p.series = append(p.series, s)
	return err
}

func (p *entsoe) period(s *priceSeries) error {
	one := pricePeriod{line: p.line()}
	err := p.children(func(name string) error {
		switch name {
		case "timeInterval":
			return p.children(func(name string) error {
				switch name {
				case "start":
					return p.into(&one.start)
				case "end":
					return p.into(&one.end)
				}
				return p.dec.Skip()
			})
		case "resolution":
			return p.into(&one.resolution)
		case "Point":
			pt := pricePoint{line: p.line()}
			err := p.children(func(name string) error {
				switch name {
				case "position":
					return p.into(&pt.position)
				case "price.amount":
					return p.into(&pt.amount)
				}
				return p.dec.Skip()
			})
			one.points = append(one.points, pt)
			return err
		}
		return p.dec.Skip()
	})
	s.periods = append(s.periods, one)
	return err
}

// result makes one series of what was read.
func (p *entsoe) result() (Bulletin, error) {
	b := &p.out
	byStep := map[time.Duration][]block{}
	area, passed := p.area, 0
	for _, s := range p.series {
		if s.contract != "" && s.contract != "A01" || s.position != "" && s.position != "1" {
			passed++
			continue
		}
		switch {
		case s.in != "" && s.outArea != "" && s.in != s.outArea:
			b.refuse(s.line, "a series between %.20q and %.20q is no price of one area", s.in, s.outArea)
			continue
		case s.in != "" && area != "" && s.in != area:
			b.refuse(s.line, "the series is of the area %.20q, want %s", s.in, area)
			continue
		case s.currency != "" && s.currency != "EUR":
			b.refuse(s.line, "prices in %.10q, want EUR", s.currency)
			continue
		case s.unit != "" && s.unit != "MWH":
			b.refuse(s.line, "prices per %.10q, want MWH", s.unit)
			continue
		case s.curve != "" && s.curve != "A01" && s.curve != "A03":
			b.refuse(s.line, "curve type %.10q, want A01 or A03", s.curve)
			continue
		}
		if area == "" {
			area = s.in
		}
		for _, period := range s.periods {
			step, blocks := p.blocks(s, period)
			byStep[step] = append(byStep[step], blocks...)
		}
	}
	var all []block
	finest := time.Duration(0)
	for _, step := range []time.Duration{time.Hour, 30 * time.Minute, 15 * time.Minute} {
		if len(byStep[step]) > 0 {
			all, finest = append(all, byStep[step]...), step
		}
	}
	if len(all) == 0 {
		if passed > 0 && len(b.Refused) == 0 {
			return *b, fmt.Errorf("entso-e: %d series of other auctions, and none of the day-ahead coupling: %w", passed, ErrNothingPublished)
		}
		return *b, errors.New("entso-e: no price in the document")
	}
	b.Series = map[string]timegrid.Series{DayAheadPrice: b.lay("price", all, finest)}
	return *b, nil
}

// blocks are the prices of a period, with its step.
func (p *entsoe) blocks(s priceSeries, period pricePeriod) (time.Duration, []block) {
	b := &p.out
	steps := map[string]time.Duration{"PT15M": 15 * time.Minute, "PT30M": 30 * time.Minute, "PT60M": time.Hour, "PT1H": time.Hour}
	step, ok := steps[period.resolution]
	if !ok {
		b.refuse(period.line, "resolution %.20q, want PT15M, PT30M or PT60M", period.resolution)
		return 0, nil
	}
	start, err := entsoeTime(period.start)
	end, err2 := entsoeTime(period.end)
	if err := errors.Join(err, err2); err != nil {
		b.refuse(period.line, "period: %w", err)
		return 0, nil
	}
	n := int(end.Sub(start) / step)
	if n < 1 || n > maxPoints || start.Add(time.Duration(n)*step) != end || !timegrid.Floor(start, step).Equal(start) {
		b.refuse(period.line, "a period from %s to %s is none of %v steps", period.start, period.end, step)
		return 0, nil
	}
	values := make([]float64, n)
	for i := range values {
		values[i] = math.NaN()
	}
	given := make([]bool, n)
	for _, pt := range period.points {
		pos, err := strconv.Atoi(pt.position)
		if err != nil || pos < 1 || pos > n {
			b.refuse(pt.line, "position %.20q lies outside 1 to %d", pt.position, n)
			continue
		}
		if given[pos-1] {
			b.refuse(pt.line, "position %d is there twice", pos)
			continue
		}
		given[pos-1] = true
		v, err := strconv.ParseFloat(pt.amount, 64)
		if err != nil || !(math.Abs(v) <= maxEURPerMW) {
			b.refuse(pt.line, "price %.20q at position %d is no number of EUR/MWh within ±%g", pt.amount, pos, maxEURPerMW)
			continue
		}
		values[pos-1] = v / 1000
	}
	switch first := slices.Index(given, true); {
	case first < 0:
		b.refuse(period.line, "the period from %s has no point", period.start)
	case first > 0 && s.curve != "A01":
		b.refuse(period.line, "the period from %s begins with position %d: there is no price before it that would hold", period.start, first+1)
	}
	if s.curve != "A01" { // a price that was refused is not the one before
		for i := 1; i < n; i++ {
			if !given[i] {
				values[i] = values[i-1]
			}
		}
	}
	var out []block
	for i, v := range values {
		if !math.IsNaN(v) {
			at := start.Add(time.Duration(i) * step)
			out = append(out, block{timegrid.Span{Start: at, End: at.Add(step)}, v, period.line})
		}
	}
	return step, slices.Clip(out)
}

// entsoeTime reads an instant such as 2026-10-24T22:00Z.
func entsoeTime(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02T15:04Z07:00", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("time %.30q is no instant such as 2026-10-24T22:00Z", text)
}
