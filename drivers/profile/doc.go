// Package profile describes device types: which register or node holds which quantity, in what type, unit and sign, and how the device
// is commanded. A profile is a YAML document; those in profiles/ are embedded, [LoadFile] reads a user's own.
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
// # Adding a profile
//
// Write a file profiles/NAME.yaml:
//
//	name: acme-meter                      # the file's name without .yaml
//	title: Acme M1 energy meter
//	kinds: [grid_meter, load_meter]       # of package district
//	protocol: modbus                      # or opcua
//	state: from documentation             # or: from a public driver, generic
//	source:
//	  document: Acme M1 Modbus reference, 2024-03
//	  project: owner/repository           # a public driver that uses these registers, with its commit
//	  commit: 0a1b2c3
//	  note: not yet tried on hardware
//	limits:                               # of one request; all optional
//	  max_registers: 60                   # 1 to 125, default 125
//	  max_gap: 4                          # registers read for nothing to merge two points, default 8
//	  one_value_per_request: false
//	  forbidden: [{table: holding, from: 100, to: 110}]
//	  delay_ms: 50                        # pause between two requests
//	  connect_delay_ms: 1000              # pause after connecting
//	  timeout_ms: 1000
//	points:
//	  - name: power_kw                    # a quantity of package district, or an own name that ends in its unit
//	    table: input                      # holding, input, coil or discrete
//	    address: 0x0034                   # 0-based, as on the wire: a document's 30053 is 52
//	    type: f32                         # bool u16 i16 u32 i32 u64 i64 f32 f64 string, acc32 acc64 (SunSpec)
//	    words: msw                        # or lsw: which word of a long value comes first
//	    bytes: big                        # or little, within a register
//	    scale: 1
//	    offset: 0
//	    unit: W                           # the device's; package units knows them
//	    invert: false                     # true where the device counts the other way round
//	    not_implemented: [0xFFFFFFFF]
//	  - name: status
//	    table: holding
//	    address: 7
//	    type: u16
//	    mask: 0x7F00                      # bits that hold the value, moved down to bit 0
//	    unit: state
//	    states: [{code: 3, is: 1, text: running}]
//	    otherwise: 0                      # without it an unlisted code is bad quality
//	  - name: limit_a
//	    table: holding
//	    address: 20
//	    type: u16
//	    unit: A
//	    access: read_write                # read (default), read_write or write
//	    write: {function: 16, min: 0, max: 32}   # 6 or 16, 5 or 15 for coils; range in the device's unit
//	  - name: battery_kw
//	    sum: [{point: charge_kw}, {point: discharge_kw, factor: -1}]
//	  - name: rated_kw
//	    constant: 22
//	    unit: kW
//
// In place of table and address, sunspec: {models: [101, 102, 103], offset: 14} finds the register by walking the chain of models, and
// scale_factor: {offset: 15} names the register of the power of ten (address: N without SunSpec; simulated: -1 is what a simulated
// device reports there). For OPC UA, node: {id: "s=Power.Active"} names the node in the profile's namespace (a URI; the index is looked
// up on the server), and path: [Power, Active] browses to it from the Objects folder.
//
// # Commands
//
// The part control says in which quantity the device is commanded and which registers make one command, in order:
//
//	control:
//	  point: setpoint_kw                  # a point above, or a new name that stands for the sequence
//	  quantity: kw                        # kw, a, share, sg_ready or on_off
//	  min: -5
//	  max: 5
//	  step: 0.001
//	  pause: 0                            # optional, the value that stops the device outside [min, max]
//	  safe: 0
//	  min_hold_s: 5
//	  reversion_s: 60
//	  writes:
//	    - {point: mode, value: 2, when: negative}
//	    - {point: charge_kw, from: command, when: positive}          # factor and offset may follow
//	    - {point: input_1, lookup: {1: 0, 2: 0, 3: 1, 4: 1}}
//	  read_back: {point: battery_kw, tolerance: 0.1}                 # optional
//
// Values are in the stored unit of the point written. Every register of a sequence that can be read is read back after it was written.
// [Control.Command] finds the command that registers stand for, which is how a simulated device understands its own registers.
//
// Then run go test ./drivers/profile: it decodes, encodes and checks every embedded profile.
package profile
