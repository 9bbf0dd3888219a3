// Package console is what people see of Quartier: the HTTP API with its OpenAPI document, accounts with sessions and roles, the live stream, and
// the web application in web/ that is built on them.
//
// # Access
//
// Every operation of the API states who may call it ([Access], in the document as x-access), and one middleware enforces it; a test calls every operation in
// every role. A session is a random token in a cookie of which the store keeps only the SHA-256; a write must also carry the session's token
// against cross-site requests in the header X-CSRF-Token and come from the same origin. Passwords are argon2id in PHC string format. Repeated
// failures slow down a name and an address. Who signed in, failed, changed a user, took a report or paused a device is in the audit log.
//
// # Numbers
//
// Power is kW, energy kWh, money EUR, carbon kg CO2e, times RFC 3339 in UTC; field names end in their unit. Power is positive into a device, as everywhere
// in Quartier, but for the named flows of [Flows], whose comments say their direction. A missing value is null, never zero.
//
// # Time
//
// Measurements, plans and events are on the district's clock, [Deps].Now, which a demonstration may run faster. Sessions and throttling are on the wall clock.
package console
