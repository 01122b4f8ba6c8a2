#!/usr/bin/env bash
# Compares lookups in the kernel of two builds of cfic-bench, in turns, in the tables of files of either machine.
#
#     compare-lookups.sh BASE NEW ROUNDS FILE...     as root; BASE and NEW are cfic-bench programs
#
# Prints, for each file, the medians of both in nanoseconds, and NEW / BASE: the median of the rounds' quotients; and the
# median of all files.
#
# Origin: own. Licence: Apache-2.0.
set -euo pipefail
[[ $# -ge 4 ]] || { sed -n '2,8p' "$0" >&2; exit 64; }
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
print("| file | pcs | lookups | base, ns | new, ns | new / base |\n|---|---|---|--:|--:|--:|")
of_all = {}
for path in paths:
    for kind in ("waiting", "overlapping"):
        for pcs in ("few", "many", "most", "others"):
            base, new = ([run[path][kind][pcs] * 1e9 for run in runs[name]] for name in ("base", "new"))
            quotient = statistics.median(n / b for n, b in zip(new, base))
            of_all.setdefault((pcs, kind), []).append(quotient)
            print(f"| {path.rsplit('/', 1)[-1]} | {pcs} | {kind} | {statistics.median(base):.1f} |"
                  f" {statistics.median(new):.1f} | {quotient:.2f} |")
for (pcs, kind), quotients in of_all.items():
    print(f"| all | {pcs} | {kind} | | | {statistics.median(quotients):.2f} |")
END
