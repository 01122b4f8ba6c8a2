#!/usr/bin/env python3
"""Reads unwind tables as docs/table-format.md describes them, and nothing else: it shares no code with cfic.

    read_table.py TABLE                 proves the checksums, prints what the table holds
    read_table.py TABLE ADDRESS...      prints address and rule number for each SVMA
    read_table.py TABLE --check FILE    FILE has lines "address rule-number": compares, fails on a difference
    read_table.py TABLE --rows          prints all rows: start, end, rule number
    read_table.py TABLE --rules         prints all rules as long ones: kind, cfa, fp, ra, and their offsets
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


SECTIONS = ("ranges", "expressions", "templates", "directory", "rules", "long rules", "sources", "registers", "pages")
ELEMENT_SIZES = (16, 8, 16, 4, 4, 12, 12, 0, 4)
LINK, LONG = 255, 0x8000


class Table:
    def __init__(self, data):
        self.data = data
        if len(data) < 160 or data[:8] != b"\x89UNWTAB\n":
            raise ValueError("not a table")
        (self.version, self.machine, self.pc_shift, self.key_kind, key_size, digest_size, self.producer, self.options,
         self.revision, self.first_template, self.debug_source) = struct.unpack_from("<HHBBBBIIIHB", data, 8)
        if self.version != 4:
            raise ValueError(f"version {self.version} is not known")
        named = key_size + digest_size
        end = 160 + (named + 7) // 8 * 8
        if len(data) < end + 8 or xxh64(data[:end]) != struct.unpack_from("<Q", data, end)[0]:
            raise ValueError("header: checksum does not match")
        if any(data[160 + named:end]):
            raise ValueError("header: bytes after key and digest are not zero")
        self.key = data[160:160 + key_size]
        self.digest = data[160 + key_size:160 + named]
        self.counted_rows = struct.unpack_from("<Q", data, 48 + 8)[0]
        position = end + 8
        if xxh64(data[position:]) != struct.unpack_from("<Q", data, 152)[0]:
            raise ValueError("checksum does not match")
        contents = {}
        for name, size, length in zip(SECTIONS, ELEMENT_SIZES, struct.unpack_from("<9I", data, 112)):
            if size == 0 and length > 0:
                raise ValueError(f"{name}: not empty")
            contents[name] = data[position:position + size * length]
            position += size * length
        if data[position:] != bytes(8):
            raise ValueError("the file does not end with eight zero bytes after its sections")
        self.pages = contents["pages"]
        self.ranges = list(struct.iter_unpack("<QII", contents["ranges"]))
        self.starts = [start for start, _, _ in self.ranges]
        self.directory = [entry for entry, in struct.iter_unpack("<I", contents["directory"])]
        self.templates = [self.template(t) for t, in struct.iter_unpack("16s", contents["templates"])]
        self.long_rules = list(struct.iter_unpack("<BBBBihh", contents["long rules"]))
        self.rules = [self.rule(*fields) for fields in struct.iter_unpack("<BBH", contents["rules"])]
        self.sources = [((high << 32 | low), (size_and_kind >> 2) << self.pc_shift, size_and_kind & 3)
                        for low, high, size_and_kind in struct.iter_unpack("<III", contents["sources"])]
        self.operations = list(struct.iter_unpack("<BBHi", contents["expressions"]))

    @staticmethod
    def template(fields):
        """Its rows: distance, rule number."""
        rows = list(zip(fields[:8], fields[8:]))
        count = 1
        while count < 8 and rows[count] != rows[count - 1]:
            count += 1
        return rows[:count]

    def rule(self, ra, fp, cfa):
        """A rule as a long one has it."""
        if cfa & LONG:
            return self.long_rules[ra | fp << 8]
        if (ra, fp, cfa) == (0, 0, 0):
            return 0, 0, 0, 0, 0, 0, 0
        stack_pointer, frame_pointer = (7, 6) if self.machine == 62 else (31, 29)
        kind = 2 | (0x10 if cfa & 0x2000 else 0) | (0x80 if cfa & 0x4000 else 0) | (0x20 if ra == LINK else 0)
        return (kind, frame_pointer if cfa & 0x1000 else stack_pointer, 0x20 if fp else 0,
                3 << 5 | 30 if ra == LINK else 0x20, 8 * (cfa & 0xFFF), -8 * fp, 0 if ra == LINK else -8 * ra)

    def lookup(self, svma):
        page = svma >> (self.pc_shift + 16)
        number = bisect.bisect_right(self.starts, page) - 1
        if number < 0 or page - self.starts[number] >= self.ranges[number][1]:
            return 0
        entry = self.directory[self.ranges[number][2] + page - self.starts[number]]
        unit = svma >> self.pc_shift & 0xFFFF
        kind, place = entry & 3, entry >> 2 << 2
        if kind == 0:
            return entry >> 2
        if kind == 3:
            place = 4 * struct.unpack_from("<I", self.pages, place + 4 * (unit >> 14))[0]
            return self.in_quarter(place, unit & 0x3FFF)
        if kind == 1:
            palette, units, codes = self.sparse(place)
            item = bisect.bisect_right(units, unit) - 1
            return self.rule_of(palette, codes[item], unit - units[item])
        palette, bits, last_unit, starts, units, codes = self.dense(place)
        unit = min(unit, last_unit)
        first, end = starts[unit >> bits], starts[(unit >> bits) + 1]
        item = first + bisect.bisect_right(units[first:end], unit & 0xFF) - 1
        return self.rule_of(palette, codes[item], 255 if item < first else (unit & 0xFF) - units[item])

    def symbol_rows(self, palette, code):
        """What an item stands for: distances and rule numbers."""
        index = code - (256 - len(palette))
        symbol = code if index < 0 else palette[index]
        if symbol < self.first_template:
            return [(0, symbol)]
        if symbol < self.first_template + len(self.templates):
            return self.templates[symbol - self.first_template]
        return [(0, symbol - len(self.templates))]

    def rule_of(self, palette, code, distance):
        return [rule for offset, rule in self.symbol_rows(palette, code) if offset <= distance][-1]

    def sparse(self, place):
        """Palette, units, codes."""
        entries, count = struct.unpack_from("<BxH", self.pages, place)
        units = place + 4 + 2 * entries
        return (struct.unpack_from(f"<{entries}H", self.pages, place + 4),
                struct.unpack_from(f"<{count}H", self.pages, units), self.pages[units + 2 * count:][:count])

    def dense(self, place):
        """Palette, log2 of a block's units, last unit, the first item of each block and the end, low bytes, codes."""
        entries, kind, last_unit = struct.unpack_from("<BBH", self.pages, place)
        position, starts = place + 4, []
        bits = 8 if kind == 0x88 else kind
        if kind == 0x88:
            for _ in range((last_unit + 1) >> 12):
                base, counts = struct.unpack_from("<HQ", self.pages, position)
                starts += [base + sum(counts >> 4 * before & 15 for before in range(k)) for k in range(16)]
                position += 10
        else:
            for _ in range((last_unit + 1) >> bits >> 3):
                word = struct.unpack_from("<Q", self.pages, position)[0]
                base = word & 0x7FFF
                starts += [base] + [base + (word >> 15 + 7 * k & 0x7F) for k in range(7)]
                position += 8
        count = struct.unpack_from("<H", self.pages, position)[0]
        palette = struct.unpack_from(f"<{entries}H", self.pages, position + 2)
        pairs = self.pages[position + 2 + 2 * entries:][:2 * count]
        return palette, bits, last_unit, starts + [count], pairs[::2], pairs[1::2]

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
        if kind == 1:
            palette, units, codes = self.sparse(place)
        else:
            palette, bits, _, starts, low, codes = self.dense(place)
            units = [block << bits & ~0xFF | unit for block in range(len(starts) - 1)
                     for unit in low[starts[block]:starts[block + 1]]]
        return [unit + offset for unit, code in zip(units, codes) for offset, _ in self.symbol_rows(palette, code)]

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
    elif arguments[1] == "--rules":
        for rule in table.rules:
            print(*rule)
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
