#!/usr/bin/env bash
# Runs `cfic profile -a` beside programs that change what there is to sample all the time, with half of the kernel memory that
# it needs, and checks that its memory stays flat, that nothing is lost without being counted, that stacks agree with
# libdw's, and that nothing stays in the kernel: docs/runtime.md, "Endurance".
#
#     endurance.sh [CFIC [SECONDS [PROCESSES]]]     as root; by default .build/release/cfic, 3600 and 20000
#
# PROCESSES is how many processes are alive that sleep most of the time. In the environment, FREQUENCY is `-F`, by default 99;
# STARTS is how many short processes are started in a second, by default 1000; and with ONLY_LOADS=1 nothing else on the
# machine is sampled than what is started here. Exit status: 1 if a check fails.
#
# Origin: own. Licence: Apache-2.0.
set -uo pipefail
cfic=${1:-.build/release/cfic} seconds=${2:-3600} processes=${3:-20000} frequency=${FREQUENCY:-99}
[[ -x $cfic ]] || { echo "endurance.sh: no $cfic: make build" >&2; exit 125; }
cfic=$(realpath "$cfic") sources=$(realpath "$(dirname "$0")/../Tests/Endurance")
export CFIC_CACHE=cache
work=$(mktemp -d) && cd "$work" || exit 1
loads=()

clean_up() {
	kill "${loads[@]}" 2> /dev/null
	# Thousands of processes take their time to end.
	wait
	cd / && rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

# Starts `load ARGUMENT...`, whose count goes to the file NAME.
load() {
	./load "${@:2}" > "$1" 2>> problems &
	loads+=($!)
}

ulimit -S -u "$(ulimit -H -u)"
gcc -O2 -o load "$sources/load.c" && gcc -O2 -o short "$sources/sleeper.c" \
	&& gcc -O2 -static -o sleeper "$sources/sleeper.c" || exit 1
# The tables of the large ones together take more than twice the least memory that `--memory` takes.
for number in {1..16}; do
	gcc -shared -fPIC "-DNUMBER=$number" -DFUNCTIONS=60000 -o "large$number.so" "$sources/library.c" \
		&& gcc -shared -fPIC "-DNUMBER=$number" -DFUNCTIONS=50 -o "small$number.so" "$sources/library.c" || exit 1
done
cp small1.so replaced.so

# Each is sampled now and then. The machine may have no room for so many.
load alive keep "$processes" 30 ./sleeper
alive=-1
while now=$(tail -n 1 alive) && [[ $now != "$processes" && $now != "$alive" ]]; do
	alive=$now
	sleep 2
done
load started start ./short "${STARTS:-1000}"
load opened churn ./small{1..8}.so ./large{1..4}.so
load called call ./large*.so
load replaced replace ./replaced.so $(( seconds < 600 ? 20 : 1 )) ./small{1..8}.so
load used use ./replaced.so

sampled=(-a -F "$frequency") audited=(-a)
if [[ ${ONLY_LOADS:-} ]]; then
	sampled+=(--comm load --comm short --comm sleeper)
	# Those that call libraries all the time.
	audited=(-p "${loads[3]}" -p "${loads[5]}")
fi

# What is needed: what it takes after a while without a limit that matters.
trial=$(( seconds < 480 ? seconds / 4 : 120 ))
"$cfic" profile "${sampled[@]}" -d "$trial" --memory 1G --counters trial.json -o /dev/null 2> summary \
	|| { cat summary >&2; exit 1; }
needed=$(python3 -c 'import json; print(json.load(open("trial.json"))["tableMemoryUsedBytes"] // 1024)')
memory=$(( needed / 2 > 4096 ? needed / 2 : 4096 ))
echo "Linux $(uname -r), $(nproc) CPUs. Kernel memory needed in $trial s: $needed KiB; --memory ${memory}K"
python3 "$sources/watch.py" "$cfic" "$seconds" "${audited[*]}" "${sampled[@]}" --memory "${memory}K"
