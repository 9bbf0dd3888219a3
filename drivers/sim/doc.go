// Package sim is a district that does not exist: buildings, solar inverters, batteries, heat pumps, tanks and cars that behave as machines do,
// driven by recorded traces of real homes, weather and sun (package [quartier/drivers/sim/trace]). Package sim/endpoint puts each device behind
// real Modbus TCP and OPC UA servers, so that everything above a wire is tried as it is.
//
// # Physics of its own
//
// The equations here are not those of the plan, and their parameters differ from the plan's beliefs by a few percent: the inverter has an
// efficiency curve, clips and ramps; the battery loses more at high power, tapers near full and empty and derates when cold; the building has two
// masses, the heat pump a coefficient of performance from its temperature lift, with rest times; the tank is in two layers; a car follows its own
// charging curve and the charger answers late. A controller that is tested on its own model looks perfect.
//
// # Own control
//
// A device without a command follows its own control: cars charge at once, the heat pump follows its thermostat, the water heater its night
// contactor or thermostat and its weekly legionella programme, the battery lowers the site's exchange with the grid or stays idle, as
// described. That is also the behaviour without Quartier, in which the recorded history is made.
//
// # Another place and climate
//
// A recorded year belongs to a place. Days are re-dated as package trace says. Where the description of a district gives monthly mean temperatures
// (climate_c), the recorded departure from the recorded season is laid on these instead. Where the latitudes differ by more than one degree, solar
// yield and irradiance are multiplied by the ratio of clear-sky direct irradiance on the same plane at both latitudes, the same solar hour and
// their own days: clouds stay, the height of the sun is the district's.
//
// # Time
//
// [World.Advance] moves the physics in steps of 10 s on the grid of 10 s, in steps of 5 min while it is more than six hours behind.
// For the same seed, description and sequence of commands the result is the same.
package sim
