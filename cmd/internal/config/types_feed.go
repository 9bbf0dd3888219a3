package config

// Feed is a source outside of Quartier that is asked again and again for what it publishes.
type Feed struct {
	ID      string  `yaml:"id" required:"true" pattern:"id" doc:"short name by which tariffs, carbon sources and districts refer to it"`
	Kind    string  `yaml:"kind" required:"true" enum:"open_meteo,entso_e,eco2mix" doc:"open_meteo: weather at a district's place; entso_e: prices of the day-ahead market; eco2mix: carbon intensity of metropolitan France"`
	URL     string  `yaml:"url" pattern:"url" doc:"address of the service, where it is not the public one"`
	Area    string  `yaml:"area" when:"kind=entso_e" required:"true" pattern:"eic" doc:"EIC code of the bidding zone, such as 10YFR-RTE------C"`
	KeyFile string  `yaml:"key_file" doc:"file that holds the service's token and nothing else; relative to this file; entso_e needs one, open_meteo has one for subscribers"`
	KeyEnv  string  `yaml:"key_env" pattern:"env" doc:"environment variable that holds it"`
	Assumed float64 `yaml:"assumed_eur_per_kwh" when:"kind=entso_e" def:"0.08" min:"-1" max:"5" doc:"market price with which plans and balances are made while none was published and no similar day of the last three weeks has one"`
	Every   float64 `yaml:"every_minutes" def:"30" min:"5" max:"1440" doc:"time between two documents; after a failure it is asked sooner, and ever more seldom"`
	Timeout float64 `yaml:"timeout_seconds" def:"20" min:"1" max:"300" doc:"time in which the whole document must be there"`
	Silent  float64 `yaml:"silent_hours" def:"6" min:"0.5" max:"168" doc:"age of its last sound answer from which an alarm says that it is silent"`
}
