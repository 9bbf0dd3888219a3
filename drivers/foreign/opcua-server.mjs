// An OPC UA server of node-opcua, for the tests of our client.
// usage: node opcua-server.mjs [--secure CERTIFICATE KEY APPLICATION_URI] [--user NAME PASSWORD] [--history] PORT FOLDER NAMESPACE_URI [OTHER_URI...]
// With --secure it offers every policy beside None, takes every client's certificate, and those users' certificates that are in
// FOLDER/users/trusted/certs. Tells {"event":"listening"} on standard output; takes lines "set NAME VALUE", "bad NAME STATUS", "kill" (drops every
// subscription), "cut" (drops every connection) and "rate MS" (of the counter) on standard input, and ends with it.
import { createInterface } from "node:readline";
import net from "node:net";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { OPCUAServer, OPCUACertificateManager, MessageSecurityMode, SecurityPolicy, Variant, DataType, StatusCodes } = require("node-opcua");

const args = process.argv.slice(2);
const options = { secure: null, user: null, history: false };
while (args[0]?.startsWith("--")) {
  const name = args.shift().slice(2);
  if (name === "secure") options.secure = args.splice(0, 3);
  else if (name === "user") options.user = args.splice(0, 2);
  else if (name === "history") options.history = true;
  else throw new Error(`unknown option --${name}`);
}
const [port, folder, uri, ...others] = args;
const tell = (o) => process.stdout.write(JSON.stringify(o) + "\n");

// Connections of clients, to be able to reset them with the server alive.
const sockets = new Set();
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  this.on("connection", (s) => {
    sockets.add(s);
    s.on("close", () => sockets.delete(s));
  });
  return listen.apply(this, args);
};

const certificates = new OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: true });
await certificates.initialize();
let users = certificates;
const identity = {};
if (options.secure) {
  users = new OPCUACertificateManager({ rootFolder: `${folder}/users`, automaticallyAcceptUnknownCertificate: false });
  await users.initialize();
  const [certificateFile, privateKeyFile, applicationUri] = options.secure;
  Object.assign(identity, { certificateFile, privateKeyFile, serverInfo: { applicationUri } });
}
const server = new OPCUAServer({
  port: Number(port), host: "127.0.0.1", hostname: "127.0.0.1", alternateHostname: "127.0.0.1", resourcePath: "",
  serverCertificateManager: certificates, userCertificateManager: users, ...identity,
  securityPolicies: options.secure
    ? [SecurityPolicy.None, SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes128_Sha256_RsaOaep, SecurityPolicy.Aes256_Sha256_RsaPss]
    : [SecurityPolicy.None],
  securityModes: options.secure ? [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt] : [MessageSecurityMode.None],
  allowAnonymous: true,
  userManager: { isValidUser: (name, password) => options.user !== null && name === options.user[0] && password === options.user[1] },
  buildInfo: { productName: "foreign" }, disableDiscovery: true,
});
await server.initialize();
const space = server.engine.addressSpace;
for (const o of others) space.registerNamespace(o);
const ns = space.registerNamespace(uri);
const plant = ns.addObject({ organizedBy: space.rootFolder.objects, browseName: "Plant" });
const nodes = {};
const add = (name, type, value) => {
  nodes[name] = ns.addVariable({ componentOf: plant, browseName: name, nodeId: `s=${name}`, dataType: DataType[type], minimumSamplingInterval: 50 });
  nodes[name].setValueFromSource(new Variant({ dataType: DataType[type], value }), StatusCodes.Good);
  nodes[name].foreignType = DataType[type];
};
add("Power", "Double", 1500);
add("SOC", "Float", 42);
add("Setpoint", "Double", 0);
add("Mode", "Int16", 1);
add("Step", "UInt16", 6);
add("Counter", "Double", 0);
if (options.history) space.installHistoricalDataNode(nodes.Counter, { maxOnlineValues: 10000 });
let n = 0;
let ticking;
const rate = (ms) => {
  clearInterval(ticking);
  ticking = setInterval(() => nodes.Counter.setValueFromSource(new Variant({ dataType: DataType.Double, value: ++n }), StatusCodes.Good), ms);
};
rate(50);

await server.start();
tell({ event: "listening", port: Number(port) });

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const [command, name, value] = line.split(" ");
  if (command === "set") {
    nodes[name].setValueFromSource(new Variant({ dataType: nodes[name].foreignType, value: Number(value) }), StatusCodes.Good);
  } else if (command === "bad") {
    nodes[name].setValueFromSource(new Variant({ dataType: nodes[name].foreignType, value: 0 }), StatusCodes[value]);
  } else if (command === "rate") {
    rate(Number(name));
  } else if (command === "cut") {
    for (const s of sockets) s.resetAndDestroy ? s.resetAndDestroy() : s.destroy();
  } else if (command === "kill") {
    for (const session of Object.values(server.engine._sessions))
      for (const s of session.publishEngine.subscriptions) s.terminate();
  }
  tell({ event: "done", line, connections: sockets.size });
});
lines.on("close", () => process.exit(0));
