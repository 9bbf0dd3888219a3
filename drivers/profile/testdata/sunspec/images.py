"""Writes images of SunSpec devices from the official model definitions: see README.md.

    python3 images.py DEFINITIONS

DEFINITIONS is the folder json of github.com/sunspec/models. A file NAME.txt has the registers from the mark "SunS" on in hexadecimal, then a line for each point: model, how many-th of
that model in the chain, name, index in a repeated group or 0, and its value, or none.
"""
import json
import struct
import sys

DEVICES = {
    "inverter-split": [1, 101, 120, 121, 122, 123, 124, 160],
    "inverter-phases": [1, 102, 103, 120, 123, 160],
    "inverter-float": [1, 111, 112, 113, 122],
    "inverter-1547": [1, 701, 702, 703, 704, 705, 706, 707, 708, 709, 710, 711, 712, 713, 714],
    "battery": [1, 802, 803],
    "meters": [1, 103, 1, 203, 1, 201, 1, 203, 202, 204],
    "meters-float": [1, 211, 212, 1, 213, 214, 213],
}
# format, largest value here, and the mark of one that is not implemented
TYPES = {
    "uint16": (">H", 65534, "ffff"), "enum16": (">H", 65534, "ffff"), "bitfield16": (">H", 65534, "ffff"), "count": (">H", 65534, "ffff"), "acc16": (">H", 65535, "0000"),
    "int16": (">h", 32767, "8000"), "sunssf": (">h", 10, "8000"), "pad": (">H", 0, "0000"),
    "uint32": (">I", 2**32 - 2, "ffffffff"), "enum32": (">I", 2**32 - 2, "ffffffff"), "bitfield32": (">I", 2**32 - 2, "ffffffff"), "acc32": (">I", 2**32 - 1, "00000000"),
    "int32": (">i", 2**31 - 1, "80000000"), "float32": (">f", 0, "7fc00000"),
    "uint64": (">Q", 2**53 - 1, "f" * 16), "acc64": (">Q", 2**53 - 1, "0" * 16), "int64": (">q", 2**53, "8" + "0" * 15),
}


def raw(seed, kind):
    """A number that no other point of the device has, as large as its type lets it be; None, not implemented, now and then."""
    if kind == "count":
        return 2
    if kind == "sunssf":
        return seed % 7 - 3
    if seed % 11 == 5 or kind in ("pad", "string"):
        return None
    v = (seed * 2654435761 + 12345) % (1 << 52)
    if kind == "float32":
        return float(v % 4000000 - 2000000) / 8
    v = v % (TYPES[kind][1] - 1) + 1
    return -v if kind.startswith("int") and seed % 2 else v


def counts(group):
    """The names of the points that count groups."""
    return {str(g.get("count")) for g in group.get("groups", [])}.union(*map(counts, group.get("groups", [])))


class Model:
    def __init__(self, definition, seed):
        self.image, self.points, self.seed, self.counting = bytearray(), [], seed, counts(definition)
        self.group(definition, {}, "", 0, False)
        self.image[2:4] = struct.pack(">H", len(self.image) // 2 - 2)

    def group(self, g, above, prefix, index, hidden):
        values = {}
        for p in g["points"]:
            self.seed[0] += p["name"] not in ("ID", "L")
            if p["name"] in ("ID", "L"):
                values[p["name"]] = p.get("value")
            else:
                values[p["name"]] = 2 if p["name"] in self.counting else raw(self.seed[0], p["type"])
        scales = {**above, **values}
        for p in g["points"]:
            v = values[p["name"]]
            if p["type"] == "string":
                self.image += bytes(2 * p["size"])
                continue
            form, _, mark = TYPES[p["type"]]
            self.image += bytes.fromhex(mark) if v is None else struct.pack(form, v)
            if p["name"] in ("ID", "L") or p["type"] == "pad" or hidden:
                continue
            if v is not None and "sf" in p:
                sf = p["sf"] if isinstance(p["sf"], int) else scales[p["sf"]]
                v = round(v * 10.0**sf, -sf) if sf else v
            self.points.append((prefix + p["name"], index, "none" if v is None else repr(v)))
        for inner in g.get("groups", []):  # curves within curves are not told: a management system does not write them
            for i in range(1 if inner.get("count", 1) == 1 else 2):
                self.group(inner, scales, inner["name"] + ".", i + 1, hidden or prefix != "" or bool(inner.get("groups")))


for name, chain in DEVICES.items():
    seed, image, lines, seen = [len(name)], bytearray(b"SunS"), [], {}
    for model in chain:
        seen[model] = seen.get(model, 0) + 1
        with open(f"{sys.argv[1]}/model_{model}.json") as f:
            m = Model(json.load(f)["group"], seed)
        image += m.image
        lines += [f"{model} {seen[model]} {' '.join(map(str, p))}" for p in m.points]
    image += bytes([0xFF, 0xFF, 0, 0])
    with open(name + ".txt", "w") as f:
        f.write("\n".join([image.hex(), *lines]) + "\n")
