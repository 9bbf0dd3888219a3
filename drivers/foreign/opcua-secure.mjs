// A client of node-opcua that does what it is told over secured channels.
// usage: node opcua-secure.mjs URL NAMESPACE_URI CERTIFICATE KEY FOLDER
// CERTIFICATE (DER or PEM) and KEY (PEM) are the application's; FOLDER is for the client's own trust list. Each line of standard input is a task:
//   {"policy": "Basic256Sha256", "mode": "SignAndEncrypt", "user": NAME, "password": TEXT, "userCertificate": FILE, "userKey": FILE,
//    "application": URI, "do": [...]}
// With no user and no userCertificate it is anonymous. Each step of "do" is {"read": NODE}, {"write": NODE, "value": N, "type": "Double"}, {"display": NODE}, {"access": NODE},
// {"range": NODE}, {"history": NODE, "hours": N, "page": N}, {"processed": NODE, "aggregate": NAME, "minutes": N, "interval": MS}, {"aggregates": true} or {"watch": NODE, "queue": N, "deadband": N, "percent": N, "interval": MS, "wait": MS} or
// {"outage": NODE, "queue": N, "interval": MS, "until": VALUE, "wait": MS}, which watches until a value comes, through lost connections when the task says "retry". NODE is a
// string id in the namespace. Every task is answered by one line {"status": "Good" or why there is no session, "results": [...]}.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(import.meta.url);
const {
  OPCUAClient, OPCUACertificateManager, MessageSecurityMode, SecurityPolicy, UserTokenType, AttributeIds, DataType, TimestampsToReturn,
  ClientSubscription, ClientMonitoredItem, DataChangeFilter, DataChangeTrigger, DeadbandType, HistoryReadRequest, ReadRawModifiedDetails, ReadProcessedDetails, AggregateFunction, BrowseDirection,
} = require("node-opcua");
const { readCertificate, readPrivateKey } = require("node-opcua-crypto");

const [url, uri, certificateFile, privateKeyFile, rootFolder] = process.argv.slice(2);
const tell = (o) => process.stdout.write(JSON.stringify(o) + "\n");
const certificates = new OPCUACertificateManager({ rootFolder, automaticallyAcceptUnknownCertificate: true });
await certificates.initialize();
const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
const why = (e) => {
  const r = e.response?.responseHeader?.serviceResult?.name;
  return r ?? String(e.message).match(/Bad[A-Z]\w+/)?.[0] ?? String(e.message).slice(0, 200);
};

const step = async (session, index, s) => {
  const id = (n) => `ns=${index};s=${n}`;
  if ("read" in s) {
    const d = await session.read({ nodeId: id(s.read), attributeId: AttributeIds.Value });
    return { status: d.statusCode.name, value: d.value?.value ?? null };
  }
  if ("write" in s) {
    const st = await session.write({ nodeId: id(s.write), attributeId: AttributeIds.Value, value: { value: { dataType: DataType[s.type ?? "Double"], value: s.value ?? NaN } } });
    return { status: st.name };
  }
  if ("display" in s) {
    const d = await session.read([AttributeIds.DisplayName, AttributeIds.Description].map((attributeId) => ({ nodeId: id(s.display), attributeId })));
    return { text: d.map((v) => v.value.value.text) };
  }
  if ("access" in s) {
    const d = await session.read([AttributeIds.AccessLevel, AttributeIds.UserAccessLevel, AttributeIds.Historizing].map((attributeId) => ({ nodeId: id(s.access), attributeId })));
    return { levels: d.map((v) => Number(v.value.value)) };
  }
  if ("range" in s) {
    const b = await session.browse({ nodeId: id(s.range), referenceTypeId: "i=46", browseDirection: BrowseDirection.Forward, resultMask: 63 });
    const out = {};
    for (const r of b.references) {
      const v = (await session.read({ nodeId: r.nodeId, attributeId: AttributeIds.Value })).value.value;
      out[r.browseName.name] = r.browseName.name === "EURange" ? [v.low, v.high] : v.displayName.text;
    }
    return out;
  }
  if ("history" in s) {
    const end = new Date();
    const start = new Date(end.getTime() - s.hours * 3600e3);
    const values = [];
    let pages = 0;
    let continuationPoint = null;
    do {
      const request = new HistoryReadRequest({
        historyReadDetails: new ReadRawModifiedDetails({ isReadModified: false, startTime: start, endTime: end, numValuesPerNode: 0, returnBounds: false }),
        nodesToRead: [{ nodeId: id(s.history), continuationPoint }], releaseContinuationPoints: false, timestampsToReturn: TimestampsToReturn.Both,
      });
      const r = await session.historyRead(request);
      const one = r.results[0];
      if (!one.statusCode.isGood()) return { status: one.statusCode.name };
      values.push(...(one.historyData?.dataValues ?? []));
      continuationPoint = one.continuationPoint?.length ? one.continuationPoint : null;
      pages++;
    } while (continuationPoint);
    return { status: "Good", count: values.length, pages, first: values[0]?.value.value, last: values.at(-1)?.value.value };
  }
  if ("processed" in s) {
    const end = new Date(Math.floor(Date.now() / 60e3) * 60e3);
    const start = new Date(end.getTime() - s.minutes * 60e3);
    const r = await session.readAggregateValue({ nodeId: id(s.processed) }, start, end, AggregateFunction[s.aggregate], s.interval);
    const values = r.historyData?.dataValues ?? [];
    return { status: r.statusCode.name, numbers: values.map((v) => v.value?.value ?? null), words: values.map((v) => v.statusCode.toString()), from: start.getTime() / 1000,
      times: values.map((v) => v.sourceTimestamp.getTime() / 1000) };
  }
  if ("aggregates" in s) {
    const names = async (nodeId) => (await session.browse({ nodeId, browseDirection: BrowseDirection.Forward, referenceTypeId: "Organizes", includeSubtypes: true, resultMask: 63 }))
      .references.map((r) => `${r.browseName.name} ${r.nodeId.value}`);
    const can = await session.read({ nodeId: "i=11193", attributeId: AttributeIds.Value });
    return { text: [String(can.value.value), ...(await names("i=2997")), ...(await names("i=11201"))] };
  }
  if ("watch" in s) {
    const subscription = ClientSubscription.create(session, { requestedPublishingInterval: s.interval, requestedLifetimeCount: 100, requestedMaxKeepAliveCount: 10, maxNotificationsPerPublish: 0, publishingEnabled: true, priority: 1 });
    const deadband = s.deadband ?? s.percent;
    const filter = deadband === undefined ? undefined : new DataChangeFilter({ trigger: DataChangeTrigger.StatusValue, deadbandType: s.percent === undefined ? DeadbandType.Absolute : DeadbandType.Percent, deadbandValue: deadband });
    const item = ClientMonitoredItem.create(subscription, { nodeId: id(s.watch), attributeId: AttributeIds.Value }, { samplingInterval: 0, queueSize: s.queue ?? 1, discardOldest: true, filter }, TimestampsToReturn.Both);
    const values = [];
    let status = "Good";
    item.on("changed", (d) => values.push([d.value?.value ?? null, d.statusCode.value & 0x480 ? "overflow" : ""].join("")));
    item.on("err", (m) => (status = String(m)));
    await sleep(s.wait / 2);
    tell({ watching: true });
    await sleep(s.wait);
    await subscription.terminate();
    return { status, values };
  }
  if ("outage" in s) {
    const subscription = ClientSubscription.create(session, { requestedPublishingInterval: s.interval, requestedLifetimeCount: 10000, requestedMaxKeepAliveCount: 10, maxNotificationsPerPublish: 0, publishingEnabled: true, priority: 1 });
    const item = ClientMonitoredItem.create(subscription, { nodeId: id(s.outage), attributeId: AttributeIds.Value }, { samplingInterval: 0, queueSize: s.queue, discardOldest: true }, TimestampsToReturn.Both);
    const values = [];
    const there = new Promise((ok) => item.on("changed", (d) => {
      values.push(String(d.value?.value ?? null));
      if (values.length === 1) tell({ watching: true });
      if (d.value?.value === s.until) ok();
    }));
    await Promise.race([there, sleep(s.wait)]);
    await subscription.terminate();
    return { status: "Good", values };
  }
  return { status: "unknown step" };
};

for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line);
  const out = { status: "Good", results: [] };
  const client = OPCUAClient.create({
    endpointMustExist: false, securityMode: MessageSecurityMode[task.mode], securityPolicy: SecurityPolicy[task.policy], certificateFile, privateKeyFile,
    clientCertificateManager: certificates, applicationUri: task.application, applicationName: "foreign", clientName: "foreign", connectionStrategy: { maxRetry: task.retry ? -1 : 0, initialDelay: 100, maxDelay: 1000 },
    requestedSessionTimeout: task.timeout ?? 60000, keepSessionAlive: false, transportTimeout: 20000,
  });
  client.on("backoff", () => {});
  try {
    await client.connect(url);
    let identity = { type: UserTokenType.Anonymous };
    if (task.userCertificate) {
      identity = { type: UserTokenType.Certificate, certificateData: readCertificate(task.userCertificate), privateKey: readFileSync(task.userKey, "latin1") };
    } else if (task.user) {
      identity = { type: UserTokenType.UserName, userName: task.user, password: task.password };
    }
    const session = await client.createSession(identity);
    const index = (await session.readNamespaceArray()).indexOf(uri);
    for (const s of task.do ?? []) out.results.push(await step(session, index, s).catch((e) => ({ status: why(e) })));
    await session.close();
  } catch (e) {
    out.status = why(e);
  }
  await client.disconnect().catch(() => {});
  tell(out);
}
process.exit(0);
