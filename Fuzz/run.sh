#!/bin/bash
# Runs fuzz targets, two at a time, and prints a summary: Fuzz/run.sh SECONDS DIRECTORY BINARIES TARGET…
#
# DIRECTORY/seeds has the output of Fuzz/seed.sh; each target's corpus and findings go to DIRECTORY, too. Exits with 1
# if a target crashed, hung or used too much memory.
set -u
seconds=$1 directory=$2 binaries=$3
shift 3
# Otherwise Swift's own crash handler would run before libFuzzer has stored the input.
export SWIFT_BACKTRACE=enable=no
# AddressSanitizer keeps freed memory for a while, to detect its use; by default 256 MiB of it.
export ASAN_OPTIONS=quarantine_size_mb=64

# The largest size of an input in bytes: enough for every kind of page, but not more, because small inputs run faster.
largest() {
	case $1 in
	fuzz-elf) echo 8192 ;;
	fuzz-cfi) echo 24576 ;;
	fuzz-table) echo 16384 ;;
	fuzz-profile) echo 4096 ;;
	*) echo 256 ;;
	esac
}

# No input takes nearly a second; ten are allowed because the machine may be busy. Single allocations may take 128 MiB:
# liblzma allocates 80 if an .xz file requests it, and nothing else a tenth of that.
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
