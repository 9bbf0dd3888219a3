package config

import "quartier/schemas/district"

// silence checks the fall-back of limits from outside and builds it; nil without one. limits are the configured ones beside it.
func (b *builder) silence(f *Silence, path string, importKW, exportKW *float64) *district.Silence {
	if f == nil {
		return nil
	}
	path += ".silence"
	if f.ImportKW == nil && f.ExportKW == nil {
		b.say(path, "neither import_limit_kw nor export_limit_kw is given: nothing would hold")
	}
	check := func(key string, fall, limit *float64) {
		if fall != nil && limit != nil && *fall > *limit {
			b.say(path+"."+key, "%v kW is above the limit of %v kW that holds anyway", *fall, *limit)
		}
	}
	check("import_limit_kw", f.ImportKW, importKW)
	check("export_limit_kw", f.ExportKW, exportKW)
	return &district.Silence{ImportLimitKW: f.ImportKW, ExportLimitKW: f.ExportKW, For: span(f.Hours * 60)}
}
