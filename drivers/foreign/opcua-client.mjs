// A client of node-opcua that looks at our OPC UA server.
// usage: node opcua-client.mjs URL NAMESPACE_URI FOLDER [NAME...]
// Each event is a line of JSON on standard output. NAMEs are string node ids in the namespace, * for every variable of the folder; all of them are
// read, subscribed and, in vain, written. FOLDER is browsed below the Objects folder, with everything under it. The client leaves when standard input ends.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const {
  OPCUAClient, AttributeIds, DataType, MessageSecurityMode, SecurityPolicy, TimestampsToReturn, ClientSubscription, ClientMonitoredItemGroup,
  WriteRequest, CreateSubscriptionRequest, BrowseDirection, BrowseDescription,
} = require("node-opcua");

let [url, uri, folder, ...names] = process.argv.slice(2);
const all = names[0] === "*";
const tell = (o) => process.stdout.write(JSON.stringify(o) + "\n");
const status = (s) => s.name;

const client = OPCUAClient.create({
  endpointMustExist: false, securityMode: MessageSecurityMode.None, securityPolicy: SecurityPolicy.None,
  connectionStrategy: { maxRetry: 2, initialDelay: 100 }, applicationName: "foreign", clientName: "foreign",
});
await client.connect(url);
const endpoints = await client.getEndpoints();
tell({ event: "endpoints", modes: endpoints.map((e) => String(e.securityPolicyUri)) });

const value = (v) => ({ dataType: DataType.Double, value: v });
const fault = async (what, request) => {
  try {
    const r = await new Promise((ok, no) => client.performMessageTransaction(request, (e, r) => (e ? no(e) : ok(r))));
    tell({ event: what, status: status(r.responseHeader.serviceResult) });
  } catch (e) {
    const r = e.response?.responseHeader?.serviceResult;
    tell({ event: what, status: r ? status(r) : String(e.message) });
  }
};
await fault("write without session", new WriteRequest({ nodesToWrite: [{ nodeId: "ns=2;s=" + names[0], attributeId: AttributeIds.Value, value: { value: value(666) } }] }));
await fault("subscribe without session", new CreateSubscriptionRequest({ requestedPublishingInterval: 0 }));

try {
  await client.createSession({ type: 1, userName: "nobody", password: "wrong" });
  tell({ event: "password", accepted: true });
} catch (e) {
  tell({ event: "password", accepted: false, message: e.message });
}

const session = await client.createSession();
const table = await session.readNamespaceArray();
const index = table.indexOf(uri);
tell({ event: "namespace", index });
const found = [];
let variables = 0;
let objects = 0;
const typed = []; // objects of types of the namespace
const walk = async (nodeId, depth) => {
  const results = await session.browse(new BrowseDescription({
    nodeId, browseDirection: BrowseDirection.Forward, referenceTypeId: "i=33", includeSubtypes: true, resultMask: 63,
  }));
  let references = results.references;
  for (let r = results; r.continuationPoint; ) {
    r = await session.browseNext(r.continuationPoint, false);
    references = references.concat(r.references);
  }
  for (const r of references) {
    if (depth === 0 && r.browseName.name !== folder) continue;
    if (r.nodeClass === 2) {
      variables++;
      found.push(String(r.nodeId.value));
    }
    if (r.nodeClass === 1) objects++;
    if (r.nodeClass === 1 && r.typeDefinition.namespace === index) typed.push(r);
    if (r.nodeClass === 1) await walk(r.nodeId, depth + 1);
  }
};
const began = Date.now();
await walk("i=85", 0);
tell({ event: "browsed", variables, objects, ms: Date.now() - began });

// what a type and those that it is one of declare, by path, and what its objects lack of what is mandatory or have beside
const references = async (nodeId, referenceTypeId, browseDirection = BrowseDirection.Forward) =>
  (await session.browse({ nodeId, referenceTypeId, browseDirection, includeSubtypes: true, resultMask: 63 })).references;
const members = async (nodeId, path = "") => {
  let out = [];
  for (const r of await references(nodeId, "i=33")) {
    const at = path + "/" + r.browseName.name;
    if (r.nodeClass === 2) out.push({ at, node: r.nodeId });
    else if (r.nodeClass === 1 && String(r.typeDefinition) === "ns=0;i=61" && !["Sites", "Devices"].includes(r.browseName.name)) out = out.concat(await members(r.nodeId, at));
  }
  return out;
};
const known = new Map();
const declared = async (type) => {
  const key = String(type);
  if (known.has(key)) return known.get(key);
  const out = new Map();
  for (const m of await members(type)) {
    const rules = await references(m.node, "i=37");
    out.set(m.at, rules.map((r) => r.browseName.name).join());
  }
  for (const r of await references(type, "i=45", BrowseDirection.Inverse)) for (const [at, rule] of await declared(r.nodeId)) out.set(at, rule);
  known.set(key, out);
  return out;
};
const wrong = [];
for (const o of typed) {
  const want = await declared(o.typeDefinition);
  const have = new Set((await members(o.nodeId)).map((m) => m.at));
  for (const [at, rule] of want) if (!["Mandatory", "Optional"].includes(rule) || (rule === "Mandatory" && !have.has(at))) wrong.push(`${o.browseName.name} lacks ${at} (${rule})`);
  for (const at of have) if (!want.has(at)) wrong.push(`${o.browseName.name} has ${at}`);
}
const kinds = [...new Set(typed.map((o) => String(o.typeDefinition.value)))].sort();
tell({ event: "types", count: typed.length, text: kinds.join(" "), line: wrong.join("; "), variables: [...known.values()].reduce((n, t) => n + t.size, 0) });

if (all) names = found;
const ids = names.map((n) => `ns=${index};s=${n}`);
const read = await session.read(ids.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })));
tell({ event: "read", values: read.slice(0, 10).map((d) => ({ value: d.value?.value ?? null, status: status(d.statusCode), source: d.sourceTimestamp })) });
const types = await session.read(ids.slice(0, 1).flatMap((nodeId) => [AttributeIds.DataType, AttributeIds.AccessLevel, AttributeIds.Description, AttributeIds.BrowseName].map((attributeId) => ({ nodeId, attributeId }))));
tell({ event: "attributes", dataType: String(types[0].value.value), access: types[1].value.value, description: types[2].value.value.text, name: types[3].value.value.name });
const unit = await session.browse({ nodeId: ids[0], referenceTypeId: "i=46", browseDirection: BrowseDirection.Forward, resultMask: 63 });
if (unit.references.length > 0) {
  const u = await session.read({ nodeId: unit.references[0].nodeId, attributeId: AttributeIds.Value });
  tell({ event: "unit", text: u.value.value.displayName.text, id: u.value.value.unitId });
}

const wrote = await session.write(ids.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value, value: { value: value(666) } })));
tell({ event: "written", count: wrote.length, status: [...new Set(wrote.map(status))] });

const subscription = ClientSubscription.create(session, {
  requestedPublishingInterval: 100, requestedLifetimeCount: 100, requestedMaxKeepAliveCount: 10, maxNotificationsPerPublish: 0, publishingEnabled: true, priority: 1,
});
subscription.on("keepalive", () => tell({ event: "keepalive" }));
subscription.on("terminated", () => tell({ event: "terminated" }));
let changes = 0;
const group = ClientMonitoredItemGroup.create(subscription, ids.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })), { samplingInterval: 100, queueSize: 10, discardOldest: true }, TimestampsToReturn.Both);
group.on("changed", (item, d, i) => all ? ++changes % 1000 || tell({ event: "changes", count: changes }) : tell({ event: "change", name: names[i], value: d.value?.value ?? null, status: status(d.statusCode) }));
group.on("initialized", () => tell({ event: "subscribed" }));

const lines = createInterface({ input: process.stdin });
lines.on("close", async () => {
  await subscription.terminate();
  await session.close();
  await client.disconnect();
  tell({ event: "closed" });
  process.exit(0);
});
