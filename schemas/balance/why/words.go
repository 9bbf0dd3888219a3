package why

// Words are what a code says.
type Words struct{ EN, FR string }

// Codes returns every code with its words.
func Codes() map[Code]Words { return words }

// Of indicators.
const (
	NoRows        Code = "nothing_measured"
	NoProduction  Code = "no_production"
	NoConsumption Code = "no_consumption"
	Filling       Code = "storage_fills"
	NoConnection  Code = "connection_unknown"
	NoHour        Code = "no_full_hour"
	NothingPassed Code = "nothing_passed"
	NothingDrawn  Code = "nothing_drawn"
	NothingStored Code = "nothing_stored"
	NoForecast    Code = "no_forecast"
	NoPower       Code = "only_zero"
	NoZone        Code = "no_comfort_band"
	NoRoom        Code = "no_room_temperature"
	NoInverter    Code = "no_inverter"
	NoLimit       Code = "no_limit"
	NoIrradiance  Code = "no_irradiance"
	NeverFree     Code = "never_free"
	NotPublished  Code = "not_published_here"
	NotClosed     Code = "no_month_closed"
)

// Of positive-energy balances and their projections.
const (
	NotTwelveMonths Code = "not_twelve_months"
	LowCoverage     Code = "coverage_low" // coverage, least: Share
	NetsByMonth     Code = "nets_by_month"
	NetsByYear      Code = "nets_by_year"
	DayMissing      Code = "day_missing"             // day: Day
	FewDays         Code = "few_days"                // days, needed: int
	LastYearMissing Code = "last_year_lacks"         // day: Day
	NoFactor        Code = "no_factor"               // profile: name, carrier: Carrier, day: Day
	NoCarrierFactor Code = "carrier_no_factor"       // profile: name, carrier: Carrier
	ChangesInMonth  Code = "factor_changes_in_month" // profile: name, carrier: Carrier, day: Day
	ChangesInYear   Code = "factor_changes_in_year"  // the same
)

var words = map[Code]Words{
	NoRows:        {"nothing was measured", "rien n’a été mesuré"},
	NoProduction:  {"there is no production", "il n’y a pas de production"},
	NoConsumption: {"there is no consumption", "il n’y a pas de consommation"},
	Filling:       {"more was drawn to fill storage than has come back", "le stockage a été rempli de plus d’énergie soutirée qu’il n’en a rendu"},
	NoConnection:  {"the power of the connection is not known", "la puissance du raccordement n’est pas connue"},
	NoHour:        {"no full hour was measured", "aucune heure entière n’a été mesurée"},
	NothingPassed: {"nothing passed the boundary", "rien n’a franchi la frontière"},
	NothingDrawn:  {"nothing would have been drawn", "rien n’aurait été soutiré"},
	NothingStored: {"nothing was stored", "rien n’a été stocké"},
	NoForecast:    {"no forecast was held against what was measured", "aucune prévision n’a été comparée aux mesures"},
	NoPower:       {"nothing but zero was measured", "seul zéro a été mesuré"},
	NoZone:        {"no heated zone has a comfort band", "aucune zone chauffée n’a de bande de confort"},
	NoRoom:        {"no room temperature was measured", "aucune température de pièce n’a été mesurée"},
	NoInverter:    {"there is no inverter", "il n’y a pas d’onduleur"},
	NoLimit:       {"no inverter tells its limit", "aucun onduleur n’indique sa limite"},
	NoIrradiance:  {"no irradiance is measured", "l’ensoleillement n’est pas mesuré"},
	NeverFree:     {"an inverter was never without a limit, so that what it could have given is not known", "un onduleur n’a jamais été sans limite : ce qu’il aurait pu produire n’est pas connu"},
	NotPublished:  {"it is published for the whole district alone", "elle n’est publiée que pour le quartier entier"},
	NotClosed:     {"no closed month of the period has the figures", "aucun mois clos de la période n’a ces chiffres"},

	NotTwelveMonths: {"the period is not twelve full months", "la période ne fait pas douze mois entiers"},
	LowCoverage:     {"coverage {coverage} is below the profile's {least}", "la couverture de {coverage} est inférieure aux {least} du profil"},
	NetsByMonth:     {"the profile nets by the month, and days cannot be added up", "le profil compense par mois, et les jours ne s’additionnent pas"},
	NetsByYear:      {"the profile nets by the year, and days cannot be added up", "le profil compense par an, et les jours ne s’additionnent pas"},
	DayMissing:      {"{day} was not measured", "le {day} n’a pas été mesuré"},
	FewDays:         {"{days} days were measured in this year and the last, {needed} are needed", "{days} jours ont été mesurés cette année et l’année passée, il en faut {needed}"},
	LastYearMissing: {"last year has no measured day for {day}", "l’année passée n’a pas de jour mesuré pour le {day}"},
	NoFactor:        {"profile {profile} has no factor for {carrier} on {day}", "le profil {profile} n’a pas de facteur pour {carrier} le {day}"},
	NoCarrierFactor: {"profile {profile} has no factor for {carrier}, which the district meters, and does not leave it out", "le profil {profile} n’a pas de facteur pour {carrier}, que le quartier mesure, et ne l’exclut pas"},
	ChangesInMonth:  {"profile {profile} nets by the month, and its factor for {carrier} changes inside one on {day}", "le profil {profile} compense par mois, et son facteur pour {carrier} change au milieu de l’un d’eux, le {day}"},
	ChangesInYear:   {"profile {profile} nets by the year, and its factor for {carrier} changes inside one on {day}", "le profil {profile} compense par an, et son facteur pour {carrier} change au milieu de l’un d’eux, le {day}"},
}
