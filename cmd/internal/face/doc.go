// Package face is what building systems see of Quartier: a Modbus TCP server and an OPC UA server that show the values of districts and
// sites, read-only and on loopback.
//
// [NewModel] makes one ordered list of variables of the districts; it depends on their order and on nothing else, so a configuration that only
// grows at its end keeps every register. [Snapshot] computes the values of a district from its newest samples and its plan. [Start] serves
// them; the application calls [Face.Update] every second or so. Values that an update leaves out, and all of them once no update came for a
// minute, are not available: NaN over Modbus, status Bad over OPC UA.
//
// # Signs and units
//
// Power is kW. power_kw and storage_kw are positive when the district, site or battery draws; production_kw, consumption_kw, import_kw and
// export_kw are never negative. Energy is kWh, of the local day where the name says today. Shares lie in [0, 1]. An hourly value is the mean of
// the hour that begins h hours after the present full hour, UTC; h00 is the present hour.
//
// # Modbus map, version 1
//
// Each district is a unit: the first is unit 1. Every register can be read as holding and as input register; writes are exception 1. Numbers
// of more than one register are big-endian with the high word first, text is UTF-8 with NUL at its end, two bytes a register.
//
//	  0  u32     magic 0x51554152 ("QUAR")
//	  2  u16     version of the map, 1
//	  3  u16     number of sites
//	  4  u16     address of the district's values, 100
//	  5  u16     registers of the district's values
//	  6  u16     address of the hourly values, 400
//	  7  u16     hours, 25
//	  8  u16     hourly quantities
//	  9  u16     address of the first site, 1000
//	 10  u16     registers from one site to the next, 100
//	 11  u16     updates since the start, modulo 65536: a client sees by it that values are alive
//	 12  u32     time of the last update, seconds since 1970 UTC
//	 16  text    district id, 16 registers
//	 32  text    district name, 32 registers
//	100          the district's values, float32 unless [Model.Points] says float64
//	400          hourly values, float32: quantity by quantity, 25 hours each
//	1000+100·k   site k from 0: id (16 registers), name (32 registers), then its values from offset 48
//
// [Model.Points] is the whole table.
//
// # The OPC UA server is a process of its own
//
// It is the executable itself with the hidden subcommand face-opcua, which calls [RunChild]: fed over its standard input, with a memory limit
// and none of the parent's environment, started again when it dies or hangs, ended when the parent's end of the pipe closes. What happens to it
// cannot touch control.
package face
