#!/usr/bin/env bash
# Profiles programs that use 50, 30 and 20 % of their time in three functions, and prints the shares that the profile gives
# them: Benchmarks/shares, in C, C++, Rust, Swift and Go, with and without frame pointers. A language without a compiler on
# this machine is named and left out.
#
#     shares.sh [CFIC [SECONDS [NAME...]]]    as root; by default .build/release/cfic and 10; NAME is a language, in lower case
#
# FREQUENCY in the environment is `-F`, by default 999. Exit status: 1 if a share differs by more than 2 points.
#
# Origin: own. Licence: Apache-2.0.
set -uo pipefail
cfic=$(realpath "${1:-.build/release/cfic}") seconds=${2:-10} names=" ${*:3} "
[[ -x $cfic ]] || { echo "shares.sh: no $cfic: make build" >&2; exit 125; }
sources=$(realpath "$(dirname "$0")/../Benchmarks/shares")
work=$(mktemp -d) && cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT
export CFIC_CACHE=$work/cache
status=0

# Usage: measure LANGUAGE VARIANT COMPILER ARGUMENT...
measure() {
	local language=$1 variant=$2
	[[ $names == "  " || $names == *" ${language,,} "* ]] || return
	command -v "$3" > /dev/null || { echo "shares.sh: no $3, so without $language" >&2; return; }
	"${@:3}" > build.log 2>&1 || { cat build.log >&2; status=1; return; }
	# Once before, so that all tables are there.
	"$cfic" profile -o /dev/null -d 0.5 -- ./shares 1 > /dev/null 2>&1
	"$cfic" profile --json -o profile.json -F "${FREQUENCY:-999}" -d "$seconds" -- ./shares $((seconds + 5)) > /dev/null 2>&1
	python3 - "$language" "$variant" <<-'END' || status=1
		import json, re, sys
		profile = json.load(open("profile.json"))
		samples = {50: 0, 30: 0, 20: 0}
		for stack in profile["stacks"]:
		    parts = {part for frame in stack["frames"] for part in samples
		             if re.search(rf"\bpart{part}\b", frame["function"])}
		    if len(parts) == 1:
		        samples[parts.pop()] += stack["samples"]
		total = profile["samples"]
		shares = {part: 100 * count / total for part, count in samples.items()}
		print(f"| {sys.argv[1]} | {sys.argv[2]} | {total:,} | "
		      + " | ".join(f"{share:.2f} %" for share in shares.values())
		      + f" | {100 * profile['completeStacks'] / total:.2f} % | {100 * profile['guessedStacks'] / total:.2f} % |", flush=True)
		sys.exit(any(abs(share - part) > 2 for part, share in shares.items()))
	END
	rm -f shares profile.json
}

echo "| language | frame pointers | samples | of 50 % | of 30 % | of 20 % | complete | with guesses |"
echo "|---|---|--:|--:|--:|--:|--:|--:|"
for variant in without with; do
	[[ $variant = with ]] && not=no- force=yes || not='' force=no
	measure C $variant gcc -O2 -f${not}omit-frame-pointer -o shares "$sources/shares.c"
	measure C++ $variant g++ -x c++ -O2 -f${not}omit-frame-pointer -o shares "$sources/shares.c"
	measure Rust $variant rustc -O -C force-frame-pointers=$force -o shares "$sources/shares.rs"
	# As SwiftPM builds. Without -g the compiler writes no call frame information; without frame pointers, too, nothing can
	# find the callers.
	measure Swift $variant swiftc -O -g -parse-as-library -Xcc -f${not}omit-frame-pointer -o shares "$sources/shares.swift"
done
# Go always has frame pointers. Without DWARF there is no call frame information either.
measure Go with go build -o shares "$sources/shares.go"
measure Go 'with, no DWARF' go build -ldflags=-w -o shares "$sources/shares.go"
exit $status
