// Package problemtest makes plan problems from a seed: small ones that reach every field of every kind of device, for tests of exactness, and whole
// districts like real ones, for tests of size and for benchmarks. The same seed makes the same problem on every machine.
package problemtest
