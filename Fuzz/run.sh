#!/bin/bash
# Runs fuzz targets, two at a time, and prints what each did: Fuzz/run.sh SECONDS DIRECTORY BINARIES TARGET…
#
# DIRECTORY has what Fuzz/seed.sh made, below `seeds`; each target's corpus and findings go there too. Exits with 1 if a
# target crashed, hung or took too much memory.
set -u
seconds=$1 directory=$2 binaries=$3
shift 3
# Swift's own report of a crash would come in before libFuzzer has kept the input.
export SWIFT_BACKTRACE=enable=no
# Freed memory is kept for a while, to see it used; not 256 MiB of it.
export ASAN_OPTIONS=quarantine_size_mb=64

# Bytes of the largest input: what makes every kind of page, and no more, since small inputs run more often.
largest() {
	case $1 in
	fuzz-elf) echo 8192 ;;
	fuzz-cfi) echo 24576 ;;
	fuzz-table) echo 16384 ;;
	*) echo 256 ;;
	esac
}

# A second for an input is far beyond what any takes; on a machine that is busy otherwise it may be ten.
# 128 MiB at once: liblzma takes 80 for an .xz that asks for it, nothing else takes a tenth of that.
run() {
	local place=$directory/$1
	mkdir -p "$place/corpus" "$place/findings"
	"$binaries/$1" -max_total_time="$seconds" -max_len="$(largest "$1")" -timeout=10 -rss_limit_mb=1024 \
		-malloc_limit_mb=128 -print_final_stats=1 -artifact_prefix="$place/findings/" \
		"$place/corpus" "$directory/seeds/$1" > "$place/log" 2>&1
	echo $? > "$place/result"
}

# The last word after $2 in the log of target $1.
last() {
	sed -n "s|.*$2 *\([^ ]*\).*|\1|p" "$directory/$1/log" | tail -n 1
}

for target; do
	while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
	rm -f "$directory/$target/result"
	run "$target" &
done
wait

status=0
printf '%-16s %12s %8s %8s %8s %8s  %s\n' TARGET EXECUTIONS EXEC/S EDGES FEATURES CORPUS CRASHES
for target; do
	crashes=none
	if [ "$(cat "$directory/$target/result")" != 0 ]; then
		status=1
		crashes="$directory/$target/log"
	fi
	printf '%-16s %12s %8s %8s %8s %8s  %s\n' "$target" "$(last "$target" number_of_executed_units:)" \
		"$(last "$target" average_exec_per_sec:)" "$(last "$target" ' cov:')" "$(last "$target" ' ft:')" \
		"$(find "$directory/$target/corpus" -type f | wc -l)" "$crashes"
done
exit $status
