package report

import (
	"reflect"
	"strings"
)

// catalogue has every text of the report in one language. A %s stands for a number, name or date that is already written; every language has the same ones in each text.
type catalogue struct {
	Lang, Title, For, DeliveryPoint, MadeOn string

	UsedAll, UsedShared, UsedOwn, UsedBoth, UsedNone, NotMeasured, Lower, Higher, SharedLower, SharedHigher, Same string // the sentence

	Chart, ChartDesc, ChartMonth, Own, Shared, Grid, NoData, DayTable, Day, PerDay string

	Exact, ExactNote, Consumption, FromOwn, FromShared, FromGrid, Avoided, Paid, Effect, NoSharing string

	BillLines, BillPeriod, BillEnergy, BillPrice, BillNetwork, BillExcise, BillAvoided, BillPaid, BillEffect, BillTotal, BillSince, BillLine, BillVAT, BillSources string // the bill by tariff period

	PeriodBase, PeriodHP, PeriodHC, PeriodBlueHP, PeriodBlueHC, PeriodWhiteHP, PeriodWhiteHC, PeriodRedHP, PeriodRedHC, PeriodMarket string

	SourcePrice, SourceNetwork, SourceExcise, SourceSharing string

	Estimate, EstimateNote, LessSure, MoreSure, LessUnsure, MoreUnsure, ModelFailed, NoComparison, NotAdded string

	Method, MethodDays, MethodTemperature, MethodHeating, MethodCooling string

	Carbon, CarbonUsed, CarbonAvoided, CarbonDirect, CarbonLife, NoCarbon string

	District, DistrictMade, DistrictUsed, DistrictKept, DistrictSaved, DistrictCostMore, DistrictNote string

	Hint, HintShift, HintShiftWorth, HintNight, HintEvening, HintGap, HintThanks string

	How, HowMeter, HowShare, HowDynamic, HowStatic, HowBill, HowExempt, HowDue, HowCarbon, HowBaseline, BaselineOwn, HowCoverage, HowGaps, HowSubstituted string

	Ask, Withdraw, WithdrawUndated, NoNeighbours string
}

// typeset puts unbreakable spaces before units and where French typography has a space before or inside punctuation.
func typeset(c catalogue) catalogue {
	r := strings.NewReplacer(" :", nbsp+":", " ;", thin+";", " ?", thin+"?", " !", thin+"!", "« ", "«"+nbsp, " »", nbsp+"»", "%s W ", "%s"+nbsp+"W ", "%s kWh", "%s"+nbsp+"kWh", "%s min", "%s"+nbsp+"min")
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		v.Field(i).SetString(r.Replace(v.Field(i).String()))
	}
	return c
}

var catalogues = map[string]catalogue{
	"fr": typeset(catalogue{
		Lang: "fr", Title: "Mon énergie en %s", For: "Rapport pour %s, %s", DeliveryPoint: "Point de livraison %s", MadeOn: "établi le %s",

		UsedAll:    "En %s, votre logement a consommé %s, entièrement fournis par le réseau.",
		UsedShared: "En %s, votre logement a consommé %s, dont %s venus des toits de votre quartier",
		UsedOwn:    "En %s, votre logement a consommé %s, dont %s venus du toit de votre bâtiment.",
		UsedBoth:   "En %s, votre logement a consommé %s, dont %s du toit de votre bâtiment et %s des autres toits de votre quartier",
		UsedNone:   "En %s, votre logement n’a consommé aucune électricité.", NotMeasured: "En %s, votre logement n’a pas été mesuré : aucun chiffre n’est donné.",
		Lower:       ", ce qui a réduit votre facture de %s.",
		Higher:      ", ce qui a augmenté votre facture de %s.",
		SharedLower: ". L’énergie partagée du quartier a réduit votre facture de %s.", SharedHigher: ". L’énergie partagée du quartier a augmenté votre facture de %s.",
		Same: ".",

		Chart: "Votre consommation jour par jour, selon son origine", ChartDesc: "Barres empilées, une par jour du mois, en kWh : %s du toit de votre bâtiment, %s des autres toits du quartier, %s du réseau.",
		ChartMonth: "Votre consommation du mois, selon son origine", Own: "toit du bâtiment", Shared: "autres toits du quartier", Grid: "réseau", NoData: "sans mesure",
		DayTable: "Les mêmes chiffres en tableau", Day: "Jour", PerDay: "kWh par jour",

		Exact: "Ce qui est exact", ExactNote: "compteurs et contrats", Consumption: "Consommation", FromOwn: "du toit du bâtiment", FromShared: "des autres toits du quartier", FromGrid: "du réseau",
		Avoided: "Non facturé par votre fournisseur", Paid: "Payé pour l’énergie partagée", Effect: "Effet sur votre facture",
		NoSharing: "Aucune énergie n’est partagée sur votre facture.",

		BillLines: "L’énergie partagée par période tarifaire", BillPeriod: "Période", BillEnergy: "Énergie (kWh)", BillPrice: "Prix du contrat (€/kWh)", BillNetwork: "Réseau dû (€)", BillExcise: "Accise due (€)",
		BillAvoided: "Non facturé (€)", BillPaid: "Payé (€)", BillEffect: "Effet (€)", BillTotal: "Total", BillSince: "%s, dès le %s", BillLine: "%s : %s", BillVAT: "TVA %s : %s", BillSources: "Tarifs et taxes. %s.",
		PeriodBase: "base", PeriodHP: "heures pleines", PeriodHC: "heures creuses", PeriodBlueHP: "jours bleus, heures pleines", PeriodBlueHC: "jours bleus, heures creuses", PeriodWhiteHP: "jours blancs, heures pleines",
		PeriodWhiteHC: "jours blancs, heures creuses", PeriodRedHP: "jours rouges, heures pleines", PeriodRedHC: "jours rouges, heures creuses", PeriodMarket: "prix du marché (moyenne)",
		SourcePrice: "Prix : %s", SourceNetwork: "Réseau : %s", SourceExcise: "Accise : %s", SourceSharing: "Partage : %s",

		Estimate: "Ce qui est estimé", EstimateNote: "comparaison, avec son incertitude",
		LessSure:     "Par rapport à ce que votre logement aurait probablement consommé par ce temps, vous avez économisé environ %s (entre %s et %s kWh, intervalle à %s).",
		MoreSure:     "Par rapport à ce que votre logement aurait probablement consommé par ce temps, vous avez utilisé environ %s de plus (écart entre %s et %s kWh, intervalle à %s).",
		LessUnsure:   "Par rapport à ce que votre logement aurait probablement consommé par ce temps : environ %s de moins (entre %s et %s kWh, intervalle à %s). Pas encore significatif : l’intervalle contient zéro.",
		MoreUnsure:   "Par rapport à ce que votre logement aurait probablement consommé par ce temps : environ %s de plus (entre %s et %s kWh, intervalle à %s). Pas encore significatif : l’intervalle contient zéro.",
		ModelFailed:  "Le modèle de comparaison n’a pas passé son test de qualité ce mois-ci : aucun chiffre n’est donné.",
		NoComparison: "Pas encore de comparaison : il faut douze mois de mesures avant le changement pour dire ce que votre logement aurait consommé par ce temps.",
		NotAdded:     "Cette estimation ne s’ajoute pas à l’effet sur la facture.",

		Method:     "Modèle : %s, ajusté de %s à %s ; écart type relatif CV(RMSE) %s ; méthode %s.",
		MethodDays: "consommation par jour", MethodTemperature: "part proportionnelle à la température", MethodHeating: "chauffage en degrés-jours, base %s", MethodCooling: "rafraîchissement en degrés-jours, base %s",

		Carbon: "CO₂", CarbonUsed: "Votre consommation a émis %s de CO₂e par le réseau.", CarbonAvoided: "Prise au réseau, l’énergie solaire utilisée en aurait émis %s de plus.",
		CarbonDirect: "Émissions directes des centrales, moyenne de production, heure par heure. Source : %s.", CarbonLife: "Émissions sur le cycle de vie, heure par heure. Source : %s.",
		NoCarbon: "Aucun signal carbone n’est enregistré pour ce mois.",

		District: "Le quartier %s", DistrictMade: "Production solaire : %s.", DistrictUsed: "Consommation : %s.",
		DistrictKept:     "%s de la production a été utilisée ou stockée sur place et a couvert %s de la consommation.",
		DistrictSaved:    "Stockage et pilotage : %s et %s de CO₂e de moins que la référence.",
		DistrictCostMore: "Stockage et pilotage, écart à la référence : %s et %s de CO₂e (négatif : plus que la référence).",
		DistrictNote:     "Profil : énergie finale, non pondérée. Électricité mesurée du mois ; un quartier à énergie positive se juge sur douze mois.",

		Hint: "Une idée pour le mois prochain", HintShift: "%s, le quartier avait le plus de soleil inutilisé, mais %s seulement de votre consommation y tombait. Une lessive, un lave-vaisselle ou un chauffe-eau à cette heure-là profiterait des toits du quartier.",
		HintShiftWorth: " Chaque kWh déplacé vaut environ %s pour vous.",
		HintNight:      "La nuit, de 2 à 5 h, votre logement tirait en moyenne %s W sans interruption : tenue tout le mois, cette puissance fait %s. Un appareil en veille ou un chauffe-eau déréglé s’y cache peut-être.",
		HintEvening:    "%s de votre consommation tombait entre 18 et 22 h, quand le réseau est le plus chargé. Une minuterie qui lance la lessive ou le chauffe-eau plus tard, ou vers midi, le soulage, et coûte moins cher si votre contrat a des heures creuses à ce moment-là.",
		HintGap:        "Il manque %s des mesures du mois. Si votre compteur a été changé ou coupé, dites-le-nous : le prochain rapport sera plus juste.",
		HintThanks:     "Votre consommation suit déjà bien le soleil du quartier. Continuez ainsi.",

		How: "Comment c’est calculé", HowMeter: "Les énergies viennent de compteurs, par pas de %s min.", HowShare: "Un compteur sert plusieurs foyers : vos chiffres sont %s de ceux de votre immeuble.",
		HowDynamic: "À chaque pas, la production du quartier est partagée au prorata des consommations (clé dynamique).", HowStatic: "À chaque pas, la production du quartier est partagée selon votre part fixe (clé statique).",
		HowBill:   "Non facturé : prix de votre contrat (%s) pour chaque période tarifaire, sans le réseau, qui reste dû. L’énergie partagée coûte %s.",
		HowExempt: "L’énergie partagée est exonérée d’accise.", HowDue: "L’accise reste due sur l’énergie partagée.",
		HowCarbon: "CO₂ : énergie du réseau multipliée par l’intensité de chaque pas.", HowBaseline: "Référence du quartier : %s",
		BaselineOwn: "le même quartier, sans batterie et sans pilotage de la recharge des voitures, mêmes bâtiments et même soleil.",
		HowCoverage: "Mesures disponibles : %s du mois pour vous, %s pour le quartier.", HowGaps: "Les jours sans mesure restent vides ; rien n’est extrapolé.", HowSubstituted: "Une partie des valeurs manquantes est remplacée par des estimations, marquées dans le registre ; les jours sans mesure restent vides.",

		Ask: "Une question ? %s", Withdraw: "Vous recevez ce rapport parce que vous l’avez demandé le %s. Vous pouvez retirer cet accord à tout moment, sans motif, auprès du même contact : l’envoi cesse et vos courbes de charge sont effacées.",
		WithdrawUndated: "Vous recevez ce rapport parce que vous l’avez accepté. Vous pouvez retirer cet accord à tout moment, sans motif, auprès du même contact : l’envoi cesse et vos courbes de charge sont effacées.",
		NoNeighbours:    "Aucune comparaison avec vos voisins n’est faite.",
	}),
	"en": typeset(catalogue{
		Lang: "en", Title: "My energy in %s", For: "Report for %s, %s", DeliveryPoint: "Delivery point %s", MadeOn: "made on %s",

		UsedAll:    "In %s your home used %s, all of it from the grid.",
		UsedShared: "In %s your home used %s; %s came from your district’s roofs",
		UsedOwn:    "In %s your home used %s; %s came from your building’s roof.",
		UsedBoth:   "In %s your home used %s; %s came from your building’s roof and %s from the district’s other roofs",
		UsedNone:   "In %s your home used no electricity.", NotMeasured: "In %s your home was not measured: no figure is given.",
		Lower:       ", which lowered your bill by %s.",
		Higher:      ", which raised your bill by %s.",
		SharedLower: ". The district’s shared energy lowered your bill by %s.", SharedHigher: ". The district’s shared energy raised your bill by %s.",
		Same: ".",

		Chart: "Your consumption day by day, by origin", ChartDesc: "Stacked bars, one per day of the month, in kWh: %s from your building’s roof, %s from the district’s other roofs, %s from the grid.",
		ChartMonth: "Your consumption of the month, by origin", Own: "building’s roof", Shared: "district’s other roofs", Grid: "grid", NoData: "not measured",
		DayTable: "The same figures as a table", Day: "Day", PerDay: "kWh per day",

		Exact: "What is exact", ExactNote: "meters and contracts", Consumption: "Consumption", FromOwn: "from the building’s roof", FromShared: "from the district’s other roofs", FromGrid: "from the grid",
		Avoided: "Not billed by your supplier", Paid: "Paid for shared energy", Effect: "Effect on your bill",
		NoSharing: "No energy is shared on your bill.",

		BillLines: "Shared energy by tariff period", BillPeriod: "Period", BillEnergy: "Energy (kWh)", BillPrice: "Price of the contract (€/kWh)", BillNetwork: "Network due (€)", BillExcise: "Excise due (€)",
		BillAvoided: "Not billed (€)", BillPaid: "Paid (€)", BillEffect: "Effect (€)", BillTotal: "Total", BillSince: "%s, from %s", BillLine: "%s: %s", BillVAT: "VAT %s: %s", BillSources: "Prices and taxes. %s.",
		PeriodBase: "base", PeriodHP: "peak hours", PeriodHC: "off-peak hours", PeriodBlueHP: "blue days, peak hours", PeriodBlueHC: "blue days, off-peak hours", PeriodWhiteHP: "white days, peak hours",
		PeriodWhiteHC: "white days, off-peak hours", PeriodRedHP: "red days, peak hours", PeriodRedHC: "red days, off-peak hours", PeriodMarket: "market price (mean)",
		SourcePrice: "Price: %s", SourceNetwork: "Network: %s", SourceExcise: "Excise: %s", SourceSharing: "Sharing: %s",

		Estimate: "What is estimated", EstimateNote: "a comparison, with its uncertainty",
		LessSure:     "Compared with what your home would probably have used in this weather, you saved about %s (between %s and %s kWh, %s interval).",
		MoreSure:     "Compared with what your home would probably have used in this weather, you used about %s more (difference between %s and %s kWh, %s interval).",
		LessUnsure:   "Compared with what your home would probably have used in this weather: an estimated %s less (between %s and %s kWh, %s interval). Not yet significant: the interval contains zero.",
		MoreUnsure:   "Compared with what your home would probably have used in this weather: an estimated %s more (between %s and %s kWh, %s interval). Not yet significant: the interval contains zero.",
		ModelFailed:  "The model behind the comparison did not pass its quality test this month: no figure is given.",
		NoComparison: "No comparison yet: it takes twelve months of measurements before the change to say what your home would have used in this weather.",
		NotAdded:     "This estimate does not add to the effect on the bill.",

		Method:     "Model: %s, fitted from %s to %s; relative standard deviation CV(RMSE) %s; method %s.",
		MethodDays: "consumption per day", MethodTemperature: "a part proportional to temperature", MethodHeating: "heating by degree-days, base %s", MethodCooling: "cooling by degree-days, base %s",

		Carbon: "CO₂", CarbonUsed: "Your consumption emitted %s of CO₂e through the grid.", CarbonAvoided: "Taken from the grid, the solar energy that you used would have emitted %s more.",
		CarbonDirect: "Direct emissions of power stations, production average, hour by hour. Source: %s.", CarbonLife: "Life-cycle emissions, hour by hour. Source: %s.",
		NoCarbon: "No carbon signal was recorded for this month.",

		District: "The district %s", DistrictMade: "Solar production: %s.", DistrictUsed: "Consumption: %s.",
		DistrictKept:     "%s of the production was used or stored on the spot and covered %s of the consumption.",
		DistrictSaved:    "Storage and control: %s and %s of CO₂e less than the baseline.",
		DistrictCostMore: "Storage and control, difference to the baseline: %s and %s of CO₂e (negative: more than the baseline).",
		DistrictNote:     "Profile: final energy, unweighted. Metered electricity of the month; a positive-energy district is judged over twelve months.",

		Hint: "An idea for next month", HintShift: "%s the district had the most unused sun, but only %s of your consumption fell then. A wash, a dishwasher or a water heater at that time would draw on the district’s roofs.",
		HintShiftWorth: " Each kWh moved is worth about %s to you.",
		HintNight:      "At night, from 2:00 to 5:00, your home drew %s W on average without a break: kept up all month, this makes %s. An appliance on standby or a water heater out of adjustment may hide there.",
		HintEvening:    "%s of your consumption fell between 18:00 and 22:00, when the grid is busiest. A timer that starts the wash or the water heater later, or around noon, relieves it, and costs less if your contract has off-peak hours then.",
		HintGap:        "%s of the month’s measurements are missing. If your meter was changed or switched off, tell us: the next report will be more accurate.",
		HintThanks:     "Your consumption already follows the district’s sun well. Keep it up.",

		How: "How it was computed", HowMeter: "Energies come from meters, in steps of %s min.", HowShare: "One meter serves several homes: your figures are %s of your building’s.",
		HowDynamic: "In each step the district’s production is shared in proportion to consumption (dynamic key).", HowStatic: "In each step the district’s production is shared by your fixed part (static key).",
		HowBill:   "Not billed: the price of your contract (%s) in each tariff period, without the network charge, which stays due. Shared energy costs %s.",
		HowExempt: "Shared energy is exempt of excise.", HowDue: "Excise stays due on shared energy.",
		HowCarbon: "CO₂: energy from the grid times the intensity of each step.", HowBaseline: "The district’s baseline: %s",
		BaselineOwn: "the same district without a battery and without control of charging, with the same buildings and the same sun.",
		HowCoverage: "Measurements available: %s of the month for you, %s for the district.", HowGaps: "Days without measurements stay empty; nothing is extrapolated.", HowSubstituted: "Some missing values are replaced by estimates, marked in the record; days without measurements stay empty.",

		Ask: "A question? %s", Withdraw: "You receive this report because you asked for it on %s. You may withdraw at any time, without a reason, with the same contact: it is no longer sent and your load curves are deleted.",
		WithdrawUndated: "You receive this report because you agreed to it. You may withdraw at any time, without a reason, with the same contact: it is no longer sent and your load curves are deleted.",
		NoNeighbours:    "No comparison with your neighbours is made.",
	}),
}
