package profile

import (
	"encoding/json"
	"fmt"

	"quartier/drivers"
	"quartier/schemas/district"
	"quartier/schemas/units"
)

// node is a part of a JSON Schema.
type node = map[string]any

// Schema returns the JSON Schema (2020-12) of a profile for editors. It holds keys, types, ranges and words; what concerns several places, such as overlapping registers or a
// command outside the range of its register, only [Parse] says.
func Schema() ([]byte, error) {
	s := object("one device type: its registers or nodes, and how it is commanded", []string{"name", "title", "kinds", "protocol", "state", "source", "points"}, node{
		"name":      text("lower-case words joined by hyphens; the file is named so, with .yaml", "pattern", profileName.String()),
		"title":     text("maker and model, for people"),
		"kinds":     list("what the device can be in the energy balance", words("", district.Kinds()...)),
		"protocol":  words("", Modbus, OPCUA),
		"state":     words("how far the profile was verified", FromDocumentation, FromPublicDriver, Generic, Confirmed),
		"confirmed": text("with state confirmed on hardware: device, firmware and date of the test"),
		"namespace": text("OPC UA: URI of the namespace of the nodes that name none"),
		"source": object("where the numbers come from: a document or a project at least", nil, node{
			"document": text("the maker's or standard's document"), "revision": text("of the document"), "project": text("public repository whose driver uses the same numbers"),
			"file": text("in that repository"), "commit": text("of that repository"), "note": text("what else an engineer must know: units, settings of the owner, what was not tried"),
		}),
		"limits": object("of one Modbus request", nil, node{
			"max_registers": whole("registers of a request; default 125", 1, 125), "max_gap": whole("registers read for nothing to merge two points; default 8", 0, 124),
			"one_value_per_request": yesNo("each point by itself"), "delay_ms": whole("pause between two requests, ms", 0, 10_000),
			"connect_delay_ms": whole("pause after connecting, ms", 0, 10_000), "timeout_ms": whole("longest wait for an answer, ms", 50, 30_000),
			"forbidden": list("addresses that no request may touch", object("", []string{"table", "from", "to"}, node{
				"table": words("", Holding, Input, Coil, Discrete), "from": whole("", 0, 65535), "to": whole("", 0, 65535)})),
		}),
		"points":  list("the values of the device", pointSchema()),
		"control": node{"description": "how the device is commanded; none for one that is only read", "oneOf": []any{node{"const": "none"}, controlSchema()}},
	})
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Quartier device profile"
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("profile: encode the schema: %w", err)
	}
	return append(out, '\n'), nil
}

func pointSchema() node {
	s := object("one value; exactly one of address, sunspec, node, path, sum and constant says where it is", []string{"name"}, node{
		"name":    text("a quantity that Quartier knows, such as power_kw, or an own name that ends in its unit", "pattern", pointName.String()),
		"title":   text("what it is, for people"),
		"table":   words("Modbus: holding (function 3) where it is absent, input (4), coil (1), discrete (2)", Holding, Input, Coil, Discrete),
		"address": whole("Modbus: wire address, from 0: a document's 40001 or 30001 is 0", 0, 65535),
		"sunspec": object("SunSpec: models, any one of them, and the point's name there, or its offset from the model's ID register", []string{"models"}, node{
			"models": list("", whole("", 1, 65534)), "point": text("NAME, or GROUP.NAME with index"), "index": whole("which of a repeated group, from 1", 1, 3000),
			"occurrence": whole("which of these models in the order of the chain, from 1: 2 for the second of two meters behind one unit", 1, maxOccurrence),
			"offset":     whole("", 2, 65535)}),
		"node":      text("OPC UA: s=TEXT, i=NUMBER, g=GUID or b=BASE64, without the namespace index", "pattern", nodeID.String()),
		"namespace": text("OPC UA: URI, where it is not that of the profile"),
		"dead_band": number("OPC UA: smallest change that a subscription tells, in the unit; every change where it is absent"),
		"path":      list("OPC UA: browse names from the Objects folder", text("")),
		"sum":       list("computed from other points", object("", []string{"point"}, node{"point": text(""), "factor": number("default 1")})),
		"constant":  number("a fixed value"),
		"type":      words("raw type; not needed for a named SunSpec point", Bool, U16, I16, U32, I32, U64, I64, F32, F64, Acc32, Acc64, String),
		"length":    whole("registers of a string", 1, 125),
		"words":     words("which word of a long value comes first: msw (default) or lsw", "msw", "lsw"),
		"bytes":     words("which byte of a register comes first: big (default) or little", "big", "little"),
		"mask":      whole("bits that hold the value, moved down to bit 0", 1, 0),
		"scale":     number("value = raw × scale + offset, in the unit"),
		"offset":    number("see scale"),
		"unit":      words("of the device; Quartier converts it", units.Names()...),
		"invert":    yesNo("the device counts the other way round: Quartier's power is positive into the device"),
		"form":      words("how the value behaves in time; known for known quantities", "gauge", "counter", "state"),
		"scale_factor": object("register of the power of ten: address, or offset in the SunSpec model; neither for a named SunSpec point", nil, node{
			"address": whole("", 0, 65535), "offset": whole("", 0, 65535), "simulated": whole("what a simulated device reports", -10, 10)}),
		"not_implemented": list("raw values that mean: no value", whole("", 0, 0)),
		"states": list("codes of the device and what they become", object("", []string{"is"}, node{
			"code": number("of the device"), "text": text("of a string, or a description"), "is": number("what it becomes")})),
		"otherwise": number("what an unlisted code becomes; without it the value is bad"),
		"access":    words("read where it is absent", ReadOnly, ReadWrite, WriteOnly),
		"write": object("function and range of a write, in the device's unit", nil, node{
			"function": node{"description": "6 or 16 for registers, 5 or 15 for coils", "enum": []int{5, 6, 15, 16}}, "min": number(""), "max": number("")}),
	})
	var places []any
	for _, key := range []string{"address", "sunspec", "node", "path", "sum", "constant"} {
		places = append(places, node{"required": []string{key}})
	}
	s["oneOf"] = places
	return s
}

func controlSchema() node {
	return object("", []string{"point", "quantity", "min", "max", "safe", "writes"}, node{
		"point":          text("a point, or a new name that stands for the sequence of writes", "pattern", pointName.String()),
		"quantity":       words("what a command is in", drivers.ControlKW, drivers.ControlAmpere, drivers.ControlShare, drivers.ControlSGReady, drivers.ControlOnOff),
		"min":            number("least command"),
		"max":            number("largest command"),
		"step":           number("resolution; 0 or absent: continuous"),
		"pause":          number("the command that stops the device outside of the range, such as 0 A below 6 A"),
		"safe":           number("the command that leaves the device safe to itself, such as 0 kW or 6 A; it gives it back its own control unless restore or release say otherwise"),
		"min_hold_s":     number("shortest time between two commands, s"),
		"reversion_s":    number("after which the device falls back by itself without a new command, s; 0 or absent: never"),
		"min_interval_s": number("least time between two writes where the register is worn by them, s; over an hour no more are made than that allows; 0 or absent: any"),
		"ramp_per_s":     number("largest change of a command, in the control quantity per second; 0 or absent: any"),
		"zero":           words("what a command of 0 does with a device of two directions: it stands still (hold) or goes its own way (release)", ZeroHolds, ZeroReleases),
		"restore":        words("how the device is given back: by the safe value or the writes of release (safe, where it is absent), by what stood before our first command (previous), or by its own reversion (reversion)", drivers.RestoreSafe, drivers.RestorePrevious, drivers.RestoreReversion),
		"release": list("writes that give the device back where the safe value is a command like others", object("", []string{"point", "value"}, node{
			"point": text("a writable point"), "value": number("in the stored unit of the point")})),
		"phases":    whole("quantity a: phases in use", 1, 3),
		"voltage_v": number("quantity a: phase voltage"),
		"rated_kw":  number("quantity share: what 1 stands for"),
		"writes": list("the writes of one command, in order; each has exactly one of value, from and lookup", object("", []string{"point"}, node{
			"point":  text("a writable point"),
			"value":  number("a fixed value, in the stored unit of the point"),
			"from":   words("command × factor + offset", "command"),
			"factor": number("default 1"),
			"offset": number("default 0"),
			"lookup": node{"description": "command: value", "type": "object", "additionalProperties": node{"type": "number"}},
			"when":   words("for which commands; always where it is absent", Always, Positive, Negative, Zero, NonZero, AtSafe, Active)})),
		"read_back": object("which point tells whether the command was taken", []string{"point"}, node{"point": text(""), "tolerance": number("in the control quantity")}),
	})
}

func object(what string, required []string, properties node) node {
	s := described(what, node{"type": "object", "additionalProperties": false, "properties": properties})
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func described(what string, s node) node {
	if what != "" {
		s["description"] = what
	}
	return s
}

func text(what string, more ...any) node {
	s := described(what, node{"type": []string{"string", "number"}})
	for i := 0; i+1 < len(more); i += 2 {
		s["type"], s[more[i].(string)] = "string", more[i+1]
	}
	return s
}

func number(what string) node { return described(what, node{"type": "number"}) }

func yesNo(what string) node { return described(what, node{"type": "boolean"}) }

// whole is a whole number; an upper end below the lower one means none.
func whole(what string, low, high int) node {
	s := described(what, node{"type": "integer", "minimum": low})
	if high > low {
		s["maximum"] = high
	}
	return s
}

func list(what string, items node) node {
	return described(what, node{"type": "array", "items": items, "minItems": 1})
}

func words[T ~string](what string, allowed ...T) node {
	values := make([]any, len(allowed))
	for i, a := range allowed {
		values[i] = string(a)
	}
	return described(what, node{"enum": values})
}
