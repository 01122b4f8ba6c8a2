#!/usr/bin/env bash
# Compares lookups in the kernel of two builds of cfic-bench, in turns, in the tables of files of either machine.
#
#     compare-lookups.sh BASE NEW ROUNDS FILE...     as root; BASE and NEW are cfic-bench programs
#
# Prints, for each file, the medians of both in nanoseconds, and NEW / BASE: the median of the rounds' quotients.
#
# Origin: own. Licence: Apache-2.0.
set -euo pipefail
[[ $# -ge 4 ]] || { sed -n '2,7p' "$0" >&2; exit 64; }
base=$1 new=$2 rounds=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for ((round = 0; round < rounds; round++)); do
	"$base" --quick --lookups "$@" > "$work/base$round.json"
	"$new" --quick --lookups "$@" > "$work/new$round.json"
done
python3 - "$work" "$rounds" "$@" << 'END'
import json, statistics, sys

work, rounds, paths = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
runs = {name: [json.load(open(f"{work}/{name}{i}.json")) for i in range(rounds)] for name in ("base", "new")}
print("| file | lookups | base, ns | new, ns | new / base |\n|---|---|--:|--:|--:|")
for path in paths:
    for kind in ("hot", "random", "chained", "wider", "scattered"):
        base, new = ([run[path][kind] * 1e9 for run in runs[name]] for name in ("base", "new"))
        quotient = statistics.median(n / b for n, b in zip(new, base))
        print(f"| {path.rsplit('/', 1)[-1]} | {kind} | {statistics.median(base):.1f} | {statistics.median(new):.1f} |"
              f" {quotient:.2f} |")
END
