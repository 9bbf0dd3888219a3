/* A Modbus device made with libmodbus, for the tests of drivers/modbus: "tcp PORT" on loopback, or "rtu DEVICE BAUD PARITY". Its unit is 7. It has only what it declares of
 * the library, so that the library's run-time package is enough to build it. Registers: from 0 on, 1234.5678 in the orders ABCD, CDAB, BADC, DCBA; from 10 on the bytes 11 22 33 44 55
 * 66 77 88; from 20 on, what is written. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct _modbus modbus_t;
typedef struct {
	int nb_bits, start_bits, nb_input_bits, start_input_bits, nb_input_registers, start_input_registers, nb_registers, start_registers;
	uint8_t *tab_bits, *tab_input_bits;
	uint16_t *tab_input_registers, *tab_registers;
} modbus_mapping_t;
modbus_t *modbus_new_tcp(const char *ip, int port);
modbus_t *modbus_new_rtu(const char *device, int baud, char parity, int data_bit, int stop_bit);
modbus_mapping_t *modbus_mapping_new(int nb_bits, int nb_input_bits, int nb_registers, int nb_input_registers);
int modbus_set_slave(modbus_t *ctx, int slave);
int modbus_connect(modbus_t *ctx);
int modbus_tcp_listen(modbus_t *ctx, int nb_connection);
int modbus_tcp_accept(modbus_t *ctx, int *s);
int modbus_receive(modbus_t *ctx, uint8_t *req);
int modbus_reply(modbus_t *ctx, const uint8_t *req, int req_length, modbus_mapping_t *mapping);
const char *modbus_strerror(int errnum);
void modbus_set_float(float f, uint16_t *dest);

static int fail(const char *what)
{
	fprintf(stderr, "libmodbus: %s: %s\n", what, modbus_strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	modbus_t *ctx = NULL;
	int tcp = argc == 3 && !strcmp(argv[1], "tcp"), listener = -1, i;
	uint8_t request[260];
	uint16_t low[2];
	modbus_mapping_t *map = modbus_mapping_new(100, 100, 200, 200);

	if (tcp)
		ctx = modbus_new_tcp("127.0.0.1", atoi(argv[2]));
	else if (argc == 5 && !strcmp(argv[1], "rtu"))
		ctx = modbus_new_rtu(argv[2], atoi(argv[3]), argv[4][0], 8, argv[4][0] == 'N' ? 2 : 1);
	if (!ctx || !map)
		return fail("arguments");
	modbus_set_slave(ctx, 7);
	/* modbus_set_float puts the low word first. Its sisters with the order in their names mean the reverse in version 3.1.6 of what they mean later: not used. */
	modbus_set_float(1234.5678f, low);
	for (i = 0; i < 2; i++) {
		map->tab_registers[i] = low[1 - i];
		map->tab_registers[2 + i] = low[i];
		map->tab_registers[4 + i] = low[1 - i] >> 8 | low[1 - i] << 8;
		map->tab_registers[6 + i] = low[i] >> 8 | low[i] << 8;
	}
	for (i = 0; i < 4; i++)
		map->tab_registers[10 + i] = 0x1122 + i * 0x2222;
	for (i = 0; i < 100; i++) {
		map->tab_input_registers[i] = 1000 + i;
		map->tab_input_bits[i] = i % 3 == 0;
	}
	if (tcp ? (listener = modbus_tcp_listen(ctx, 4)) < 0 : modbus_connect(ctx) < 0)
		return fail("open");
	printf("{\"event\":\"ready\"}\n");
	fflush(stdout);
	for (;;) {
		if (tcp && modbus_tcp_accept(ctx, &listener) < 0)
			return fail("accept");
		for (;;) {
			int n = modbus_receive(ctx, request);
			if (n < 0 && (tcp || errno != ETIMEDOUT))
				break;
			if (n > 0)
				modbus_reply(ctx, request, n, map);
		}
		if (!tcp)
			usleep(1000);
	}
}
