# Reads what `swift test` prints, passes it on, and says before its summary which tests were skipped, and why.
#
# Origin: own. Licence: Apache-2.0.
/ skipped: "/ && / (Test|Suite) / {
	reason = $0
	sub(/.* skipped: "/, "", reason)
	sub(/"[^"]*$/, "", reason)
	skipped[reason]++
	total++
}
/Test run with [0-9]+ test/ {
	if (total) {
		printf "%d tests or suites skipped\n", total
		for (reason in skipped) printf "  %d: %s\n", skipped[reason], reason
	}
}
{ print; fflush() }
