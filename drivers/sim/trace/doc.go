// Package trace reads the recorded series that drive the simulated devices and moves them to the days of a demonstration.
//
// # Re-dating
//
// Each recorded set ([Set]) covers about a year of some place. A day of the demonstration takes everything it needs of one set from one
// recorded day, the source day: the recorded day with the same day of the week whose day of the year is nearest (round the turn of the
// year), the earlier on a tie. Days on which the set recorded less than nine tenths of its slots are passed over; public holidays are
// not treated apart. Within the source day
//
//   - what people do (load, hot water) is taken at the same clock time: at 02:30 the record of 02:30, whatever the two places' summer
//     time. The hour that a day of 25 hours has twice is taken twice, the hour that a day of 23 hours lacks is left out;
//   - what the sun does (irradiance, temperature, solar yield) is taken at the same mean solar time, so that noon stays noon at the
//     longitude of the demonstration and no clock change moves the sun.
//
// So load, weather and sun of a site belong to one day of one place. The sun's height, which a place cannot lend to another latitude, and
// the climate are adapted by the simulation, see package sim.
//
// # Gaps
//
// A trace with missing rows, empty cells, NaN, duplicates or unreadable numbers is used all the same: every such run is reported once, as a
// [Fault] with file and lines, and its slots carry quality substituted. Runs of up to two hours are interpolated linearly between their
// neighbours; longer ones take the value recorded seven days before, else seven days after, else the mean of the same time of day over
// the whole trace, else zero. A file without a readable header or row is refused.
package trace
