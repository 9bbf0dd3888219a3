package config

import "fmt"

// face checks who can reach the servers for building systems.
func (b *builder) face(f *Face) {
	beyond := func(listen string) bool { return forms["listen"].re.MatchString(listen) && !loopback(listen) }
	networks := false
	for i, c := range f.ModbusClients {
		path := fmt.Sprintf("face.modbus_clients[%d]", i)
		n := 0
		for _, given := range []string{c.Network, c.Certificate, c.Role} {
			if given != "" {
				n++
			}
		}
		if n != 1 {
			b.say(path, "one of network, certificate and role is needed")
		}
		if c.Network == "" && f.ModbusTLS == "" {
			b.say(path, "certificates are known at modbus_tls_listen alone, which is not given")
		}
		networks = networks || c.Network != ""
	}
	if beyond(f.ModbusListen) && !networks {
		b.say("face.modbus_listen", "%s is reached beyond this machine, without encryption: modbus_clients must list the networks of those who may, or a loopback address such as 127.0.0.1:1502", f.ModbusListen)
	}
	given := 0
	for _, file := range []string{f.ModbusCert, f.ModbusKey, f.ModbusCA} {
		if file != "" {
			given++
		}
	}
	switch {
	case f.ModbusTLS != "" && given < 3:
		b.say("face.modbus_tls_listen", "modbus_tls_cert_file, modbus_tls_key_file and modbus_client_ca_file are needed with it")
	case f.ModbusTLS == "" && given > 0:
		b.say("face", "the modbus_tls and modbus_client_ca files are of no use without modbus_tls_listen")
	}
	if beyond(f.OPCUAListen) && f.OPCUAUnsecured {
		b.say("face.opcua_listen", "%s is reached beyond this machine: opcua_unsecured is for loopback, such as 127.0.0.1:4840", f.OPCUAListen)
	}
}
