// Package backtest runs the control of a neighbourhood over recorded data, as if each hour came without warning, and compares it with what else could have been done.
//
// Four runs see the same recorded loads and sun, behind one meter:
//
//   - none: stores rest.
//   - rules: self-consumption first. Stores take every surplus and cover every demand, at once.
//   - quartier: forecasts with their spread, the value of what is stored (package optimizer/storage) worked out anew from what was measured by then, and in between the fast
//     loop that answers the net power that comes.
//   - perfect: the true data beforehand, in rolling windows; what was attainable.
//
// A neighbourhood may have flexible devices beside its stores: hot-water tanks, heat pumps with the rooms that they heat, and cars. There the runs do:
//
//   - none: thermostats keep tanks full and rooms at the lower edge of their band; cars charge on arrival.
//   - rules: what the sun leaves goes to cars, tanks, stores and rooms in this order; without it half a tank is kept hot, and a car waits until it must charge to be full at departure.
//   - quartier: all devices and the stores in one plan (optimizer.Plan on the problem that package devices states for live districts too), made anew from what is measured and when a car comes. Until the
//     next one devices do as planned within their comfort, and the stores answer the net power that is left.
//   - perfect: the same plan on the true data, with the cars that are to come.
//
// What people lack is priced as plans price it and counts beside the cost where runs are compared: a run that saves by leaving people in the cold has not saved. Such devices are linear: powers are means of
// a slot.
//
// A controller is shown the past, and of the present slot its net power, prices, outdoor temperature, heat gains and drawn hot water, which the fast loop of a district and thermostats measure; nothing of the future (a test
// changes it and finds every earlier decision unchanged). Of a car it learns departure and energy when the car arrives. What a data set publishes ahead ([Published]: CityLearn's columns of the tariff and the
// weather to come) is heard in the slot whose row says it, true or not, unless Settings.Deaf. Settings.TariffKnown alone lets a plan see the import tariff itself so far ahead, where it is fixed beforehand. Stores are empty at first, tanks half full, and what is stored at the end is worth nothing.
package backtest
