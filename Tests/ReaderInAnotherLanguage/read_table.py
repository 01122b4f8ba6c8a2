#!/usr/bin/env python3
"""Reads unwind tables as docs/table-format.md describes them, and nothing else: it shares no code with cfic.

    read_table.py TABLE                 proves the checksums, prints what the table holds
    read_table.py TABLE ADDRESS...      prints address and rule number for each SVMA
    read_table.py TABLE --check FILE    FILE has lines "address rule-number": compares, fails on a difference
    read_table.py TABLE --rows          prints all rows: start, end, rule number
"""
import bisect
import struct
import sys

MASK = (1 << 64) - 1
P1, P2, P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P4, P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def rotl(value, count):
    value &= MASK
    return (value << count | value >> (64 - count)) & MASK


def round64(acc, lane):
    return rotl(acc + lane * P2, 31) * P1 & MASK


def xxh64(data):
    position, length = 0, len(data)
    if length >= 32:
        a, b, c, d = (P1 + P2) & MASK, P2, 0, -P1 & MASK
        stripes = length // 32
        for w, x, y, z in struct.iter_unpack("<4Q", data[:32 * stripes]):
            a, b, c, d = round64(a, w), round64(b, x), round64(c, y), round64(d, z)
        position = 32 * stripes
        h = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18)
        for x in (a, b, c, d):
            h = ((h ^ round64(0, x)) * P1 + P4) & MASK
    else:
        h = P5
    h = (h + length) & MASK
    while length - position >= 8:
        h = (rotl(h ^ round64(0, struct.unpack_from("<Q", data, position)[0]), 27) * P1 + P4) & MASK
        position += 8
    if length - position >= 4:
        h = (rotl(h ^ (struct.unpack_from("<I", data, position)[0] * P1 & MASK), 23) * P2 + P3) & MASK
        position += 4
    for byte in data[position:]:
        h = rotl(h ^ (byte * P5 & MASK), 11) * P1 & MASK
    h = (h ^ h >> 33) * P2 & MASK
    h = (h ^ h >> 29) * P3 & MASK
    return h ^ h >> 32


class Table:
    def __init__(self, data):
        self.data = data
        if len(data) < 304 or data[:8] != b"\x89UNWTAB\n":
            raise ValueError("not a table")
        (self.version, header_size, self.machine, self.pc_shift, rule_size, self.producer, self.options,
         self.key_kind, key_size, self.debug_source, _, self.revision) = struct.unpack_from("<HHHBBIIBBBBI", data, 8)
        if (self.version, header_size, rule_size) != (3, 304, 12):
            raise ValueError(f"version {self.version} is not known")
        if xxh64(data[:296]) != struct.unpack_from("<Q", data, 296)[0]:
            raise ValueError("header: checksum does not match")
        self.key = data[32:32 + key_size]
        self.digest = data[80:96]
        self.counted_rows = struct.unpack_from("<Q", data, 112 + 8)[0]
        contents = []
        for number, name in enumerate(("ranges", "directory", "rules", "expressions", "pages")):
            offset, size, checksum = struct.unpack_from("<QQQ", data, 176 + 24 * number)
            content = data[offset:offset + size]
            if len(content) != size or xxh64(content) != checksum:
                raise ValueError(f"{name}: checksum does not match")
            contents.append(content)
        ranges, directory, rules, operations, self.pages = contents
        self.ranges = list(struct.iter_unpack("<QII", ranges))
        self.starts = [start for start, _, _ in self.ranges]
        self.directory = struct.unpack(f"<{len(directory) // 4}I", directory)
        self.rules = list(struct.iter_unpack("<BBBBihh", rules))
        self.operations = list(struct.iter_unpack("<BBHi", operations))

    def lookup(self, svma):
        page = svma >> (self.pc_shift + 16)
        number = bisect.bisect_right(self.starts, page) - 1
        if number < 0 or page - self.starts[number] >= self.ranges[number][1]:
            return 0
        entry = self.directory[self.ranges[number][2] + page - self.starts[number]]
        unit = svma >> self.pc_shift & 0xFFFF
        kind, value = entry & 3, entry >> 2
        if kind == 0:
            return value
        place = 4 * value
        if kind == 3:
            place = 4 * struct.unpack_from("<I", self.pages, place + 4 * (unit >> 14))[0]
            return self.in_quarter(place, unit & 0x3FFF)
        rows, palette = struct.unpack_from("<HH", self.pages, place)
        if kind == 1:
            units = place + 4 + 2 * palette
            row = bisect.bisect_right(struct.unpack_from(f"<{rows}H", self.pages, units), unit) - 1
            code, entries = self.pages[units + 2 * rows + row], place + 4
        else:
            entries = place + 328
            units, codes = self.dense_rows(place, rows, palette)
            first, end = self.first(place, unit >> 8), self.first(place, (unit >> 8) + 1)
            code = codes[first + bisect.bisect_right(units[first:end], unit & 0xFF) - 1]
        return struct.unpack_from("<H", self.pages, entries + 2 * code)[0] if palette else code

    def dense_rows(self, place, rows, palette):
        pairs = self.pages[place + 328 + 2 * palette:][:2 * rows]
        return pairs[::2], pairs[1::2]

    def first(self, place, block):
        return struct.unpack_from("<H", self.pages, place + 4 + 2 * (block >> 3))[0] + self.pages[place + 70 + block]

    def in_quarter(self, place, unit):
        rows = struct.unpack_from("<H", self.pages, place)[0]
        first, end = struct.unpack_from("<HH", self.pages, place + 2 + 2 * (unit >> 8))
        units = place + 132 + 2 * rows
        row = first + bisect.bisect_right(self.pages[units + first:units + end], unit & 0xFF) - 1
        return struct.unpack_from("<H", self.pages, place + 132 + 2 * row)[0]

    def units(self, entry):
        """The units of a page's rows, as the page holds them."""
        kind, place = entry & 3, entry >> 2 << 2
        if kind == 0:
            return [0]
        if kind == 3:
            quarters = struct.unpack_from("<4I", self.pages, place)
            return [q << 14 | unit for q in range(4) for unit in self.units_of_quarter(4 * quarters[q])]
        rows, palette = struct.unpack_from("<HH", self.pages, place)
        if kind == 1:
            return list(struct.unpack_from(f"<{rows}H", self.pages, place + 4 + 2 * palette))
        low, _ = self.dense_rows(place, rows, palette)
        firsts = [self.first(place, block) for block in range(257)]
        return [b << 8 | unit for b in range(256) for unit in low[firsts[b]:firsts[b + 1]]]

    def units_of_quarter(self, place):
        rows, *start = struct.unpack_from("<66H", self.pages, place)
        low = self.pages[place + 132 + 2 * rows:][:rows]
        return [b << 8 | unit for b in range(64) for unit in low[start[b]:start[b + 1]]]

    def rows(self):
        """(start, end, rule number) by rising address, neighbours merged."""
        for start_page, count, index in self.ranges:
            last = None
            for page in range(count):
                address = start_page + page << self.pc_shift + 16
                for unit in self.units(self.directory[index + page]):
                    here = address + (unit << self.pc_shift)
                    rule = self.lookup(here)
                    if last is None or rule != last[1]:
                        if last:
                            yield last[0], here, last[1]
                        last = here, rule
            yield last[0], start_page + count << self.pc_shift + 16, last[1]


def changes(rows):
    """Rows as the header counts them."""
    count, force, position = 0, 0, None
    for start, end, rule in rows:
        if start != position:
            count, force = count + (force != 0), 0
        count, force, position = count + (rule != force), rule, end
    return count + (force != 0)


def main(arguments):
    with open(arguments[0], "rb") as file:
        table = Table(file.read())
    if len(arguments) == 1:
        counted = changes(table.rows())
        print(f"machine {table.machine}, key {table.key.hex()}, {len(table.directory)} pages, "
              f"{len(table.rules)} rules, {len(table.operations)} operations, {counted} rows")
        if counted != table.counted_rows:
            sys.exit(f"the header counts {table.counted_rows} rows")
    elif arguments[1] == "--rows":
        for row in table.rows():
            print(*row)
    elif arguments[1] == "--check":
        with open(arguments[2]) as file:
            expected = [tuple(map(int, line.split())) for line in file]
        wrong = [(address, rule) for address, rule in expected if table.lookup(address) != rule]
        for address, rule in wrong[:10]:
            print(f"{address:#x}: rule {table.lookup(address)}, expected {rule}")
        print(f"{len(expected)} lookups, {len(wrong)} differences")
        sys.exit(1 if wrong else 0)
    else:
        for address in arguments[1:]:
            print(address, table.lookup(int(address, 0)))


if __name__ == "__main__":
    main(sys.argv[1:])
