#!/usr/bin/env bash
# Runs the kernel unwinder on one kernel, in an emulated machine, and prints the results (docs/kernels.md).
#
#     run.sh KERNEL ARCH        for example run.sh 5.10 amd64
#
# KERNEL is 5.10, 6.1, 6.12 or newest, ARCH amd64 or arm64. $CFIC, by default .build/release/cfic, makes the tables.
# Built files go to $KERNEL_MATRIX, by default .build/kernel-matrix. Exit status: boot.sh's.
#
# Origin: own. Licence: Apache-2.0.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
# shellcheck source=debian.sh
. "$here/debian.sh"
[[ $# -eq 2 ]] || { echo "usage: run.sh 5.10|6.1|6.12|newest amd64|arm64" >&2; exit 64; }
kernel=$1 arch=$2
out=${KERNEL_MATRIX:-$project/.build/kernel-matrix}/$arch
cfic=${CFIC:-$project/.build/release/cfic}
[[ -x $cfic ]] || { echo "run.sh: no $cfic: make build" >&2; exit 125; }
mkdir -p "$out"

"$here/build.sh" "$arch" "$out" "$cfic"

# On arm64 signal handlers return to code in the vDSO. If this kernel's vDSO is not cached, boot once to get it.
if [[ $arch = arm64 ]]; then
	vdso=$out/vdso-$kernel
	if [[ ! -s $vdso || ! $vdso -nt $cache/kernels/$arch/cloud-$kernel ]]; then
		"$here/boot.sh" "$kernel" "$arch" "$out/root" ./loader vdso | base64 -d > "$vdso.new"
		mv "$vdso.new" "$vdso"
	fi
	"$cfic" compile --cache "$out/root/guest/tables" "$vdso" > "$out/compiled-vdso"
fi

"$here/boot.sh" "$kernel" "$arch" "$out/root" sh guest.sh "$arch"
