// Package pki keeps the certificates of an OPC UA application: its own, those of peers that it trusts, and those that it turned away.
//
// # On disk
//
// A folder has the layout of OPC UA Part 12, annex F, which other OPC UA tools know:
//
//	own/certs       our application instance certificate, DER
//	own/private     its key, PEM (PKCS #8), readable by its owner alone
//	trusted/certs   peers and authorities that are trusted
//	trusted/crl     revocation lists of trusted authorities
//	issuers/certs   authorities that complete a chain and are not trusted by themselves
//	issuers/crl     their revocation lists
//	rejected/certs  peers that were turned away, for a person to look at; at most [MaxRejected], the oldest dropped first
//
// Files may come and go while the application runs: a [Store] looks at the folder again before it refuses a
// certificate, and otherwise at most once a second.
//
// # What is checked
//
// [Store.Check] follows the order of OPC UA Part 4, 6.1.3, and returns one reason with its status code: form, algorithms and key, signatures
// up to an authority, trust, validity, host name (a note, unless it is asked for), application URI, key usage, revocation. A certificate is
// trusted when it or an authority of its chain is in trusted/certs; a peer that is there itself needs no chain. The library that carries the
// protocol checks none of this, so its user does before anything secret is sent.
package pki
