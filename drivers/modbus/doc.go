// Package modbus is the driver for devices that speak Modbus: over TCP, TLS (Modbus/TCP Security) and UDP, and in RTU frames on a serial line or through a plain
// serial gateway; [CheckAddress] lists the forms of an address.
//
// A [Pool] shares one [Link] among all devices behind an address: one connection, owned by one goroutine at a time: a caller for its own
// request where nobody else asks, else one that serves those who wait. The link chooses the unit and sends the request in
// one step, and asks units in turn. Over TCP, TLS and UDP late answers are told by their transaction and the connection is kept after a time-out, but not after three in a
// row. RTU frames over TCP carry none: there a late answer is told by its unit alone, which is asked again on a new connection, and a time-out later, unless its answer has come; the
// others are asked meanwhile. After every other error that is not a Modbus exception, and on a serial line after a time-out as well, it closes the connection and opens another: a late
// answer can then never be taken for the answer to another request. With RTU frames nobody is asked on the new one before a time-out has passed since the last request that may still be answered: a gateway
// brings what its line says on whatever connection is there. What came unasked is taken before each request is sent, and where it is of the unit to be asked, that is asked on a new connection; only a second
// answer that comes while the next request to its unit already waits cannot be told. A read
// that finds its idle connection closed is sent once more; a write only where nothing of it had gone out.
//
// Some serial adapters send each request back before the answer. That is taken off; but a write of one register or bit (functions 6 and 5) is confirmed in the same words: it takes a read before, on this
// link, to know the echo from the confirmation. A device reads back what it wrote.
//
// A unit that does not answer is asked less and less often, and fails at once in between with drivers.ErrUnreachable, so that it does not delay the others
// behind the same gateway: all silent units together take at most a tenth of the line's time, and a unit that answers never waits for more than one of their
// time-outs. An address to which no connection comes about is asked less and less often too. What no waiting mends, a certificate that has expired or is not
// trusted, is drivers.ErrConfiguration beside it.
//
// A [Device] brings the registers of one unit to points by its profile. It merges neighbouring registers into few requests ([Merge]), walks the chain
// of SunSpec models at the first use and after each new connection, decodes every type by itself, and reads back what it wrote. Before each command
// after the first it reads what is in force: a command that is neither its own nor the safe one is somebody else's, and is never overwritten
// (drivers.ErrConflict), not even by the safe one when Quartier stops.
package modbus
