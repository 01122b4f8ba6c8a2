#!/usr/bin/env bash
# Draws the modules with what each imports, and fails on an arrow back: structure.sh [SOURCES]. `make structure` calls it.
#
# The order is that of the table in docs/architecture.md: a module may import those above it, and no other.
#
# Origin: own. Licence: Apache-2.0.
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
sources=${1:-$project/Sources}
mapfile -t order < <(sed -n '/^| module | in /,/^$/s/^| `\([A-Za-z]*\)` |.*/\1/p' "$project/docs/architecture.md")
declare -A place
for index in "${!order[@]}"; do place[${order[index]}]=$index; done

failed=0
for directory in "$sources"/*/; do
	module=$(basename "$directory")
	# Module maps and C have no imports of ours.
	ls -R "$directory" | grep -q '\.swift$' || continue
	if [[ ! ${place[$module]:-} ]]; then
		echo "structure.sh: $module is not in the table of docs/architecture.md" >&2
		failed=1
		continue
	fi
	imports=()
	while read -r import; do
		[[ ${place[$import]:-} ]] || continue
		imports+=("$import")
		if ((place[$import] >= place[$module])); then
			echo "structure.sh: an arrow back: $module imports $import, which stands below it" >&2
			failed=1
		fi
	done < <(grep -rhoE --include='*.swift' '^(@testable |public )?import [A-Za-z]+' "$directory" | awk '{ print $NF }' | sort -u)
	lines+=("${place[$module]} $module ${imports[*]:-}")
done
printf '%s\n' "${lines[@]}" | sort -n | awk '{ printf "%-15s ◀──", $2; for (i = 3; i <= NF; i++) printf " %s", $i; print (NF > 2 ? "" : " nothing") }'
exit $failed
