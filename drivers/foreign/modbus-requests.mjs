// A client of modbus-serial that does what it is told, over TCP or, with certificates, over TLS (Modbus/TCP Security).
// usage: node modbus-requests.mjs HOST PORT UNIT [CERT KEY CA]
// Each line of standard input is {"read": ADDRESS, "count": FLOATS} or {"write": ADDRESS, "values": [FLOAT, ...]} with null for not a number, or {"one": ADDRESS, "value": N} for a
// single register. Each is answered by a line {"values": [...], "code": EXCEPTION, "error": TEXT}.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import tls from "node:tls";

const require = createRequire(import.meta.url);
const ModbusRTU = require("modbus-serial");

const [host, port, unit, cert, key, ca] = process.argv.slice(2);
const tell = (o) => process.stdout.write(JSON.stringify(o) + "\n");
const client = new ModbusRTU();
try {
  if (cert) {
    const socket = tls.connect({ host, port: Number(port), cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(ca) });
    await new Promise((ok, no) => socket.once("secureConnect", ok).once("error", no));
    await new Promise((ok, no) => client.linkTCP(socket, (e) => (e ? no(e) : ok())));
  } else {
    await client.connectTCP(host, { port: Number(port) });
  }
} catch (e) {
  tell({ error: String(e.message) });
  process.exit(0);
}
client.setID(Number(unit));
client.setTimeout(5000);
tell({ connected: true });

for await (const line of createInterface({ input: process.stdin })) {
  const c = JSON.parse(line);
  try {
    if ("read" in c) {
      const r = await client.readHoldingRegisters(c.read, 2 * c.count);
      tell({ values: Array.from({ length: c.count }, (_, i) => r.buffer.readFloatBE(4 * i)).map((v) => (Number.isNaN(v) ? null : v)) });
    } else if ("one" in c) {
      await client.writeRegister(c.one, c.value);
      tell({ code: 0 });
    } else {
      const b = Buffer.alloc(4 * c.values.length);
      c.values.forEach((v, i) => b.writeFloatBE(v ?? NaN, 4 * i));
      await client.writeRegisters(c.write, b);
      tell({ code: 0 });
    }
  } catch (e) {
    tell(e.modbusCode ? { code: e.modbusCode } : { error: String(e.message) });
  }
}
client.close(() => process.exit(0));
