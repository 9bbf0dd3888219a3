// Package modbus is the driver for devices that speak Modbus TCP (and RTU over TCP, behind a serial gateway).
//
// A [Pool] shares one [Link] among all devices behind an address: one TCP connection, owned by one goroutine. The link chooses the unit
// and sends the request in one step, asks units in turn, and closes and opens the connection after every error that is not a Modbus exception, a
// time-out included: a late answer can then never be taken for the answer to another request. A unit that does not answer is asked less and
// less often, and fails at once in between with drivers.ErrUnreachable, so that it does not delay the others behind the same gateway; the same
// holds for an address to which no connection comes about. A read that finds its idle connection closed is sent once more; a write never is.
//
// A [Device] brings the registers of one unit to points by its profile. It merges neighbouring registers into few requests ([Merge]), walks the chain
// of SunSpec models at the first use and after each new connection, decodes every type by itself, and reads back what it wrote.
package modbus
