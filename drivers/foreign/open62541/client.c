// An OPC UA client of open62541, for the tests of our server.
// usage: opcua-client URL NAMESPACE_URI CERTIFICATE KEY APPLICATION_URI POLICY_URI MODE USER PASSWORD READ WRITE VALUE
// MODE is 1 None, 2 Sign, 3 SignAndEncrypt; with USER "" it is anonymous. READ and WRITE are string node ids in the namespace. Tells, a line of JSON each: "connected" with the status and, when that is
// good, "browsed" with the number of variables under Objects outside namespace 0, "read", "written", "read back", "history" of the last hours of READ with the number of values, and "changes" for READ, which it
// subscribes, until standard input ends.
#include <open62541/client_config_default.h>
#include <open62541/client_highlevel.h>
#include <open62541/client_subscriptions.h>
#include <open62541/plugin/log_stdout.h>
#include <open62541/plugin/pki_default.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static UA_ByteString slurp(const char *file) {
	UA_ByteString b = UA_BYTESTRING_NULL;
	FILE *f = fopen(file, "rb");
	if (!f)
		return b;
	fseek(f, 0, SEEK_END);
	UA_ByteString_allocBuffer(&b, (size_t)ftell(f));
	rewind(f);
	if (fread(b.data, 1, b.length, f) != b.length)
		b.length = 0;
	fclose(f);
	return b;
}

static UA_UInt16 ns;

// browse counts the variables below a node, page by page.
static int browse(UA_Client *client, UA_NodeId node, int depth) {
	int found = 0;
	UA_BrowseRequest q;
	UA_BrowseRequest_init(&q);
	q.requestedMaxReferencesPerNode = 7;
	q.nodesToBrowse = UA_BrowseDescription_new();
	q.nodesToBrowseSize = 1;
	UA_NodeId_copy(&node, &q.nodesToBrowse[0].nodeId);
	q.nodesToBrowse[0].referenceTypeId = UA_NODEID_NUMERIC(0, UA_NS0ID_HIERARCHICALREFERENCES);
	q.nodesToBrowse[0].includeSubtypes = true;
	q.nodesToBrowse[0].resultMask = UA_BROWSERESULTMASK_ALL;
	UA_BrowseResponse r = UA_Client_Service_browse(client, q);
	UA_BrowseRequest_clear(&q);
	UA_BrowseResult one;
	UA_BrowseResult_init(&one);
	if (r.resultsSize == 1) {
		one = r.results[0];
		UA_BrowseResult_init(&r.results[0]);
	}
	UA_BrowseResponse_clear(&r);
	for (;;) {
		for (size_t i = 0; i < one.referencesSize; i++) {
			UA_ReferenceDescription *d = &one.references[i];
			if (d->nodeId.nodeId.namespaceIndex != ns)
				continue;
			if (d->nodeClass == UA_NODECLASS_VARIABLE)
				found++;
			if (d->nodeClass == UA_NODECLASS_OBJECT && depth < 10)
				found += browse(client, d->nodeId.nodeId, depth + 1);
		}
		if (one.continuationPoint.length == 0)
			break;
		UA_BrowseNextRequest n;
		UA_BrowseNextRequest_init(&n);
		n.continuationPoints = &one.continuationPoint;
		n.continuationPointsSize = 1;
		UA_BrowseNextResponse more = UA_Client_Service_browseNext(client, n);
		UA_BrowseResult_clear(&one);
		if (more.resultsSize == 1) {
			one = more.results[0];
			UA_BrowseResult_init(&more.results[0]);
		}
		UA_BrowseNextResponse_clear(&more);
	}
	UA_BrowseResult_clear(&one);
	return found;
}

static void tell(UA_Client *client, const char *event, const char *name) {
	UA_Variant v;
	UA_Variant_init(&v);
	UA_StatusCode s = UA_Client_readValueAttribute(client, UA_NODEID_STRING(ns, (char *)name), &v);
	printf("{\"event\":\"%s\",\"status\":\"%s\"", event, UA_StatusCode_name(s));
	if (s == UA_STATUSCODE_GOOD && UA_Variant_hasScalarType(&v, &UA_TYPES[UA_TYPES_DOUBLE]))
		printf(",\"value\":%g", *(double *)v.data);
	printf("}\n");
	UA_Variant_clear(&v);
}

static UA_Boolean past(UA_Client *client, const UA_NodeId *node, UA_Boolean more, const UA_ExtensionObject *data, void *context) {
	if (data->encoding == UA_EXTENSIONOBJECT_DECODED && data->content.decoded.type == &UA_TYPES[UA_TYPES_HISTORYDATA])
		*(size_t *)context += ((UA_HistoryData *)data->content.decoded.data)->dataValuesSize;
	return true;
}

static void changed(UA_Client *client, UA_UInt32 sub, void *subContext, UA_UInt32 item, void *context, UA_DataValue *dv) {
	if (dv->hasValue && UA_Variant_hasScalarType(&dv->value, &UA_TYPES[UA_TYPES_DOUBLE]))
		printf("{\"event\":\"change\",\"value\":%g}\n", *(double *)dv->value.data);
}

int main(int argc, char **argv) {
	if (argc != 13)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	char **a = argv + 1;
	UA_Client *client = UA_Client_new();
	UA_ClientConfig *config = UA_Client_getConfig(client);
	if (atoi(a[6]) > 1)
		UA_ClientConfig_setDefaultEncryption(config, slurp(a[2]), slurp(a[3]), NULL, 0, NULL, 0);
	else
		UA_ClientConfig_setDefault(config);
	UA_CertificateVerification_AcceptAll(&config->certificateVerification);
	UA_String_clear(&config->clientDescription.applicationUri);
	config->clientDescription.applicationUri = UA_STRING_ALLOC(a[4]);
	config->securityMode = (UA_MessageSecurityMode)atoi(a[6]);
	config->securityPolicyUri = UA_STRING_ALLOC(a[5]);
	config->timeout = 20000;
	UA_StatusCode s = a[7][0] ? UA_Client_connectUsername(client, a[0], a[7], a[8]) : UA_Client_connect(client, a[0]);
	printf("{\"event\":\"connected\",\"status\":\"%s\"}\n", UA_StatusCode_name(s));
	if (s != UA_STATUSCODE_GOOD) {
		UA_Client_delete(client);
		return 0;
	}
	UA_String uri = UA_STRING(a[1]);
	UA_Client_NamespaceGetIndex(client, &uri, &ns);
	printf("{\"event\":\"browsed\",\"variables\":%d}\n", browse(client, UA_NODEID_NUMERIC(0, UA_NS0ID_OBJECTSFOLDER), 0));
	tell(client, "read", a[9]);
	UA_Variant v;
	double x = atof(a[11]);
	UA_Variant_setScalar(&v, &x, &UA_TYPES[UA_TYPES_DOUBLE]);
	s = UA_Client_writeValueAttribute(client, UA_NODEID_STRING(ns, a[10]), &v);
	printf("{\"event\":\"written\",\"status\":\"%s\"}\n", UA_StatusCode_name(s));
	tell(client, "read back", a[10]);
	size_t count = 0;
	UA_NodeId node = UA_NODEID_STRING(ns, a[9]);
	UA_DateTime now = UA_DateTime_now();
	s = UA_Client_HistoryRead_raw(client, &node, past, now - 10 * 3600 * UA_DATETIME_SEC, now, UA_STRING_NULL, false, 100, UA_TIMESTAMPSTORETURN_BOTH, &count);
	printf("{\"event\":\"history\",\"status\":\"%s\",\"count\":%zu}\n", UA_StatusCode_name(s), count);
	UA_CreateSubscriptionRequest q = UA_CreateSubscriptionRequest_default();
	q.requestedPublishingInterval = 200;
	UA_CreateSubscriptionResponse sub = UA_Client_Subscriptions_create(client, q, NULL, NULL, NULL);
	UA_MonitoredItemCreateRequest item = UA_MonitoredItemCreateRequest_default(node);
	item.requestedParameters.queueSize = 10;
	item.requestedParameters.samplingInterval = 0;
	UA_Client_MonitoredItems_createDataChange(client, sub.subscriptionId, UA_TIMESTAMPSTORETURN_BOTH, item, NULL, changed, NULL);
	struct pollfd in = {0, POLLIN, 0};
	while (poll(&in, 1, 0) == 0)
		UA_Client_run_iterate(client, 50);
	UA_Client_disconnect(client);
	UA_Client_delete(client);
	printf("{\"event\":\"closed\"}\n");
	return 0;
}
