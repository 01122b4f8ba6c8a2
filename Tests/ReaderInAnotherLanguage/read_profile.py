#!/usr/bin/env python3
"""Reads a .cfic file, by docs/profile-format.md alone.

read_profile.py FILE prints a line for each stack: process, thread, outermost;...;innermost frame as function+address, samples
and weight; then the number of samples with times, and the sums of their times, threads, CPUs and lengths of waits, modulo
2**64. read_profile.py --sizes FILE prints how many bytes of the body each part takes.
"""
import struct
import sys
import zlib


class Body:
    def __init__(self, file):
        assert file[:8] == b"\x89CFIC\r\n\x1a", "magic"
        assert struct.unpack_from("<I", file, 8) == (1,), "version"
        pieces, checksum, offset = [], zlib.crc32(file[:12]), 12
        while True:
            stored, size = struct.unpack_from("<II", file, offset)
            end = offset + 8 + stored
            checksum = zlib.crc32(file[offset:end], checksum)
            assert struct.unpack_from("<I", file, end) == (checksum,), "checksum"
            if size == 0:
                assert stored == 0 and end + 4 == len(file), "end"
                break
            assert size <= 1 << 18 and size <= 64 * stored, "size"
            inflater = zlib.decompressobj(-15)
            piece = inflater.decompress(file[offset + 8:end])
            assert inflater.eof and not inflater.unused_data and len(piece) == size, "contents"
            pieces.append(piece)
            offset = end + 4
        self.bytes, self.at = b"".join(pieces), 0

    def number(self):
        value = shift = 0
        while True:
            byte = self.bytes[self.at]
            self.at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    def signed(self):
        value = self.number()
        return value >> 1 if value & 1 == 0 else -(value >> 1) - 1

    def double(self):
        self.at += 8
        return struct.unpack_from("<d", self.bytes, self.at - 8)[0]

    def text(self, count):
        self.at += count
        return self.bytes[self.at - count:self.at].decode()

    def column(self, count):
        return [self.number() for _ in range(count)]


def read(body, part):
    unit, waits, period, frequency = body.number(), body.number(), body.number(), body.number()
    seconds, lost = body.double(), body.number()
    event = body.text(body.number())
    part("facts")
    names = [body.text(length) for length in body.column(body.number())]
    part("names")
    modules = [(names[body.number()], names[body.number()]) for _ in range(body.number())]
    part("modules")
    count = body.number()
    functions, symbols, places = body.column(count), body.column(count), body.column(count)
    addresses, last = [], {}
    for place in places:
        last[place] = (last.get(place, 0) + body.signed()) % 2**64
        addresses.append(last[place])
    files, lines, marks = body.column(count), body.column(count), body.column(count)
    part("frames")
    count = body.number()
    parents = [0] + [number - 1 - distance for number, distance in enumerate(body.column(count), 1)]
    frames = [0] + body.column(count)
    part("nodes")
    count = body.number()
    nodes, processes = body.column(count), [body.signed() for _ in range(count)]
    threads, cgroups, ends = body.column(count), body.column(count), body.column(count)
    kinds, samples = body.column(count), body.column(count)
    weights = []
    for kind, number in zip(kinds, samples):
        usual = [number, 0 if kind & 2 else number * 1e9 / (frequency - 1 if frequency else 1),
                 number * (period - 1 if period else 1)][unit]
        weights.append(body.double() if kind & 1 else usual)
    part("stacks")

    def path(node):
        found = []
        while node:
            frame = frames[node]
            found.append(f"{names[functions[frame]]}+{addresses[frame]:x}")
            node = parents[node]
        return ";".join(reversed(found))

    stacks = [(processes[i], names[threads[i]], path(nodes[i]), samples[i], weights[i]) for i in range(count)]
    return stacks, times(body, part, processes, [kind & 2 for kind in kinds])


def times(body, part, last_threads, waits):
    kind = body.number()
    if kind == 0:
        assert body.at == len(body.bytes)
        return [0] * 5
    if kind == 2:
        body.number(), body.number()
    count, last = body.number(), {}
    sums = [count, 0, 0, 0, 0]
    for start in range(0, count, 32768):
        size = min(32768, count - start)
        cpus = body.column(size)
        part("CPUs")
        for cpu in cpus:
            before, difference = last.get(cpu, (0, 0))
            time = (before + difference + body.signed()) % 2**64
            last[cpu] = time, time - before
            sums[1] += time
            sums[3] += cpu
        part("times")
        stacks = body.column(size)
        part("stacks of samples")
        for stack in stacks:
            last_threads[stack] += body.signed()
            sums[2] += last_threads[stack]
        part("threads")
        sums[4] += sum(body.number() for stack in stacks if waits[stack])
        part("waits")
    assert body.at == len(body.bytes)
    return [number % 2**64 for number in sums]


def main():
    with open(sys.argv[-1], "rb") as file:
        body = Body(file.read())
    sizes, start = {}, 0

    def part(name):
        nonlocal start
        packed = len(zlib.compress(body.bytes[start:body.at]))
        known = sizes.get(name, (0, 0))
        sizes[name] = known[0] + body.at - start, known[1] + packed
        start = body.at

    if sys.argv[1] == "--sizes":
        read(body, part)
        for name, (size, packed) in sizes.items():
            print(f"{name:18} {size:10} {packed:10}")
        return
    stacks, sums = read(body, lambda _: None)
    for process, thread, path, samples, weight in stacks:
        print(f"{process} {thread} {path} {samples} {weight!r}")
    print(*sums)


main()
