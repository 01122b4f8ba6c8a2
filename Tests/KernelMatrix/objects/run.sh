#!/usr/bin/env bash
# Loads BPF objects on one kernel, in an emulated machine, and prints the result for each (docs/check-bpf.md).
#
#     run.sh KERNEL ARCH OBJECTS        for example run.sh 5.10 amd64 DIRECTORY
#
# KERNEL and ARCH are those of boot.sh; OBJECTS is a directory with *.bpf.o. Built files go to $KERNEL_MATRIX/ARCH, by
# default .build/kernel-matrix/ARCH. The kernel's BTF is stored there, too, in btf-KERNEL, as in /sys/kernel/btf; guests
# have no modules. Exit status: boot.sh's.
#
# Origin: own. Licence: Apache-2.0.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
matrix=$(dirname "$here")
# shellcheck source=../debian.sh
. "$matrix/debian.sh"
[[ $# -eq 3 ]] || { echo "usage: run.sh 5.10|6.1|6.12|newest amd64|arm64 OBJECTS" >&2; exit 64; }
kernel=$1 arch=$2 objects=$3
out=${KERNEL_MATRIX:-$matrix/../../.build/kernel-matrix}/$arch
mkdir -p "$out"
out=$(cd "$out" && pwd)
root=$out/objects-root
guest=$root/guest

compiler=gcc flags=(-O2 -Wall -Wextra -static)
if [[ $arch = arm64 ]]; then
	compiler=aarch64-linux-gnu-gcc sysroot=$out/objects-sysroot
	flags+=(-I"$sysroot/usr/include" -L"$sysroot/usr/lib/aarch64-linux-gnu")
	# The loader's libraries, of the same Debian as the cross compiler's C library.
	if [[ ! -e $sysroot/done ]]; then
		exec 9> "$cache/lock"
		flock 9
		update_lists arm64
		for package in libbpf-dev libelf-dev zlib1g-dev; do
			unpack arm64 "$package/$(. /etc/os-release && echo "$VERSION_CODENAME")" "$sysroot" || {
				echo "run.sh: $package for arm64 can't be downloaded: is there a network?" >&2
				exit 125
			}
		done
		touch "$sysroot/done"
		exec 9>&-
	fi
fi
if [[ ! $out/load -nt $here/load.c ]]; then
	"$compiler" "${flags[@]}" -o "$out/load" "$here/load.c" -lbpf -lelf -lz
fi

rm -rf "$root"
mkdir -p "$guest/objects"
cp "$out/load" "$here/guest.sh" "$guest"
cp "$objects"/*.bpf.o "$guest/objects"

# Get the kernel's types only once.
types=$out/btf-$kernel/vmlinux wanted=
mkdir -p "$out/btf-$kernel"
if [[ ! -s $types || ! $types -nt $cache/kernels/$arch/cloud-$kernel ]]; then wanted=types; fi
"$matrix/boot.sh" "$kernel" "$arch" "$root" sh guest.sh $wanted > "$out/objects-$kernel"
if [[ $wanted ]]; then
	sed -n 's/^types //p' "$out/objects-$kernel" | base64 -d | gunzip > "$out/types.new"
	mv "$out/types.new" "$types"
fi
grep -v '^types ' "$out/objects-$kernel"
