// Package opcua drives devices behind OPC UA servers by their profiles.
//
// # One supervised client per endpoint
//
// A [Pool] shares one [Link] among the devices of an address. The link's supervisor owns the connection: it connects with the first request,
// reads the server's clock every second as a heartbeat, and on a channel error, three missed heartbeats, a lost subscription or a refused
// session throws the client away and builds a new one, with a pause that grows and varies. Nothing is carried over: namespace indices are
// looked up by URI again, items are monitored again and read once. The library's own reconnection is switched off, because in 0.9.1 it
// leaves subscriptions dead while reads work; its subscription layer is not used either, because it blocks on a slow reader.
//
// # Values
//
// The status code becomes the quality: good, uncertain, bad by its severity, substituted for UncertainSubstituteValue and GoodLocalOverride.
// A bad value is NaN. The time of a subscribed value is its source timestamp, as long as the server's clock is within 5 s of ours, or else
// the time of arrival; a value that was asked for holds at the time of the answer, even if it last changed long ago. When a subscription
// loses its connection, each value is delivered once more as uncertain: what lies between that instant and the next value is not known.
//
// A write carries a value and nothing else, in the type that the node has, and is read back. A write that timed out is not repeated.
//
// # Security
//
// Policy None, to servers on loopback only: everything else is refused when the link is made. A user name may be given; its password
// crosses the loopback interface in clear.
package opcua
