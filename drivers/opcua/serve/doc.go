// Package serve is an OPC UA server. Simulated devices and the building-system face stand on it.
//
// # What it offers
//
// Security policies Basic256Sha256, Aes128_Sha256_RsaOaep and Aes256_Sha256_RsaPss, signed or signed and encrypted, with a trust list; None with anonymous users,
// on loopback only. Where None is not offered, a channel without security lists the endpoints and makes no session. Over secured channels users sign in by name and password or by
// certificate, as [Config.Authenticate] decides; who failed a few times has to wait.
//
// The address space is folders, objects of types that declare their variables ([ObjectType]), and variables.
//
// Services: FindServers, GetEndpoints, CreateSession, ActivateSession, CloseSession, Browse, BrowseNext, TranslateBrowsePathsToNodeIds,
// RegisterNodes, UnregisterNodes, Read, Write, HistoryRead of the values of the last day, raw or processed by aggregate functions of Part 13 (average, time average, total, minimum, maximum, count, delta), and the subscription set with data-change items: queues, absolute and percent dead bands,
// sampling intervals. Everything else is BadServiceUnsupported. A publishing interval is at least 100 ms. Values are queued as they are set, whether their connection is there or not. A lost
// connection leaves its session alive until the session times out, so that a client may come back to it, over a channel of the same certificate and as the same user; the last
// messages are kept for Republish until they are acknowledged. Subscriptions outlive a session that timed out, or was closed without them, for their lifetime: TransferSubscriptions
// hands them, with what was not acknowledged, to another session of the same user, of an anonymous one to the same application over a secured channel alone.
//
// Nothing is written but values of variables that are [Variable.Writable], by users who may, of the variable's type and in its range; [Config.Write] gets them, and what it makes
// of them is set like any other value.
//
// # Why not the library's server
//
// The server package of github.com/gopcua/opcua (0.9.1) completes the handshake of a connection on its accept goroutine without a
// deadline, handles all requests of all clients on one goroutine, writes to clients without a deadline, keeps unfinished messages without
// a bound on their number, reads its maps without their lock, checks no certificate, and lives in handlers most of which ask for no session. Replacing handlers
// mends the last; the others lie below them. So only its codec (package ua) and its algorithms (package uapolicy, by way of secure) are used here: connections, chunks, channels, sessions and
// subscriptions are this package's own, each with a bound that its test knows:
//
//   - a connection says Hello within 5 s and has an active session within 30 s, or is closed; when all places are taken the oldest
//     connection without a session makes room, so silent connections never keep a client out;
//   - a certificate is held against the trust list before our key does any work for it; chunks of a secured channel are in order, so that none is played twice, and its token ends
//     unless it is renewed;
//   - one unfinished message per connection, at most 1 MiB, 32 MiB in all connections together;
//   - a request that could nest structures in structures is decoded by hand, without recursion, since a stack overflow cannot be recovered;
//   - each connection has its own goroutine, a panic in it ends that connection and nothing else, and a client that does not read its
//     answers within 5 s is closed;
//   - session tokens are 16 random bytes; subscription and item ids come from counters and are never reused;
//   - the queues of all items together hold a million values at most, and fifty sessions that ended may have left subscriptions behind.
package serve
