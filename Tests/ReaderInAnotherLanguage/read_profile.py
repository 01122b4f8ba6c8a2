#!/usr/bin/env python3
"""Reads a .cfic file, by docs/profile-format.md alone.

read_profile.py FILE prints a line for each stack: process, thread, outermost;...;innermost frame as function+address, mappings of
its process as start-end=module+address@offset, samples and weight; then the number of samples with times, and the sums of their times in microseconds, threads, CPUs and lengths of
waits, modulo 2**64. read_profile.py --sizes FILE prints how many bytes of the contents each part takes, and compressed.
"""
import itertools
import lzma
import struct
import sys


class Contents:
    def __init__(self, file):
        assert file[:8] == b"\x89CFIC\r\n\x1a", "magic"
        assert struct.unpack_from("<I", file, 8) == (2,), "version"
        pieces, rest = [], file[12:]
        while rest.strip(b"\0"):
            stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=5 << 20)
            pieces.append(stream.decompress(rest))
            assert stream.eof, "end"
            rest = stream.unused_data
        assert len(rest) % 4 == 0, "zeros"
        self.bytes, self.at = b"".join(pieces), 0
        assert len(self.bytes) <= 2**20 + 64 * len(file), "size"

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

    def text(self):
        start, self.at = self.at, self.bytes.index(0xff, self.at) + 1
        return self.bytes[start:self.at - 1].decode()

    def column(self, count):
        return [self.number() for _ in range(count)]

    def signed_column(self, count):
        return [self.signed() for _ in range(count)]

    def callees(self, count):
        """A function that finds the next of `count` callees, when it is given the caller."""
        places = self.column(count)
        others = iter(self.column(places.count(17)))
        places, lists, new = iter(places), {}, 0

        def find(caller):
            nonlocal new
            place, known = next(places), lists.setdefault(caller, [])
            if place == 0:
                callee, new = new, new + 1
            elif place == 17:
                callee = new - 1 - next(others)
            else:
                callee = known.pop(place - 1)
            known.insert(0, callee)
            del known[16:]
            return callee

        return find


def read(contents, part):
    unit, waits, period, frequency = contents.column(4)
    seconds, lost, event = contents.double(), contents.number(), contents.text()
    part("facts")
    names = [contents.text() for _ in range(contents.number())]
    part("names")
    modules = [(names[contents.number()], names[contents.number()]) for _ in range(contents.number())]
    part("modules")
    count = contents.number()
    nodes, parents = read_nodes(contents, count)
    part("nodes of stacks")
    frames, functions, addresses = read_code(contents, part, parents)
    tasks, task_count = [], 0
    for stack, distance in enumerate(contents.column(count)):
        tasks.append(tasks[stack - distance] if distance else task_count)
        task_count += distance == 0
    processes = list(itertools.accumulate(contents.signed_column(task_count)))
    threads, cgroups = contents.column(task_count), contents.column(task_count)
    part("tasks")
    spaces = read_spaces(contents, part, modules, task_count)
    ends, kinds, samples = contents.column(count), contents.column(count), contents.column(count)
    weights = []
    for kind, number in zip(kinds, samples):
        usual = [number, 0 if kind & 2 else number * 1e9 / (frequency - 1 if frequency else 1),
                 number * (period - 1 if period else 1)][unit]
        weights.append(contents.double() if kind & 1 else usual)
    part("stacks")

    def path(node):
        found = []
        while node:
            frame = frames[node]
            found.append(f"{names[functions[frame]]}+{addresses[frame]:x}")
            node = parents[node]
        return ";".join(reversed(found))

    stacks = [(processes[tasks[i]], names[threads[tasks[i]]], path(nodes[i]), spaces[tasks[i]], samples[i], weights[i])
              for i in range(count)]
    usual = (2 * 10**6 + frequency - 1) // (2 * (frequency - 1)) if frequency > 1 else 0
    return stacks, read_times(contents, part, usual, [processes[task] for task in tasks], [kind & 2 for kind in kinds])


def read_nodes(contents, count):
    """The node of each stack, and the caller of each node."""
    new = contents.column(count)
    own = iter(contents.column(new.count(0)))
    callers = iter(contents.column(count - new.count(0)))
    nodes, parents = [], [0]
    for number in new:
        if number == 0:
            nodes.append(next(own))
            continue
        first = len(parents)
        parents += [next(callers)] + list(range(first, first + number - 1))
        nodes.append(len(parents) - 1)
    return nodes, parents


def read_code(contents, part, parents):
    """The frame of each node; the name and the address of each frame."""
    find, frames, callers = contents.callees(len(parents) - 1), [None], []
    for parent in parents[1:]:
        frame = find(frames[parent])
        if frame == len(callers):
            callers.append(frames[parent])
        frames.append(frame)
    part("frames of nodes")
    find, functions = contents.callees(len(callers)), []
    for caller in callers:
        functions.append(find(None if caller is None else functions[caller]))
    part("functions of frames")
    count = max(functions, default=-1) + 1
    symbols, names, highest = contents.signed_column(count), [], -1
    for symbol in symbols:
        name = highest + 1 + contents.signed()
        names.append(name)
        highest = max(highest, name, name + symbol)
    modules, files = contents.column(count), contents.column(count)
    part("functions")
    marks = contents.column(len(callers))
    addresses, first, last = [], {}, {}
    for caller, function, mark in zip(callers, functions, marks):
        module = modules[function]
        if mark & 16:
            other = 0 if caller is None else addresses[caller]
        else:
            other = first[function] if function in first else last.get(module, 0)
        address = (other + contents.signed()) % 2**64
        addresses.append(address)
        if function not in first:
            first[function] = last[module] = address
    lines, latest = [], {}
    for function in functions:
        latest[function] = latest.get(function, 0) + contents.signed()
        lines.append(latest[function])
    part("frames")
    return frames, [names[function] for function in functions], addresses


def read_spaces(contents, part, modules, task_count):
    """The mappings of each task: addresses in the process, module, address in its file, offset in the file."""
    numbers, count = [], 0
    for code in contents.column(task_count):
        count += code == 1
        numbers.append(None if code == 0 else count - 1 if code == 1 else count + 1 - code)
    part("address spaces of tasks")
    counts = contents.column(count)
    find, lists, pieces = contents.callees(sum(counts)), [], 0
    for length in counts:
        found, before = [], None
        for _ in range(length):
            before = find(before)
            pieces = max(pieces, before + 1)
            found.append(before)
        lists.append(found)
    part("pieces of address spaces")
    columns = [contents.column(pieces), contents.column(pieces), contents.column(pieces)]
    offsets = [start - contents.signed() for start in columns[1]]
    pieces = [(modules[module][0], start, size, offset) for module, start, size, offset in zip(*columns, offsets)]
    part("pieces")
    spaces, distances = [], {}
    for numbers_of_pieces in lists:
        page, before, space = 0, None, []
        for piece in numbers_of_pieces:
            distance = distances.get((before, piece), 0) + contents.signed()
            distances[before, piece], before = distance, piece
            page += distance
            module, start, size, offset = pieces[piece]
            space.append(f"{page * 4096:x}-{page * 4096 + size:x}={module}+{start:x}@{offset % 2**64:x}")
        spaces.append(space)
    part("mappings")
    return [[] if number is None else spaces[number] for number in numbers]


def read_times(contents, part, usual, last_threads, waits):
    kind = contents.number()
    if kind == 0:
        assert contents.at == len(contents.bytes)
        return [0] * 5
    if kind == 2:
        contents.column(2)
    count, last, next_stack = contents.number(), {}, 0
    sums = [count, 0, 0, 0, 0]
    for start in range(0, count, 32768):
        size = min(32768, count - start)
        cpus = contents.column(size)
        part("CPUs")
        periods = contents.signed_column(size) if usual else [0] * size
        for cpu, number in zip(cpus, periods):
            last[cpu] = last.get(cpu, 0) + number * usual + contents.signed()
            sums[1] += last[cpu]
            sums[3] += cpu
        part("times")
        stacks = []
        for number in contents.column(size):
            stack = next_stack - number if number <= next_stack else number
            next_stack = max(next_stack, stack + 1)
            stacks.append(stack)
        part("stacks of samples")
        for stack in stacks:
            last_threads[stack] += contents.signed()
            sums[2] += last_threads[stack]
        part("threads")
        sums[4] += sum(contents.number() for stack in stacks if waits[stack])
        part("waits")
    assert contents.at == len(contents.bytes)
    return [number % 2**64 for number in sums]


def main():
    with open(sys.argv[-1], "rb") as file:
        contents = Contents(file.read())
    sizes, start = {}, 0

    def part(name):
        nonlocal start
        packed = len(lzma.compress(contents.bytes[start:contents.at], lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2}]))
        known = sizes.get(name, (0, 0))
        sizes[name] = known[0] + contents.at - start, known[1] + packed
        start = contents.at

    if sys.argv[1] == "--sizes":
        read(contents, part)
        for name, (size, packed) in sizes.items():
            print(f"{name:18} {size:10} {packed:10}")
        return
    stacks, sums = read(contents, lambda _: None)
    for process, thread, path, mappings, samples, weight in stacks:
        print(f"{process} {thread} {path} {','.join(mappings)} {samples} {weight!r}")
    print(*sums)


main()
