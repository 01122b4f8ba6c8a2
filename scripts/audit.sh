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
		classes = ", ".join(f"`{c['name']}` {c['stacks']:,}" for c in report["classes"])
		agreement = report.get("agreement", 0)
		print(f"| {sys.argv[1]} | {report['stacks']:,} | {report['agreeingFrames']:,} | {report['disagreeingFrames']} "
		      f"| {agreement:.2f} % | {classes} |", flush=True)
		sys.exit(agreement < report["minAgreement"])
	END
}

echo "| program | stacks | frames agree | disagree | agreement | not compared to the outermost frame |"
echo "|---|--:|--:|--:|--:|---|"
each_program audit "$*"
exit $status
