package console

import (
	_ "embed"
	"encoding/json"

	"quartier/schemas/district"
)

//go:embed web/src/lib/i18n/alarms.json
var alarmWords []byte

// AlarmWords returns the text of an alarm's key in a language, fr or en, as the console shows it; the key itself where it has none.
var AlarmWords = func() func(language, key string) string {
	var words map[string]map[string]string
	if err := json.Unmarshal(alarmWords, &words); err != nil {
		panic("console: alarms.json: " + err.Error()) // a file of this package
	}
	return func(language, key string) string {
		if text, ok := words[language]["alarm."+key]; ok {
			return text
		}
		return key
	}
}()

// ObjectName returns the name for people of an object such as fontaine/ecole/pv.
func ObjectName(d *district.District, object string) string { return objectName(d, object) }
