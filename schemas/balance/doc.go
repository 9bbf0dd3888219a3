// Package balance computes energy balances from what was measured: pure functions, to the watt-hour.
//
// Energies come from counters where there are counters (roll-over, replacement and reset are handled) and from power where there are none. The
// package knows no store and reads no clock.
package balance
