package backtest

import (
	"fmt"
	"regexp"
	"strings"
)

// words are the texts of a result's page in one language.
type words struct {
	lang       string
	of         map[string]string // by the English text; what is not there is as it is in English
	commas     bool              // numbers have a decimal comma
	date, time string            // forms of [time.Time.Format]
}

// The languages of the page.
var languages = map[string]*words{
	"en": {lang: "en", date: "2006-01-02", time: "2006-01-02T15:04"},
	"fr": {lang: "fr", of: french, commas: true, date: "02/01/2006", time: "02/01/2006 15:04"},
}

// say returns a text in the language.
func (w *words) say(text string) string {
	if t, ok := w.of[text]; ok {
		return t
	}
	return text
}

// number is a number with decimals.
func (w *words) number(v float64, decimals int) string {
	text := fmt.Sprintf("%.*f", decimals, v)
	if w.commas {
		text = strings.Replace(text, ".", ",", 1)
	}
	return text
}

// value is a setting for people.
func (w *words) value(v any) string {
	switch v := v.(type) {
	case bool:
		return w.say(fmt.Sprint(v))
	case float64:
		if text := fmt.Sprint(v); w.commas {
			return strings.Replace(text, ".", ",", 1)
		}
	case string:
		return w.note(v)
	case []string:
		return strings.Join(v, "; ")
	}
	return fmt.Sprint(v)
}

// note returns a note, or a setting in words, in the language: what fills its template stays. One that has no template stays as it is.
func (w *words) note(text string) string {
	if w.of == nil {
		return text
	}
	for _, n := range notesFrench {
		if m := n.match.FindStringSubmatch(text); m != nil {
			args := make([]any, 0, len(m))
			for _, s := range m[1:] {
				args = append(args, w.say(w.part(s)))
			}
			return fmt.Sprintf(n.french, args...)
		}
	}
	return w.say(text)
}

var decimal = regexp.MustCompile(`^-?\d+\.\d+$`)

// part is what fills a template: a number, a name, or names with how many more there are.
func (w *words) part(s string) string {
	if decimal.MatchString(s) {
		return strings.Replace(s, ".", ",", 1)
	}
	if first, more, ok := strings.Cut(s, " and "); ok && strings.HasSuffix(more, " more") {
		return first + " et " + strings.TrimSuffix(more, " more") + " autres"
	}
	return s
}

// phrase is a note in English and in French.
type phrase struct {
	english, french string
	match           *regexp.Regexp
}

var verb = regexp.MustCompile(`%(?:\.\d+)?[a-z]`)

// templates makes phrases of pairs; the verbs of the French one are all %s, in the order of the English ones.
func templates(pairs [][2]string) (out []phrase) {
	for _, p := range pairs {
		var match strings.Builder
		rest := p[0]
		match.WriteByte('^')
		for {
			at := verb.FindStringIndex(rest)
			if at == nil {
				break
			}
			match.WriteString(regexp.QuoteMeta(strings.ReplaceAll(rest[:at[0]], "%%", "%")) + "(.+?)")
			rest = rest[at[1]:]
		}
		match.WriteString(regexp.QuoteMeta(strings.ReplaceAll(rest, "%%", "%")) + "$")
		out = append(out, phrase{p[0], p[1], regexp.MustCompile(match.String())})
	}
	return out
}
