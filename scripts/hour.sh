#!/usr/bin/env bash
# Records all processes with cfic and with `perf record --call-graph dwarf` at the same time, and prints how large the files
# are, what recording cost, and how many stacks are complete: the table in docs/benchmarks.md, "An hour".
#
#     hour.sh [CFIC [SECONDS]]        as root; CFIC is .build/release/cfic by default, SECONDS 3600
#
# perf's file takes up to 8 GiB an hour for two CPUs, in TMPDIR. Its stacks are unwound for SLICE seconds (10) in the middle
# only, because all would take hours.
#
# Exit status: 1 if an hour would take cfic more than 5 MB.
#
# Origin: own. Licence: Apache-2.0.
set -euo pipefail
cfic=$(realpath "${1:-.build/release/cfic}")
seconds=${2:-3600}
slice=${SLICE:-10}
[[ $EUID == 0 ]] || { echo "hour.sh: root is needed" >&2; exit 1; }
command -v perf > /dev/null || { echo "hour.sh: perf is needed (make deps-bench)" >&2; exit 1; }

directory=$(mktemp -d)
statistics=$(sysctl -n kernel.bpf_stats_enabled)
trap 'sysctl -q kernel.bpf_stats_enabled="$statistics"; rm -rf "$directory"' EXIT
sysctl -q kernel.bpf_stats_enabled=1
cd "$directory"

python3 - "$cfic" "$seconds" "$slice" <<-'END'
	import json, os, re, subprocess, sys, time

	cfic, seconds, slice = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

	def bpf_seconds(process):
	    """What the kernel says of the BPF programs that a process has open."""
	    total = 0
	    try:
	        for name in os.listdir(f"/proc/{process}/fdinfo"):
	            with open(f"/proc/{process}/fdinfo/{name}") as file:
	                total += sum(int(line.split()[1]) for line in file if line.startswith("run_time_ns:"))
	    except OSError:
	        return None
	    return total / 1e9

	with open("cfic.txt", "w") as said:
	    recording = subprocess.Popen(
	        [cfic, "profile", "-a", "-F", "99", "-d", str(seconds), "-o", "hour.cfic", "--counters", "counters.json"], stderr=said)
	with open("perf.txt", "w") as said:
	    perf = subprocess.Popen(
	        ["perf", "record", "-q", "-a", "-F", "99", "-e", "cpu-clock", "--call-graph", "dwarf", "-o", "perf.data", "--", "sleep", str(seconds)],
	        stderr=said)

	# Each ends by itself; what its programs took is read as long as they are there.
	bpf, uses, began = 0, {}, time.monotonic()
	while len(uses) < 2:
	    bpf = bpf_seconds(recording.pid) or bpf
	    process, status, use = os.wait4(-1, os.WNOHANG)
	    if process:
	        uses[process] = use
	        if status:
	            sys.exit(f"{'cfic' if process == recording.pid else 'perf'} failed: " + open("cfic.txt").read() + open("perf.txt").read())
	    time.sleep(0.2)

	def share(part, whole):
	    return f"{100 * part / max(whole, 1):.2f} %"

	counters = json.load(open("counters.json"))
	samples = counters["samples"]
	# With those that were finished in user space, which the counters have apart.
	complete = re.search(r"\(([\d.]+ %)\) complete", open("cfic.txt").read()).group(1)

	# Where stacks begin: processes, threads, kernel threads. A stripped program's _start has no name.
	outermost = {"_start", "_dl_start_user", "clone", "__clone", "clone3", "__clone3", "ret_from_fork_asm", "ret_from_fork",
	             "runtime.goexit", "runtime.goexit.abi0"}
	below_outermost = {"__libc_start_main", "__libc_start_main_impl", "start_thread"}

	def is_complete(frames):
	    return frames[-1] in outermost or any(frame.split("@")[0] in below_outermost for frame in frames[-2:])

	def script(*options):
	    return subprocess.Popen(["perf", "script", "-i", "perf.data", *options], stdout=subprocess.PIPE,
	                            stderr=subprocess.DEVNULL, text=True, errors="replace")

	def unwound():
	    """How many stacks perf has in the middle of the time, and how many of them are complete."""
	    times = script("-F", "time", "-G")
	    middle = float(times.stdout.readline().strip().rstrip(":")) + seconds / 2
	    times.kill()
	    count, complete, frames = 0, 0, []
	    between = f"{middle - slice / 2:.6f},{middle + slice / 2:.6f}"
	    stacks = script("--no-inline", "-F", "comm,ip,sym", "--time", between)
	    for line in stacks.stdout:
	        if line[:1].isspace() and line.strip():
	            frames.append(line.split(None, 1)[1].strip() if " " in line.strip() else "")
	        elif frames:
	            count, complete, frames = count + 1, complete + is_complete(frames), []
	    stacks.wait()
	    return count, complete

	count, found = unwound()
	size, perf_size = os.path.getsize("hour.cfic"), os.path.getsize("perf.data")
	cpu = lambda process: uses[process].ru_utime + uses[process].ru_stime
	length = counters["seconds"]
	print(f"{os.uname().sysname} {os.uname().release}, {os.cpu_count()} CPUs, {length:,.0f} s at 99 Hz, all processes")
	print("| | cfic profile -o x.cfic | perf record --call-graph dwarf |")
	print("|---|--:|--:|")
	print(f"| samples | {samples:,}, {counters['lostSamples']:,} lost | (the same) |")
	print(f"| file | {size / 1e6:,.2f} MB | {perf_size / 1e6:,.0f} MB |")
	print(f"| CPU time of the process | {cpu(recording.pid):,.1f} s ({share(cpu(recording.pid), length)} of a CPU) "
	      f"| {cpu(perf.pid):,.1f} s ({share(cpu(perf.pid), length)} of a CPU) |")
	print(f"| BPF programs, in the kernel | {bpf:,.1f} s ({share(bpf, length)} of a CPU) | no programs: copies of stacks, not counted |")
	print(f"| stacks complete | {complete} | {share(found, count)} of {count:,} in {slice} s |")
	hour = size * 3600 / length
	print(f"an hour: {hour / 1e6:.2f} MB, {'at most' if hour <= 5e6 else 'MORE THAN'} 5 MB")
	sys.exit(hour > 5e6)
END
