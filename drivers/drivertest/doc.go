// Package drivertest holds the meaning of drivers.Driver as a suite that every driver passes: [Run].
//
// The suite asks for a [Subject]: a driver, the device it is connected to, and the means to silence, cut and restore the line between them.
// [Proxy] is such a line for any protocol over TCP.
package drivertest
