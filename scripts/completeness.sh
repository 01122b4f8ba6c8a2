#!/usr/bin/env bash
# Runs `cfic profile` on programs that are installed, and prints how complete their stacks are: a row of docs/runtime.md's
# table for each.
#
#     completeness.sh [CFIC [NAME...]]        as root; CFIC is .build/release/cfic by default. With SHORT=1 in the
#                                             environment only what starts many processes
#
# Exit status: 1 if, of a program's stacks that met no code without call frame information, fewer than 99.5 % are complete;
# of builds, 97 %; of short processes, 95 %; of those that do nothing, 80 %; of a program whose tables don't exist yet, 90 %.
#
# Origin: own. Licence: Apache-2.0.
set -uo pipefail
. "$(dirname "$0")/sampled-programs.sh"
status=0

# Usage: measure NAME COMMAND [PERCENT [OPTION...]]
measure() {
	local name=$1 command=$2 bound=${3:-99.5}
	"$cfic" profile "${@:4}" --json -o profile.json -F "${FREQUENCY:-199}" -- sh -c "exec > /dev/null 2>&1; $command" 2> /dev/null
	[[ -s profile.json ]] || { echo "completeness.sh: $name failed" >&2; status=1; return; }
	python3 - "$name" "$bound" <<-'END' || status=1
		import collections, json, sys
		profile = json.load(open("profile.json"))
		ends = collections.Counter()
		without = 0
		for stack in profile["stacks"]:
		    # Code without call frame information: guessed, or nothing to guess by.
		    if stack["outcome"] == "guessed" or stack["end"] in ("bad-frame-pointer", "no-call") \
		            or any(frame["isGuessed"] for frame in stack["frames"]):
		        without += stack["samples"]
		    elif stack["outcome"] == "truncated":
		        ends[stack["end"]] += stack["samples"]
		samples, complete = profile["samples"], profile["completeStacks"]
		rest = max(samples - without, 1)
		print(f"| {sys.argv[1]} | {samples:,} | {without:,} | {100 * complete / rest:.2f} % "
		      f"| {100 * profile['finishedStacks'] / rest:.2f} % | "
		      + ", ".join(f"`{end}` {count:,}" for end, count in ends.most_common()) + " |", flush=True)
		sys.exit(complete < float(sys.argv[2]) / 100 * rest)
	END
	rm -f profile.json
}

echo "| program | stacks | met code without information | of the rest: complete | of these finished in user space | truncated |"
echo "|---|--:|--:|--:|--:|---|"
if [[ ${SHORT:-} ]]; then write_inputs; else each_program measure "$*"; fi
[[ $# -eq 0 ]] || exit $status

# Short processes, and builds, which start many.
cat > burn.c <<-'END'
	#include <stdlib.h>
	#include <time.h>
	static int values[2000];
	static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
	int main(void)
	{
		struct timespec now;
		do {
			for (int i = 0; i < 2000; i++) values[i] = rand();
			qsort(values, 2000, sizeof(*values), compare);
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
		} while (now.tv_nsec < 50000000);
	}
END
gcc -O2 -o burn burn.c
mkdir -p build/Sources/texts
for file in {1..8}; do
	sed "s/main/main_$file/" program.cc > "build/part$file.cc"
	sed "s/^print.*//; s/texts(/texts$file(/" program.swift > "build/Sources/texts/part$file.swift"
done
printf 'all: $(patsubst %%.cc,%%.o,$(wildcard *.cc))\n%%.o: %%.cc\n\tg++ -O1 -c $<\n' > build/Makefile
cat > build/Package.swift <<-'END'
	// swift-tools-version: 5.9
	import PackageDescription
	let package = Package(name: "texts", targets: [.target(name: "texts")])
END
measure "1,000 processes of 50 ms" 'for i in $(seq 1000); do ./burn; done' 95
measure "\`/bin/true\` 1,000 times" 'for i in $(seq 1000); do /bin/true; done' 80
measure "make -j2, C++" 'cd build && make -j2' 97
measure "swift build" 'cd build && swift build' 97
if command -v ffmpeg > /dev/null; then
	measure "ffmpeg, empty cache" 'exec ffmpeg -f lavfi -i testsrc=size=640x360:rate=25:duration=20 -c:v mpeg4 -f null -' \
		90 --cache cache
fi
exit $status
