// Package problem holds the plan problem: everything that a plan of a district depends on, as one JSON document and as Go types,
// and the solution document that answers it.
//
// Power is kW, positive into a device; energy kWh; temperature °C; money EUR; carbon intensity gCO2e/kWh; carbon price EUR per tonne.
// T is [Problem.Steps], dt is [Problem.Hours]. Every series has exactly T values, each constant over its step; a limit that does not
// exist is +Inf in every step. Efficiencies lie in (0, 1].
//
// A document is read by [Parse] or [Read], which refuse it with every fault at once, one line each with its JSON path ([Faults]), and
// guess nothing. A problem built in Go starts from the New functions of its devices, which carry the defaults of the
// document, takes default series from [Problem.Fill], is checked by [Validate] with the same rules and paths, and is written by [Encode].
//
// The meaning of every device is stated at its type. A tank's capacity_by_step_kwh, of [WaterHeater], is the one field that other programs which read documents of version 1, such as an independent reference, may not know and refuse: it is
// in a document only where a tank has not the same room in all steps, which is where heat is held ready in some of them, and it cannot be left out there, since a plan without it may not fit into the tank.
//
// The package does no I/O beyond the reader and writer it is given, and reads no clock.
package problem
