#!/usr/bin/env bash
# Passes on the output of `swift test` line by line, and lists the skipped tests by reason before the summary.
#
# Not in awk, because Debian's awk buffers its input, so that nothing would be shown for minutes.
#
# Origin: own. Licence: Apache-2.0.
declare -A skipped
total=0
while IFS= read -r line || [[ -n $line ]]; do
	if [[ $line =~ (Test|Suite)\ .*\ skipped:\ \"(.*)\" ]]; then
		skipped[${BASH_REMATCH[2]}]=$((${skipped[${BASH_REMATCH[2]}]:-0} + 1))
		total=$((total + 1))
	elif [[ $line =~ Test\ run\ with\ [0-9]+\ test && $total -gt 0 ]]; then
		echo "$total tests or suites skipped:"
		for reason in "${!skipped[@]}"; do echo "  ${skipped[$reason]}: $reason"; done | sort
	fi
	printf '%s\n' "$line"
done
