"""Watches `cfic profile -a` while programs run that are hard on it, and checks what scripts/endurance.sh promises.

    watch.py CFIC SECONDS AUDITED OPTION...

AUDITED are the options of `cfic validate --live`, in one word, that say what to audit; the others are those of `cfic profile`.
In the current directory, each of the files in LOADS ends with a line that says how often a load did what it does.

Origin: own. Licence: Apache-2.0.
"""
import collections
import ctypes
import errno
import glob
import json
import os
import platform
import re
import subprocess
import sys
import time

cfic, seconds, audited, options = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(), sys.argv[4:]
# In a short run, what is there to be known isn't yet known after a quarter of the time.
is_short = seconds < 600
LOADS = {
    "alive": "processes alive", "started": "processes started", "opened": "libraries opened and closed",
    "called": "calls of large libraries", "replaced": "replacements of a library", "used": "of them opened",
}


class KernelObjects:
    """The BPF programs, maps and links that a process has had descriptors of. The kernel doesn't use an id twice."""

    # enum bpf_cmd in linux/bpf.h
    COMMANDS = {"prog": 13, "map": 14, "link": 30}
    SYSTEM_CALL = {"x86_64": 321, "aarch64": 280}[platform.machine()]

    def __init__(self):
        self.ids = {kind: set() for kind in self.COMMANDS}

    def note(self, process):
        for name in os.listdir(f"/proc/{process}/fd"):
            try:
                if os.readlink(f"/proc/{process}/fd/{name}").startswith("anon_inode:bpf"):
                    with open(f"/proc/{process}/fdinfo/{name}") as file:
                        for kind, number in re.findall(r"^(prog|map|link)_id:\s*(\d+)$", file.read(), re.M):
                            self.ids[kind].add(int(number))
            except FileNotFoundError:
                continue

    def remaining(self):
        """Those that are still there after half a minute. The kernel frees them when no CPU can be using them any more."""
        libc = ctypes.CDLL(None, use_errno=True)
        left = [(kind, number) for kind in self.ids for number in self.ids[kind]]
        end = time.monotonic() + 30
        while left and time.monotonic() < end:
            there = []
            for kind, number in left:
                attributes = ctypes.create_string_buffer(number.to_bytes(4, "little"), 128)
                descriptor = libc.syscall(self.SYSTEM_CALL, self.COMMANDS[kind], attributes, 128)
                if descriptor >= 0:
                    os.close(descriptor)
                if descriptor >= 0 or ctypes.get_errno() != errno.ENOENT:
                    there.append((kind, number))
            left = there
            time.sleep(0.05)
        return left


def field(text, name):
    """A field of /proc/PID/status, in KiB."""
    found = re.search(rf"^{name}:\s*(\d+) kB$", text, re.M)
    return int(found[1]) if found else None


def flat_numbers(counters):
    """The counters by their paths in the document."""
    found = {}
    for key, value in counters.items():
        if isinstance(value, dict):
            found |= {f"{key}.{label}": number for label, number in value.items()}
        elif isinstance(value, (int, float)):
            found[key] = value
    return found


# What never decreases; docs/counters.md.
TOTALS = re.compile(
    r"(samples|lostSamples|missedEvents|lostProcessEvents|snapshots|lostSnapshots|finishedStacks|tableEvictions|tableReloads"
    r"|tableMemoryRefusals|(stacks|ends|frames|lookups|reads|tableRequests)\..*)$")


def counts():
    found = {}
    for name in LOADS:
        try:
            with open(name) as file:
                found[name] = int(file.read().split()[-1])
        except (FileNotFoundError, IndexError, ValueError):
            found[name] = 0
    return found


class Audits:
    """`cfic validate --live` at the same time, in a part of each minute."""

    def __init__(self):
        self.length = 20 if seconds > 120 else max(seconds // 4, 3)
        self.pause = 40 if seconds > 120 else self.length
        self.due = time.monotonic() + self.pause / 2
        self.running = None
        self.number = 0
        self.orderly = True

    def look(self, has_time):
        if self.running and self.running.poll() is not None:
            self.orderly &= self.running.returncode in (0, 1)
            self.running = None
            self.due = time.monotonic() + self.pause
        if has_time(self.length + 2) and not self.running and time.monotonic() >= self.due:
            with open(f"audit{self.number}", "w") as output, open("audit-problems", "a") as problems:
                self.running = subprocess.Popen(
                    [cfic, "validate", "--live", *audited, "-F", "49", "-d", str(self.length), "--json"],
                    stdout=output, stderr=problems)
            self.number += 1

    def end(self):
        if not self.running:
            return
        try:
            self.orderly &= self.running.wait(timeout=120) in (0, 1)
        except subprocess.TimeoutExpired:
            self.orderly = False
            self.running.kill()
            self.running.wait()

    def reports(self):
        found = []
        for path in glob.glob("audit[0-9]*"):
            with open(path) as file:
                try:
                    found.append(json.load(file))
                except ValueError:
                    self.orderly = False
        return found


class Watch:
    def __init__(self):
        self.objects = KernelObjects()
        # (seconds since sampling began, KiB, descriptors)
        self.states = []
        self.counters = []
        self.began = None
        self.peak = self.high = 0
        self.problems = []

    def run(self):
        with open("summary", "w") as summary:
            profile = subprocess.Popen(
                [cfic, "profile", *options, "-d", str(seconds), "--counters", "counters.json", "-o", "stacks.folded"],
                stderr=summary)
        self.audits = Audits()
        self.begin_counts, self.begin_time = counts(), time.monotonic()
        tick = max(5, seconds / 60)
        due = time.monotonic()
        print("|  min | RssAnon KiB | descriptors | table memory KiB | processes known | samples | lost |", flush=True)
        while profile.poll() is None:
            self.note(profile.pid)
            if self.counters and time.monotonic() >= due:
                due += tick
                self.objects.note(profile.pid)
                self.print_row()
            if seconds - self.elapsed() > 0:
                self.audits.look(lambda needed: seconds - self.elapsed() > needed)
                self.end_counts, self.end_time = counts(), time.monotonic()
            time.sleep(0.2)
        self.audits.end()
        self.note_counters()
        return profile.returncode

    def elapsed(self):
        return time.time() - self.began if self.began else 0

    def note(self, process):
        self.note_counters()
        try:
            with open(f"/proc/{process}/status") as file:
                text = file.read()
            anonymous = field(text, "RssAnon")
            descriptors = len(os.listdir(f"/proc/{process}/fd"))
        except (FileNotFoundError, ProcessLookupError):
            return
        if anonymous is None:
            return
        self.peak = max(self.peak, anonymous)
        self.high = field(text, "VmHWM") or self.high
        # Afterwards stacks are named.
        if self.began and self.elapsed() < seconds:
            self.states.append((self.elapsed(), anonymous, descriptors))

    def note_counters(self):
        try:
            with open("counters.json") as file:
                now = json.load(file)
        except FileNotFoundError:
            return
        if self.counters and self.counters[-1]["seconds"] == now["seconds"]:
            return
        if not self.began:
            self.began = time.time() - now["seconds"]
            self.first = now
        else:
            before, after = flat_numbers(self.counters[-1]), flat_numbers(now)
            for key in before:
                if TOTALS.match(key) and after.get(key, 0) < before[key]:
                    self.problems.append(f"{key} went from {before[key]} to {after.get(key, 0)}")
        self.counters.append(now)

    def print_row(self):
        now = self.counters[-1]
        elapsed, anonymous, descriptors = self.states[-1] if self.states else (0, 0, 0)
        print(f"| {elapsed / 60:4.1f} | {anonymous:,} | {descriptors:,} | {now['tableMemoryUsedBytes'] >> 10:,} "
              f"| {now['processes']['known']:,} | {now['samples']:,} | {now['lostSamples']:,} |", flush=True)

    def quarter(self, number, column):
        """The median in a quarter of the time: reading the symbols of a large program takes much memory for a moment."""
        found = sorted(state[column] for state in self.states if int(4 * state[0] / seconds) == number)
        return found[len(found) // 2] if found else 0


class Checks:
    failed = False

    def __call__(self, holds, text):
        self.failed |= not holds
        print("pass:" if holds else "FAIL:", text)


def main():
    watch = Watch()
    code = watch.run()
    check = Checks()
    last = watch.counters[-1] if watch.counters else None
    with open("summary") as file:
        summary = file.read()
    print(summary)
    check(code == 0 and "Fatal error" not in summary, f"cfic profile exits with {code}")
    if not last:
        return 1

    # Loads. That of the last quarter shows that none has ended.
    length = watch.end_time - watch.begin_time
    for name, text in LOADS.items():
        done = watch.end_counts[name] - (watch.begin_counts[name] if name != "alive" else 0)
        print(f"      {done:,} {text}" + ("" if name == "alive" else f", {done / length:.1f} a second"))
    with open("problems") as file:
        problems = file.read()
    check(not problems and all(watch.end_counts.values()), f"the loads ran all the time {problems}")

    # Memory. The first quarter is for what is there to be known.
    before, after = watch.quarter(1, 1), watch.quarter(3, 1)
    check(0 < after <= before * 1.1 + (32768 if is_short else 4096),
          f"memory is flat: RssAnon {before:,} KiB in the second quarter of the time, {after:,} KiB in the last (medians); "
          f"at most {watch.peak:,} KiB, until the end; VmHWM {watch.high:,} KiB")
    before, after = watch.quarter(1, 2), watch.quarter(3, 2)
    check(0 < after <= before * 1.1 + (300 if is_short else 32),
          f"descriptors are flat: {before:,} in the second quarter, {after:,} in the last (medians); "
          f"at most {max(state[2] for state in watch.states):,}")
    check(all(c["tableMemoryBytes"] <= c["tableMemoryLimitBytes"] for c in watch.counters),
          f"tables and mappings never exceed the limit of {last['tableMemoryLimitBytes'] >> 10:,} KiB")
    # On a busy machine, half a minute may have too few samples to tell which tables are used least.
    check(last["tableEvictions"] > 0 or is_short and last["tables"]["evicted"] > 0, f"the limit is too low: {last['tableEvictions']:,} evictions, "
          f"{last['tableReloads']:,} reloads, {last['tables']['evicted']:,} of "
          f"{last['tables']['evicted'] + last['tables']['loaded']:,} tables missing at the end")

    # Counters.
    check(not watch.problems, f"totals never decrease {watch.problems[:5]}")
    for group in ("stacks", "ends"):
        check(sum(last[group].values()) == last["samples"], f"{group} add up to the {last['samples']:,} samples")
    total = 0
    with open("stacks.folded") as file:
        for line in file:
            total += int(line.rsplit(" ", 1)[1])
    check(total == last["samples"] - last["lostSamples"],
          f"the {total:,} stacks that were written are the samples without those lost, {last['lostSamples']:,}")
    for index in range(4):
        print(f"      quarter {index + 1}: " + ends(watch, index))

    # Audit.
    reports = watch.audits.reports()
    classes = collections.Counter()
    for report in reports:
        for found in report["classes"]:
            classes[found["name"]] += found["stacks"]
            if found["isDisagreement"]:
                print(json.dumps(found, indent=1))
    agree = sum(report["agreeingFrames"] for report in reports)
    disagree = sum(report["disagreeingFrames"] for report in reports)
    print("      audits: " + ", ".join(f"{name} {count:,}" for name, count in classes.most_common()))
    check(watch.audits.orderly and agree > 0 and disagree <= agree * 1e-3,
          f"{len(reports)} audits: {agree:,} frames agree, {disagree:,} disagree")

    left = watch.objects.remaining()
    check(all(watch.objects.ids.values()) and not left,
          "nothing stays in the kernel of " + ", ".join(f"{len(ids)} {kind}s" for kind, ids in watch.objects.ids.items())
          + (f": {left}" if left else ""))
    return check.failed


def ends(watch, quarter):
    """The shares of samples by how walks ended in a quarter of the time."""
    within = [c for c in watch.counters if quarter * seconds / 4 <= c["seconds"] <= (quarter + 1) * seconds / 4 + 6]
    if len(within) < 2:
        return "no counters"
    first, last = within[0], within[-1]
    samples = max(last["samples"] - first["samples"], 1)
    found = {end: count - first["ends"].get(end, 0) for end, count in last["ends"].items()}
    finished = last["finishedStacks"] - first["finishedStacks"]
    return f"{samples:,} samples, {100 * finished / samples:.1f} % finished, " + ", ".join(
        f"{end} {100 * count / samples:.2f} %" for end, count in sorted(found.items(), key=lambda e: -e[1]) if count)


sys.exit(main())
