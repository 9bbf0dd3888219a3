// Package district is the vocabulary of Quartier: districts, sites, devices, points, samples, plans and set-points. Every other package speaks
// these types; nothing here does I/O, reads a clock or imports more than [quartier/schemas/units] and [quartier/schemas/timegrid].
//
// # Sign and counters
//
// Power is kW, positive into a device (load convention): a battery charges at +, a solar inverter produces at −, a grid meter counts
// + when the site draws from the grid. Every electrical device has the same two counters in the same convention: import_kwh grows with
// energy into the device, export_kwh with energy out of it. So a solar inverter's yield is its export_kwh, a battery's charged energy its import_kwh.
//
// # Time
//
// Times are UTC. A slot is [Start, Start+Step). Civil days and months exist only in a district's own zone, see package timegrid.
//
// # Names
//
// A series is named district/site/device/quantity. The district's own devices and signals stand under the site "_": the transformer
// station of Fontaine is fontaine/_/substation/power_kw, its outdoor temperature fontaine/_/weather/outdoor_c.
package district
