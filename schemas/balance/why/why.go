// Package why holds the reasons for which an account gives no figure or no verdict: each a code for programs, with what it is about, and its words in English and French, which commands, reports and the console show.
package why

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Code is one reason.
type Code string

// Reason is why there is no figure. The zero value is none.
type Reason struct {
	Code   Code
	Values map[string]any // by the names in the words of the code: an int, [Share], [Day], [Carrier] or a string that is a name
}

// Share is a part of something, in [0, 1], shown as a percentage with one decimal.
type Share float64

// Day is a civil day of the account's zone, at any time of it.
type Day time.Time

// Carrier is an energy carrier by its name in the record.
type Carrier string

// Of returns a reason that is about nothing in particular.
func Of(c Code) Reason { return Reason{Code: c} }

// Error is a reason as an error.
type Error struct{ Reason Reason }

func (e *Error) Error() string { return e.Reason.In("en") }

var carriers = map[string]map[Carrier]string{
	"en": {"electricity": "electricity", "heat": "heat", "cold": "cold", "gas": "gas", "hot_water": "hot water"},
	"fr": {"electricity": "l’électricité", "heat": "la chaleur", "cold": "le froid", "gas": "le gaz", "hot_water": "l’eau chaude"},
}

var placeholder = regexp.MustCompile(`\{\w+\}`)

// In returns the reason in words of a language, "fr" or else English; the code where it has none.
func (r Reason) In(language string) string {
	w, ok := words[r.Code]
	if !ok {
		return string(r.Code)
	}
	text, french := w.EN, language == "fr"
	if french {
		text = w.FR
	}
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		v, ok := r.Values[name[1:len(name)-1]]
		if !ok {
			return name
		}
		return show(v, french)
	})
}

func show(v any, french bool) string {
	switch v := v.(type) {
	case Share:
		text := strconv.FormatFloat(100*float64(v), 'f', 1, 64) + " %"
		if french {
			return strings.NewReplacer(".", ",", " ", "\u202f").Replace(text)
		}
		return text
	case Day:
		if french {
			return time.Time(v).Format("02/01/2006")
		}
		return time.Time(v).Format(time.DateOnly)
	case Carrier:
		language := "en"
		if french {
			language = "fr"
		}
		if text, ok := carriers[language][v]; ok {
			return text
		}
		return string(v)
	}
	return fmt.Sprint(v)
}
