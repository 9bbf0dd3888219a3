# A device made with pymodbus, for tests of our client.
# usage: python3 server.py tcp|udp|rtuovertcp PORT
# Units 7 and 8 have numbers of each type in both orders of words, another table each for inputs, coils and discrete inputs, and 100 registers and coils from 100 on to write.
import asyncio
import json
import sys

from pymodbus import FramerType
from pymodbus.client.mixin import ModbusClientMixin as Mixin
from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext, ModbusSparseDataBlock
from pymodbus.server import ModbusTcpServer, ModbusUdpServer

TYPES = Mixin.DATATYPE
NUMBERS = [  # from address 0 on, high word first, and from 40 on, low word first
    (1234.5, TYPES.FLOAT32), (-123456789, TYPES.INT32), (4000000000, TYPES.UINT32), (-1234567890123456789, TYPES.INT64), (12345678901234567890, TYPES.UINT64), (-987.654321, TYPES.FLOAT64),
    (-1234, TYPES.INT16), (54321, TYPES.UINT16)]


def unit(shift):
    registers = {}
    for start, order in ((0, "big"), (40, "little")):
        at = start
        for number, kind in NUMBERS:
            for r in Mixin.convert_to_registers(number, kind, word_order=order):
                registers[at + 1] = r  # the context counts from 1
                at += 1
    registers |= {a + 1: 0 for a in range(100, 200)}
    coils = {a + 1: False for a in range(100, 200)}
    return ModbusSlaveContext(
        hr=ModbusSparseDataBlock(registers), ir=ModbusSparseDataBlock({a + 1: shift + a for a in range(130)}),
        di=ModbusSparseDataBlock({a + 1: (a + shift) % 3 == 0 for a in range(2000)}), co=ModbusSparseDataBlock(coils))


async def main():
    kind, port = sys.argv[1], int(sys.argv[2])
    context = ModbusServerContext(slaves={7: unit(1000), 8: unit(2000)}, single=False)
    if kind == "udp":
        server = ModbusUdpServer(context, framer=FramerType.SOCKET, address=("127.0.0.1", port))
    else:
        server = ModbusTcpServer(context, framer=FramerType.RTU if kind == "rtuovertcp" else FramerType.SOCKET, address=("127.0.0.1", port))
    await server.listen()
    print(json.dumps({"ready": True}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the test ends
    await server.shutdown()


asyncio.run(main())
