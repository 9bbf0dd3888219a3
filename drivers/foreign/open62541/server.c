// An OPC UA server of open62541, for the tests of our client.
// usage: opcua-server PORT NAMESPACE_URI USER PASSWORD [CERTIFICATE KEY APPLICATION_URI VARIABLES]
// With a certificate (DER) and its key it offers every policy beside None and takes every client's certificate. Tells {"event":"listening"} on
// standard output; takes lines "set NAME VALUE" on standard input, and ends with it. VARIABLES more nodes V0... change every
// MS milliseconds once the line "run MS" came.
#include <open62541/plugin/accesscontrol_default.h>
#include <open62541/plugin/pki_default.h>
#include <open62541/plugin/log_stdout.h>
#include <open62541/plugin/historydata/history_data_backend_memory.h>
#include <open62541/plugin/historydata/history_data_gathering_default.h>
#include <open62541/plugin/historydata/history_database_default.h>
#include <open62541/server.h>
#include <open62541/server_config_default.h>

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

static UA_NodeId plant;
static UA_UInt16 ns;

static void add(UA_Server *server, const char *name, const UA_DataType *type, void *value) {
	UA_VariableAttributes attr = UA_VariableAttributes_default;
	UA_Variant_setScalar(&attr.value, value, type);
	attr.dataType = type->typeId;
	attr.accessLevel = UA_ACCESSLEVELMASK_READ | UA_ACCESSLEVELMASK_WRITE | UA_ACCESSLEVELMASK_HISTORYREAD;
	attr.historizing = true;
	UA_Server_addVariableNode(server, UA_NODEID_STRING(ns, (char *)name), plant, UA_NODEID_NUMERIC(0, UA_NS0ID_HASCOMPONENT), UA_QUALIFIEDNAME(ns, (char *)name),
	                          UA_NODEID_NUMERIC(0, UA_NS0ID_BASEDATAVARIABLETYPE), attr, NULL, NULL);
}

static void set(UA_Server *server, const char *name, double v) {
	UA_DataValue dv;
	UA_DataValue_init(&dv);
	UA_Variant_setScalar(&dv.value, &v, &UA_TYPES[UA_TYPES_DOUBLE]);
	dv.hasValue = true;
	dv.sourceTimestamp = UA_DateTime_now();
	dv.hasSourceTimestamp = true;
	UA_Server_writeDataValue(server, UA_NODEID_STRING(ns, (char *)name), dv);
}

int main(int argc, char **argv) {
	if (argc < 5)
		return 2;
	UA_UInt16 port = (UA_UInt16)atoi(argv[1]);
	int variables = argc > 8 ? atoi(argv[8]) : 0;
	UA_ServerConfig config;
	memset(&config, 0, sizeof config);
	config.logging = UA_Log_Stdout_new(UA_LOGLEVEL_FATAL);
	UA_StatusCode status;
	if (argc > 7 && argv[5][0]) {
		UA_ByteString certificate = slurp(argv[5]), key = slurp(argv[6]);
		status = UA_ServerConfig_setDefaultWithSecurityPolicies(&config, port, &certificate, &key, NULL, 0, NULL, 0, NULL, 0);
		UA_CertificateVerification_AcceptAll(&config.secureChannelPKI);
		UA_CertificateVerification_AcceptAll(&config.sessionPKI);
		UA_String_clear(&config.applicationDescription.applicationUri);
		config.applicationDescription.applicationUri = UA_STRING_ALLOC(argv[7]);
		for (size_t i = 0; i < config.endpointsSize; i++) {
			UA_String_clear(&config.endpoints[i].server.applicationUri);
			config.endpoints[i].server.applicationUri = UA_STRING_ALLOC(argv[7]);
		}
	} else {
		status = UA_ServerConfig_setMinimal(&config, port, NULL);
	}
	if (status != UA_STATUSCODE_GOOD)
		return 3;
	UA_UsernamePasswordLogin login = {UA_STRING(argv[3]), UA_STRING(argv[4])};
	config.accessControl.clear(&config.accessControl);
	UA_AccessControl_default(&config, true, NULL, 1, &login);
	config.maxSessions = 20;
	UA_HistoryDataGathering gathering = UA_HistoryDataGathering_Default(4);
	config.historyDatabase = UA_HistoryDatabase_default(gathering);
	UA_Server *server = UA_Server_newWithConfig(&config);
	ns = UA_Server_addNamespace(server, argv[2]);

	UA_ObjectAttributes object = UA_ObjectAttributes_default;
	UA_Server_addObjectNode(server, UA_NODEID_STRING(ns, "Plant"), UA_NODEID_NUMERIC(0, UA_NS0ID_OBJECTSFOLDER), UA_NODEID_NUMERIC(0, UA_NS0ID_ORGANIZES), UA_QUALIFIEDNAME(ns, "Plant"),
	                        UA_NODEID_NUMERIC(0, UA_NS0ID_BASEOBJECTTYPE), object, NULL, &plant);
	UA_Double power = 1500, zero = 0;
	UA_Float soc = 42;
	UA_Int16 mode = 1;
	UA_UInt16 step = 6;
	add(server, "Power", &UA_TYPES[UA_TYPES_DOUBLE], &power);
	add(server, "SOC", &UA_TYPES[UA_TYPES_FLOAT], &soc);
	add(server, "Setpoint", &UA_TYPES[UA_TYPES_DOUBLE], &zero);
	add(server, "Mode", &UA_TYPES[UA_TYPES_INT16], &mode);
	add(server, "Step", &UA_TYPES[UA_TYPES_UINT16], &step);
	for (int i = 0; i < variables; i++) {
		char name[24];
		snprintf(name, sizeof name, "V%d", i);
		add(server, name, &UA_TYPES[UA_TYPES_DOUBLE], &zero);
	}
	UA_HistorizingNodeIdSettings history;
	memset(&history, 0, sizeof history);
	history.historizingBackend = UA_HistoryDataBackend_Memory(1, 10000);
	history.maxHistoryDataResponseSize = 500;
	history.historizingUpdateStrategy = UA_HISTORIZINGUPDATESTRATEGY_VALUESET;
	UA_NodeId id = UA_NODEID_STRING(ns, "Power");
	gathering.registerNodeId(server, gathering.context, &id, history);

	if (UA_Server_run_startup(server) != UA_STATUSCODE_GOOD)
		return 4;
	printf("{\"event\":\"listening\",\"port\":%d}\n", port);
	fflush(stdout);
	char line[256];
	size_t used = 0;
	int period = 0;
	double n = 0;
	UA_DateTime next = 0;
	for (;;) {
		UA_Server_run_iterate(server, false);
		if (period && UA_DateTime_nowMonotonic() >= next) {
			next = UA_DateTime_nowMonotonic() + period * UA_DATETIME_MSEC;
			n++;
			for (int i = 0; i < variables; i++) {
				char name[24];
				snprintf(name, sizeof name, "V%d", i);
				set(server, name, n);
			}
		}
		struct pollfd p = {0, POLLIN, 0};
		if (poll(&p, 1, 1) <= 0)
			continue;
		ssize_t got = read(0, line + used, sizeof line - 1 - used);
		if (got <= 0)
			break;
		used += (size_t)got;
		line[used] = 0;
		char *end;
		while ((end = strchr(line, '\n'))) {
			*end = 0;
			char name[64];
			double v;
			if (sscanf(line, "set %63s %lf", name, &v) == 2)
				set(server, name, v);
			sscanf(line, "run %d", &period);
			printf("{\"event\":\"done\",\"line\":\"%s\"}\n", line);
			fflush(stdout);
			used -= (size_t)(end + 1 - line);
			memmove(line, end + 1, used + 1);
		}
	}
	UA_Server_run_shutdown(server);
	UA_Server_delete(server);
	return 0;
}
