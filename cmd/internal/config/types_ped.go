package config

// PEDProfile is a calculation profile of the balance of a positive-energy district, inline in district.yaml or in a file of its own.
type PEDProfile struct {
	ID          string       `yaml:"id" required:"true" pattern:"id" doc:"short name; with the version it stands beside every figure of the profile"`
	Version     int          `yaml:"version" required:"true" min:"1" doc:"grows with every change that moves a figure"`
	NameFR      string       `yaml:"name_fr" doc:"French name for people; absent: the id"`
	NameEN      string       `yaml:"name_en" doc:"English name for people; absent: the id"`
	Note        string       `yaml:"note" doc:"the choices in words, and what they follow"`
	Boundary    string       `yaml:"boundary" def:"geographical" enum:"geographical,functional,virtual" doc:"geographical: the limit of the parcels; functional: of the networks that serve the buildings; virtual: with what is owned or contracted elsewhere"`
	Sites       []string     `yaml:"sites" doc:"ids of the sites that lie inside the boundary; absent: the whole district"`
	Excluded    []string     `yaml:"exclude_uses" doc:"uses that are left out of the boundary: mobility, the charging of cars; public lighting that has a site of its own is left out by sites"`
	FactorKind  string       `yaml:"factor_kind" required:"true" enum:"nren,ren,tot,final" doc:"nren, ren, tot: non-renewable, renewable or total primary energy; final: energies as metered, each factor 1"`
	Netting     string       `yaml:"netting" def:"step" enum:"step,hour,day,month,year" doc:"step at which delivery and export are netted; step: the metering step"`
	KExp        float64      `yaml:"k_exp" def:"1" min:"0" max:"1" doc:"weight of export (EN ISO 52000-1); 0: export is not counted"`
	Calorific   string       `yaml:"calorific" def:"gross" enum:"gross,net" doc:"calorific value of fuels that the factors are for"`
	Basis       string       `yaml:"basis" def:"average" enum:"average,marginal" doc:"how the factors were made: of the mix, or of what a change moves"`
	MinCoverage float64      `yaml:"min_coverage" def:"0.95" above:"0" max:"1" doc:"share of twelve months that must have been measured for the balance to be called positive or not"`
	Carriers    []PEDCarrier `yaml:"carriers" required:"true" doc:"the carriers that count, with their factors"`
	LeaveOut    []string     `yaml:"leave_out" doc:"carriers that do not count although they are metered; a metered carrier is in one of the two lists"`
}

// PEDCarrier is the factors of one carrier.
type PEDCarrier struct {
	Carrier string      `yaml:"carrier" required:"true" pattern:"carrier" doc:"electricity, heat, cold, gas, hot_water or another that a meter names"`
	Factors []PEDFactor `yaml:"factors" required:"true" doc:"dated factors, without overlap"`
}

// PEDFactor is the primary energy of a unit of a carrier.
type PEDFactor struct {
	From      string   `yaml:"from" pattern:"date" doc:"first day; absent: ever"`
	Until     string   `yaml:"until" pattern:"date" doc:"first day on which it no longer holds; absent: for ever"`
	Delivered float64  `yaml:"delivered" required:"true" min:"0" max:"10" doc:"kWh of primary energy per kWh delivered"`
	Exported  *float64 `yaml:"exported" min:"0" max:"10" doc:"kWh of primary energy per kWh exported; absent: as delivered"`
	Year      int      `yaml:"year" min:"1990" max:"2100" doc:"year that the value describes"`
	Source    string   `yaml:"source" required:"true" doc:"publication that the value is taken from"`
}

// PEDFile names a file that holds one profile.
type PEDFile struct {
	Path string `yaml:"path" required:"true" doc:"YAML file of one profile; relative to this file"`
}

// PEDChoice is a profile by which a district is balanced.
type PEDChoice struct {
	ID string `yaml:"id" required:"true" pattern:"id" doc:"id of a profile: of this file, of a profile file, or built in"`
}
