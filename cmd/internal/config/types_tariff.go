package config

// Tariff is a dated tariff.
type Tariff struct {
	ID      string      `yaml:"id" required:"true" pattern:"id" doc:"short name by which districts and sites refer to it"`
	Name    string      `yaml:"name" doc:"name for people; absent: the id"`
	Kind    string      `yaml:"kind" required:"true" enum:"base,hp_hc,tempo,series,dynamic" doc:"base: one price; hp_hc: peak and off-peak hours; tempo: six prices by colour and hour; series: prices of a file; dynamic: a formula on the prices of a file"`
	Zone    string      `yaml:"time_zone" def:"Europe/Paris" doc:"IANA time zone of its dates and hours"`
	Taxes   string      `yaml:"taxes" def:"included" enum:"included,excluded" doc:"whether its prices include all taxes"`
	Rows    []Row       `yaml:"rows" doc:"dated prices; a row holds until the next begins; all kinds but series need one"`
	Network []Charge    `yaml:"network" doc:"dated network charge within the price of each kWh, before VAT; stays due on shared energy; in place of the rows' network_eur_per_kwh"`
	Excise  []Charge    `yaml:"excise" doc:"dated excise within the price of each kWh, before VAT; stays due on shared energy unless the sharing is exempt; in place of the rows' excise_eur_per_kwh"`
	VAT     []Rate      `yaml:"vat_rates" doc:"dated VAT within prices that include taxes: what network and excise are raised by"`
	OffPeak []OffPeak   `yaml:"off_peak" when:"kind=hp_hc" required:"true" doc:"off-peak windows"`
	Days    []TempoDay  `yaml:"tempo_days" when:"kind=tempo" doc:"the white and red days; the others are blue"`
	Known   *TempoKnown `yaml:"tempo_known" when:"kind=tempo" doc:"the days whose colour is known; absent: all"`
	File    *SeriesFile `yaml:"file" when:"kind=series,dynamic" doc:"file of prices; one of file and feed is needed"`
	Feed    string      `yaml:"feed" when:"kind=series,dynamic" doc:"id of the feed of prices: what it published is in the record, and prices of the time to come are as published, and foreseen beyond"`
}

// Row is a set of prices from a day on. Which prices it has follows from the tariff's kind.
type Row struct {
	From         string   `yaml:"from" required:"true" pattern:"date" doc:"first day"`
	Until        string   `yaml:"until" pattern:"date" doc:"first day on which it no longer holds; absent: until the next row begins"`
	Base         *float64 `yaml:"base_eur_per_kwh" min:"-5" max:"5" doc:"kind base: the price"`
	HP           *float64 `yaml:"hp_eur_per_kwh" min:"-5" max:"5" doc:"kind hp_hc: peak hours (heures pleines)"`
	HC           *float64 `yaml:"hc_eur_per_kwh" min:"-5" max:"5" doc:"kind hp_hc: off-peak hours (heures creuses)"`
	BlueHP       *float64 `yaml:"blue_hp_eur_per_kwh" min:"-5" max:"5" doc:"kind tempo: blue days, 6:00 to 22:00"`
	BlueHC       *float64 `yaml:"blue_hc_eur_per_kwh" min:"-5" max:"5" doc:"kind tempo: blue days, 22:00 to 6:00"`
	WhiteHP      *float64 `yaml:"white_hp_eur_per_kwh" min:"-5" max:"5" doc:"kind tempo: white days, 6:00 to 22:00"`
	WhiteHC      *float64 `yaml:"white_hc_eur_per_kwh" min:"-5" max:"5" doc:"kind tempo: white days, 22:00 to 6:00"`
	RedHP        *float64 `yaml:"red_hp_eur_per_kwh" min:"-5" max:"5" doc:"kind tempo: red days, 6:00 to 22:00"`
	RedHC        *float64 `yaml:"red_hc_eur_per_kwh" min:"-5" max:"5" doc:"kind tempo: red days, 22:00 to 6:00"`
	Times        *float64 `yaml:"times" min:"0" max:"5" doc:"kind dynamic: factor on the price of the file: (price x times + plus_eur_per_kwh) x (1 + vat)"`
	Plus         *float64 `yaml:"plus_eur_per_kwh" min:"-5" max:"5" doc:"kind dynamic: network, excise and fee, before VAT"`
	VAT          *float64 `yaml:"vat" min:"0" max:"1" doc:"kind dynamic: VAT, a share"`
	Export       float64  `yaml:"export_eur_per_kwh" def:"0" min:"-5" max:"5" doc:"what is paid for energy fed into the grid"`
	Network      float64  `yaml:"network_eur_per_kwh" def:"0" min:"0" max:"1" doc:"part of the price that is network charge, with VAT where taxes are included; it stays due on shared energy"`
	Excise       float64  `yaml:"excise_eur_per_kwh" def:"0" min:"0" max:"1" doc:"part of the price that is excise, with VAT where taxes are included; it stays due on shared energy unless the sharing is exempt"`
	Subscription float64  `yaml:"subscription_eur_per_month" def:"0" min:"0" max:"100000" doc:"standing charge"`
	Source       string   `yaml:"source" doc:"publication that the row is taken from"`
}

// Charge is a public charge from a day on.
type Charge struct {
	From    string   `yaml:"from" required:"true" pattern:"date" doc:"first day"`
	Until   string   `yaml:"until" pattern:"date" doc:"first day on which it no longer holds; absent: until the next row begins"`
	All     *float64 `yaml:"eur_per_kwh" min:"0" max:"1" doc:"the charge before VAT, in every period that has none of its own"`
	HP      *float64 `yaml:"hp_eur_per_kwh" min:"0" max:"1" doc:"kind hp_hc: in peak hours"`
	HC      *float64 `yaml:"hc_eur_per_kwh" min:"0" max:"1" doc:"kind hp_hc: in off-peak hours"`
	BlueHP  *float64 `yaml:"blue_hp_eur_per_kwh" min:"0" max:"1" doc:"kind tempo: blue days, 6:00 to 22:00"`
	BlueHC  *float64 `yaml:"blue_hc_eur_per_kwh" min:"0" max:"1" doc:"kind tempo: blue days, 22:00 to 6:00"`
	WhiteHP *float64 `yaml:"white_hp_eur_per_kwh" min:"0" max:"1" doc:"kind tempo: white days, 6:00 to 22:00"`
	WhiteHC *float64 `yaml:"white_hc_eur_per_kwh" min:"0" max:"1" doc:"kind tempo: white days, 22:00 to 6:00"`
	RedHP   *float64 `yaml:"red_hp_eur_per_kwh" min:"0" max:"1" doc:"kind tempo: red days, 6:00 to 22:00"`
	RedHC   *float64 `yaml:"red_hc_eur_per_kwh" min:"0" max:"1" doc:"kind tempo: red days, 22:00 to 6:00"`
	Source  string   `yaml:"source" required:"true" doc:"decision or law that the row is taken from"`
}

// Rate is a rate from a day on.
type Rate struct {
	From   string  `yaml:"from" required:"true" pattern:"date" doc:"first day"`
	Until  string  `yaml:"until" pattern:"date" doc:"first day on which it no longer holds; absent: until the next row begins"`
	Share  float64 `yaml:"share" required:"true" min:"0" max:"1" doc:"the rate, such as 0.2"`
	Source string  `yaml:"source" required:"true" doc:"law that the row is taken from"`
}

// OffPeak is an off-peak window and when it holds.
type OffPeak struct {
	From       string `yaml:"from" required:"true" pattern:"clock" doc:"local time of its beginning, such as 22:30"`
	To         string `yaml:"to" required:"true" pattern:"clock" doc:"local time of its end; earlier than from: across midnight"`
	FirstMonth int    `yaml:"first_month" min:"1" max:"12" doc:"first month of the year in which it holds; absent: the whole year"`
	LastMonth  int    `yaml:"last_month" min:"1" max:"12" doc:"last month, inclusive; below first_month: over the new year"`
	ValidFrom  string `yaml:"valid_from" pattern:"date" doc:"first day; absent: ever"`
	ValidUntil string `yaml:"valid_until" pattern:"date" doc:"first day on which it no longer holds; absent: for ever"`
}

// TempoDay is the colour of a Tempo day, which runs from 6:00 to 6:00.
type TempoDay struct {
	Date   string `yaml:"date" required:"true" pattern:"date" doc:"the civil day at whose 6:00 it begins"`
	Colour string `yaml:"colour" required:"true" enum:"blue,white,red" doc:"its colour"`
}

// TempoKnown is the span of days whose colour is known.
type TempoKnown struct {
	From   string `yaml:"from" required:"true" pattern:"date" doc:"first day whose colour is known"`
	Until  string `yaml:"until" required:"true" pattern:"date" doc:"first day whose colour is no longer known"`
	Others string `yaml:"others" def:"refuse" enum:"refuse,blue,white,red" doc:"colour with which all other days are priced; refuse: they have no price"`
}

// SeriesFile is a CSV file of times and values.
type SeriesFile struct {
	Path        string `yaml:"path" required:"true" doc:"CSV file with a header line, gzipped when its name ends in .gz; relative to this file"`
	Column      string `yaml:"column" required:"true" doc:"column of the values; the first column holds the UTC time at which each begins"`
	Unit        string `yaml:"unit" required:"true" doc:"unit of the column, such as EUR/MWh or gCO2e/kWh"`
	StepMinutes int    `yaml:"step_minutes" required:"true" enum:"5,10,15,30,60" doc:"how long each value holds"`
}

// Carbon is a source of the grid's carbon intensity.
type Carbon struct {
	ID      string      `yaml:"id" required:"true" pattern:"id" doc:"short name by which districts refer to it"`
	Name    string      `yaml:"name" doc:"name for people; absent: the id"`
	Kind    string      `yaml:"kind" required:"true" enum:"constant,dated,series" doc:"constant: one number; dated: rows with dates, such as a yearly factor; series: values in time, of a file or, without one, of the district's record, which an import or a feed fills"`
	GPerKWh float64     `yaml:"g_per_kwh" min:"0" max:"3000" doc:"kind constant: the intensity; kind series: what is assumed where the record has none; kind dated: where no row holds"`
	Zone    string      `yaml:"time_zone" def:"Europe/Paris" doc:"IANA time zone of the rows' dates"`
	Rows    []CarbonRow `yaml:"rows" when:"kind=dated" required:"true" doc:"dated factors; a row holds until the next begins"`
	File    *SeriesFile `yaml:"file" when:"kind=series" doc:"file of intensities; absent: the record"`
	Feed    string      `yaml:"feed" when:"kind=series" doc:"id of the feed that fills the record; absent: an import does"`
	Scope   string      `yaml:"scope" def:"direct" enum:"direct,lifecycle" doc:"direct: combustion alone; lifecycle: with fuels and construction"`
	Basis   string      `yaml:"basis" def:"production" enum:"production,consumption" doc:"production: of the country's plants; consumption: with imports"`
	Method  string      `yaml:"method" def:"average" enum:"average,marginal" doc:"average: an inventory; marginal: the effect of a decision"`
	Source  string      `yaml:"source" doc:"publication that the values are taken from"`
}

// CarbonRow is a carbon intensity from a day on.
type CarbonRow struct {
	From    string  `yaml:"from" required:"true" pattern:"date" doc:"first day"`
	Until   string  `yaml:"until" pattern:"date" doc:"first day on which it no longer holds; absent: until the next row begins"`
	GPerKWh float64 `yaml:"g_per_kwh" required:"true" min:"0" max:"3000" doc:"the intensity"`
	Vintage string  `yaml:"vintage" doc:"year or edition of the publication"`
	Source  string  `yaml:"source" required:"true" doc:"publication that the row is taken from"`
}
