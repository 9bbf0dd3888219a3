// Package opcua drives devices behind OPC UA servers by their profiles.
//
// # One supervised client per endpoint
//
// A [Pool] shares one [Link] among the devices of an address. The link's supervisor owns the connection: it connects with the first request,
// reads the server's clock every second as a heartbeat, and on a channel error, three missed heartbeats, a lost subscription or a refused
// session throws the client away and builds a new one, with a pause that grows and varies. Nothing is carried over: namespace indices are
// looked up by URI again, items are monitored again and read once.
//
// The codec and the algorithms are the library's; its channel, client and subscriptions are not used. Its channel can be led to no protection
// by whoever stands between (see package secure), its reconnection leaves subscriptions dead while reads work, and its subscriptions block on
// a slow reader. Its decoder believes lengths and dimensions, and nests without end: a message is walked before it is decoded.
//
// # Values
//
// The status code becomes the quality: good, uncertain, bad by its severity, substituted for UncertainSubstituteValue and GoodLocalOverride.
// A bad value is NaN. The time of a subscribed value is its source timestamp, as long as the server's clock is within 5 s of ours, or else
// the time of arrival; a value that was asked for holds at the time of the question, even if it last changed long ago, or when it changed
// between question and answer. Of one subscription no live reading of a point bears a time before that of one that came before it; one that
// would, since the server's clock is slow, is moved behind it. When a subscription
// loses its connection, each value is delivered once more as uncertain: what lies between that instant and the next value is not known. Where
// the server keeps a history, it is delivered when the connection is back, with its own times and qualities and before the present values.
// The gap since the last stop is filled in the same way where [Device.Resume] was told what is recorded. No value of a node comes twice with one
// source time. A profile may give a node a dead band; the queue of a node at the server holds 100
// values, and what it drops is counted.
//
// A write carries a value and nothing else, in the type that the node has, and is read back. A write that timed out is not repeated.
//
// # Security
//
// An [Access] says how a server is entered. Without one a server is entered with SignAndEncrypt under the strongest policy that it offers of
// Aes256_Sha256_RsaPss, Aes128_Sha256_RsaOaep and Basic256Sha256; only a server on loopback is then entered without protection, which for
// others must be asked for by policy None. The server's certificate is held against the trust list ([pki.Store]) before anything but the
// question for its endpoints is sent to it, and again when the list changes; the channel and the session must show the same certificate, and
// what the server said of its endpoints before is compared with what it says under protection. A refused certificate is kept for a person to
// look at, and accepting it is enough for the connection to come about.
//
// A password is sent encrypted for that certificate, or inside an encrypted channel, or to loopback; otherwise not at all.
package opcua
