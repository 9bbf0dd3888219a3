// Package serve is a small OPC UA server that is read-only by construction: there is no code in it that changes a value on behalf of a
// client. Simulated devices and the building-system face stand on it.
//
// # What it offers
//
// Security policy None with anonymous users, on loopback only: a face for the network needs encryption and a trust list first. Services:
// FindServers, GetEndpoints, CreateSession, ActivateSession, CloseSession, Browse, BrowseNext, TranslateBrowsePathsToNodeIds,
// RegisterNodes, UnregisterNodes, Read, the subscription set with data-change items, and Write, which answers BadNotWritable for each
// node. Everything else is BadServiceUnsupported. An item's queue holds one value and is sampled once per publishing interval, which is
// at least 100 ms; deadbands are refused rather than ignored. A lost connection leaves its session alive until the session times out, so
// that a client may come back to it; messages that were sent are not kept for Republish.
//
// # Why not the library's server
//
// The server package of github.com/gopcua/opcua (0.9.1) completes the handshake of a connection on its accept goroutine without a
// deadline, handles all requests of all clients on one goroutine, writes to clients without a deadline, keeps unfinished messages without
// a bound on their number, reads its maps without their lock, and lives in handlers most of which ask for no session. Replacing handlers
// mends the last; the first four lie below them. So only its codec (package ua) is used here: connections, chunks, channels, sessions and
// subscriptions are this package's own, each with a bound that its test knows:
//
//   - a connection says Hello within 5 s and has an active session within 30 s, or is closed; when all places are taken the oldest
//     connection without a session makes room, so silent connections never keep a client out;
//   - one unfinished message per connection, at most 1 MiB, 32 MiB in all connections together;
//   - a request that could nest structures in structures is decoded by hand, without recursion, since a stack overflow cannot be recovered;
//   - each connection has its own goroutine, a panic in it ends that connection and nothing else, and a client that does not read its
//     answers within 5 s is closed;
//   - session tokens are 16 random bytes; subscription and item ids come from counters and are never reused.
package serve
