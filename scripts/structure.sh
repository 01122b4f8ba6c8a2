#!/usr/bin/env bash
# Lists each module's imports, and fails if one is not allowed: structure.sh [SOURCES]. `make structure` runs it.
#
# The table in docs/architecture.md gives the order: a module may only import modules above it.
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
	# Module maps and C code import none of the package's modules.
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
