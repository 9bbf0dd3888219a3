// Package profile describes device types: which register or node holds which quantity, in what type, unit and sign, and how the device
// is commanded. A profile is a YAML document; those in profiles/ are embedded, [LoadFile] reads a user's own, and [Load] takes both by name.
// README.md beside this file is the description of the format, [Schema] its JSON Schema.
//
// # What a point becomes
//
// A device's raw number goes through four steps, each declared by the profile, and comes out in the stored unit and sign of package
// district (kW positive into the device, kWh, °C, shares in [0, 1]):
//
//	number = raw × 10^scale_factor × scale + offset      in the device's unit
//	stored = units.Convert(unit) of number
//	value  = −stored where invert is true
//
// A device code of a state goes through the table states instead. Raw values listed under not_implemented, and every NaN or infinity,
// are no number ([ErrNotImplemented]). [Point.Decode] and [Point.Encode] are inverse up to the resolution of the register.
//
// # SunSpec
//
// A point of a SunSpec device is found by walking the chain of models ([Layout]). sunspec_models.txt has the layout of the models that an energy
// management system meets, made from the official definitions; a profile names a point there, and one that counts registers is compared with it.
//
// # Commands
//
// [Profile.Sequence] gives the writes of a command, [Profile.Command] the command that registers stand for, which is how a simulated
// device understands its own registers. [Profile.Check] sends every kind of command there and back.
package profile
