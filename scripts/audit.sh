#!/usr/bin/env bash
# Runs `cfic validate --live` on programs that are installed, and prints a row of docs/validation.md's table for each.
#
#     audit.sh [CFIC [NAME...]]        as root; CFIC is .build/release/cfic by default
#
# Exit status: 1 if a program's agreement is below 99.9 %.
#
# Origin: own. Licence: Apache-2.0.
set -uo pipefail
. "$(dirname "$0")/sampled-programs.sh"
status=0

audit() {
	local name=$1 command=$2
	"$cfic" validate --live --json -F "${FREQUENCY:-199}" -- sh -c "exec > /dev/null 2>&1; $command" > report
	[[ $? -le 1 ]] || { echo "audit.sh: $name failed" >&2; status=1; return; }
	python3 - "$name" <<-'END' || status=1
		import json, sys
		report = json.load(open("report"))
		counts = {}
		for c in report["classes"]:
		    counts[c["name"]] = counts.get(c["name"], 0) + c["stacks"]
		classes = ", ".join(f"`{name}` {count:,}" for name, count in counts.items())
		agreements = [report[name] for name in ("agreement", "finishedAgreement") if name in report]
		print(f"| {sys.argv[1]} | {report['stacks']:,} | {report['agreeingFrames']:,} | {report['disagreeingFrames']} "
		      f"| {report['finishedStacks']:,} | {report['agreeingFinishedFrames']:,} "
		      f"| {report['disagreeingFinishedFrames']} | {min(agreements, default=0):.2f} % | {classes} |", flush=True)
		sys.exit(min(agreements, default=0) < report["minAgreement"])
	END
}

echo "| program | stacks | frames agree | disagree | finished stacks | frames agree | disagree | agreement |" \
	"not compared to the outermost frame |"
echo "|---|--:|--:|--:|--:|--:|--:|--:|---|"
each_program audit "$*"
exit $status
