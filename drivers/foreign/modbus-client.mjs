// A client of modbus-serial that looks at our Modbus server.
// usage: node modbus-client.mjs HOST PORT UNIT
// Reads the header, then what it describes, and tries to write; one line of JSON on standard output.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const ModbusRTU = require("modbus-serial");

const [host, port, unit] = process.argv.slice(2);
const client = new ModbusRTU();
await client.connectTCP(host, { port: Number(port) });
client.setID(Number(unit));
client.setTimeout(5000);

const text = (b) => b.toString("utf8").replace(/\0.*$/s, "");
const head = await client.readHoldingRegisters(0, 64);
const h = head.data;
const out = { magic: head.buffer.subarray(0, 4).toString("latin1"), version: h[2], sites: h[3], updates: h[11], name: text(head.buffer.subarray(64)), values: [], siteNames: [] };
const block = await client.readInputRegisters(h[4], h[5]);
for (let i = 0; i + 4 <= block.buffer.length; i += 4) {
  const v = block.buffer.readFloatBE(i);
  out.values.push(Number.isNaN(v) ? "NaN" : v);
}
out.doubleAt16 = block.buffer.readDoubleBE(32); // the two counters have four registers
const hours = await client.readHoldingRegisters(h[6], 2 * h[7]);
out.hours = [0, 1, 24].map((i) => hours.buffer.readFloatBE(4 * i));
for (let k = 0; k < h[3]; k++) {
  const s = await client.readHoldingRegisters(h[9] + k * h[10] + 16, 32);
  out.siteNames.push(text(s.buffer));
}
for (const [what, f] of [["write6", () => client.writeRegister(h[4], 1)], ["write16", () => client.writeRegisters(h[4], [1, 2])], ["coil", () => client.writeCoil(0, true)], ["outside", () => client.readHoldingRegisters(50000, 2)]]) {
  try {
    await f();
    out[what] = 0;
  } catch (e) {
    out[what] = e.modbusCode ?? String(e.message);
  }
}
console.log(JSON.stringify(out));
client.close(() => process.exit(0));
