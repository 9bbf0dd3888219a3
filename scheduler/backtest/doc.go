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
// A controller is shown the past, and of the present slot its net power and prices, which the fast loop of a district measures; nothing of the future: it is given
// slices that end there. Settings.TariffKnown alone lets a plan see the import tariff so far ahead, where it is published. Stores are empty at first and what they hold at the end is worth nothing.
package backtest
