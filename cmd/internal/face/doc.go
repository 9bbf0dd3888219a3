// Package face is what building systems see of Quartier: Modbus servers, with and without encryption, and an OPC UA server. They show the values of districts, sites
// and devices, the plan of the next 24 hours, prices and carbon intensity, and take requests.
//
// [NewModel] makes one ordered list of variables of the districts. [Snapshot] computes the values of a district from its newest samples and its plan. [Start] serves
// them; the application calls [Face.Update] every second or so. Values that an update leaves out, and all of them once no update came for a
// minute, are not available: NaN over Modbus, status Bad over OPC UA.
//
// # Signs and units
//
// Power is kW. power_kw and storage_kw are positive when the district, site or battery draws; production_kw, consumption_kw, import_kw and
// export_kw are never negative. Energy is kWh, of the local day where the name says today. Shares lie in [0, 1]. An hourly value is the mean of
// the hour that begins h hours after the present full hour, UTC; h00 is the present hour.
//
// # Requests
//
// Who is authorised may ask for a smaller limit of a site or of the district, for a shift of a site's comfort bands, for its absence, for a device to get its own control back, and for one to be
// locked out; see [ImportLimitRequest] and those beside it. A request holds until the time-out after it was last written: who wants it to go on writes it again before. A lock-out alone
// holds until it is withdrawn: somebody may have their hands in the device. Not a number withdraws a request. What is read is the request in force, whoever made it, not a number when there is none; of several writers the last one counts. The next round of dispatch
// obeys it, and it never lifts a configured limit. Each write is recorded with who made it, the old and the new value.
//
// # Modbus map, version 3
//
// Each district is a unit, from 1. Every register can be read as holding and as input register; requests are written with function 16, whole, all of one
// write or none. Numbers of more than one register are big-endian with the high word first, text is UTF-8 with NUL at its end, two bytes a register. There is no
// scale: values are float32, counters float64.
//
//	    0  u32     magic 0x51554152 ("QUAR")
//	    2  u16     version of the map, 3
//	    3  u16     number of site places
//	    4  u16     address of the district's values, 100
//	    5  u16     registers of the district's values
//	    6  u16     address of the hourly values, 400
//	    7  u16     hours, 25
//	    8  u16     hourly quantities
//	    9  u16     address of the first site, 1000
//	   10  u16     registers from one site to the next, 100
//	   11  u16     updates since the start, modulo 65536: a client sees by it that values are alive
//	   12  u32     time of the last update, seconds since 1970 UTC
//	   14  u16     address of the first device, 21000
//	   15  u16     registers from one device to the next, 70
//	   16  text    district id, 16 registers
//	   32  text    district name, 32 registers
//	   64  u16     number of device places
//	   65  u16     address of the district's requests, 360
//	   66  u16     time-out of requests, seconds
//	   68  u32     checksum of the places: it changes when some are added
//	  100          the district's values, float32 unless [Model.Points] says float64
//	  360          the district's requests: import limit, export limit
//	  400          hourly values, float32: quantity by quantity, 25 hours each
//	 1000+100·k    site place k from 0: id (16 registers), name (32), from offset 48 its values, from 80 its requests: import limit, export limit, comfort, absence
//	21000+70·k     device place k from 0: id (16 registers), kind, site place (65535: none), from offset 18 its values, at 64 its requests: available, lock-out
//
// [Model.Points] is the whole table. Places are kept in [Slots]: what is added to a configuration takes the next one wherever it stands in the file, what is removed leaves its place empty,
// and an empty place reads as id "" and not a number. So no register ever moves, from one version to the next neither: 3 has the requests of absence and lock-out more than 2. A place is of an id: a device that gets another id is another device.
//
// # OPC UA
//
// Under Objects/Districts each district has its values, Hours, Requests, Devices and Sites, a site its values, Requests and Devices. Districts, sites and devices are objects of types in
// [NamespaceURI], DistrictType, SiteType and one for each kind of device below DeviceType, meters of electricity below MeterType, which declare their variables; a client that was made for a type finds
// them in each of its objects. Node ids are the names of the variables in namespace
// [NamespaceURI]. Units are EUInformation by UNECE code, ranges EURange, names English or French as the client prefers. A variable that shows one series of the record has its raw history
// of the last day. Requests are the writable variables, for operators and administrators.
//
// The types are our own, after OPC 10000-3 (instance declarations with modelling rules) and OPC 10000-8 (units and ranges). No companion specification is followed: the one of the domain, Energy
// Consumption Management (OPC 34100), hangs its energy profiles on accuracy classes and phase values that a configuration does not know of most devices, and so do the ones for PROFIenergy and machines
// that stand on it; Devices (OPC 10000-100) wants a manufacturer, a serial number and revisions of each device, which are not configured; BACnet (OPC 30030) is for gateways to it. There is none for
// photovoltaics, batteries, heat pumps or districts.
//
// The server is a process of its own: the executable itself with the hidden subcommand face-opcua, which calls [RunChild], fed over its standard input, with a memory limit
// and none of the parent's environment, started again when it dies or hangs, ended when the parent's end of the pipe closes. What happens to it
// cannot touch control: it asks the parent who may sign in, for each request, and for history, and gets no more than a client may have.
package face
