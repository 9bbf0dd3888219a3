# A client of pymodbus that looks at our Modbus server as modbus-client.mjs does, and then asks for a limit in a register.
# usage: python3 client.py HOST PORT UNIT REGISTER
# Prints one line of JSON.
import json
import math
import sys

from pymodbus.client import ModbusTcpClient

host, port, unit, request = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
client = ModbusTcpClient(host, port=port, timeout=10, retries=0)
assert client.connect()
TYPES = client.DATATYPE


def holding(address, count):
    answer = client.read_holding_registers(address, count=count, slave=unit)
    assert not answer.isError(), answer
    return answer.registers


def number(registers, kind=TYPES.FLOAT32):
    v = client.convert_from_registers(registers, kind)
    return "NaN" if math.isnan(v) else v


def text(registers):
    return b"".join(r.to_bytes(2, "big") for r in registers).split(b"\0")[0].decode("utf-8")


def code(answer):
    return answer.exception_code if answer.isError() else 0


h = holding(0, 64)
values = client.read_input_registers(h[4], count=h[5], slave=unit).registers
hours = holding(h[6], 2 * h[7])
out = {
    "magic": text(h[:2]), "version": h[2], "sites": h[3], "updates": h[11], "name": text(h[32:]),
    "values": [number(values[i:i + 2]) for i in range(0, len(values) - 1, 2)],
    "doubleAt16": number(values[16:20], TYPES.FLOAT64),
    "hours": [number(hours[2 * i:2 * i + 2]) for i in (0, 1, 24)],
    "siteNames": [text(holding(h[9] + k * h[10] + 16, 32)) for k in range(h[3])],
    "write6": code(client.write_register(h[4], 1, slave=unit)),
    "write16": code(client.write_registers(h[4], [1, 2], slave=unit)),
    "coil": code(client.write_coil(0, True, slave=unit)),
    "outside": code(client.read_holding_registers(50000, count=2, slave=unit)),
    "most": code(client.read_holding_registers(0, count=125, slave=unit)),
    "otherUnit": code(client.read_holding_registers(0, count=2, slave=unit + 100)),
}
limit = lambda kw: code(client.write_registers(request, client.convert_to_registers(kw, TYPES.FLOAT32), slave=unit))
out["half"] = code(client.write_register(request, 1, slave=unit))
out["beyond"] = limit(1e6)
out["limit"] = limit(42.5)
out["reads"] = number(holding(request, 2))
print(json.dumps(out), flush=True)
client.close()
