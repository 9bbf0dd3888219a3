// Package serve is a Modbus TCP server: the face towards building systems and the front of simulated devices.
//
// It frames Modbus itself and does not use the server of the client library, which closes the link on a quantity of 0 where the
// specification wants exception 3, lets a panic of a handler end the process, and answers broadcast writes. Here every request gets
// its answer or its exception, a panic in a [Bank] is exception 4 and a log line, any number of clients up to [Config.MaxClients] is
// served at once, each by its own goroutine, and a silent client is dropped after [Config.IdleTimeout]. Idle connections, however many, keep nobody
// out: when all places are taken, or those of one address, the one that has been silent for longest makes room. A request has [Config.FrameTimeout]
// from its first byte to its last.
//
// With [Config.TLS] it speaks Modbus/TCP Security; an [Authorizer] is told name and role of the client's certificate with each write.
//
// A [Server] asks a [Bank] for each unit id. [Table] is a bank of published registers for reading; [Device] renders a device from its
// profile, with writes, ranges and SunSpec models.
//
// Functions 1 to 6, 15 and 16 are served; every other one is exception 1. Addresses are 0-based, as on the wire.
package serve
