#!/usr/bin/env bash
# Builds the contents of an architecture's guest in OUT/root/guest: the loader, the BPF programs, workloads, and tables
# of all files that these map. Does nothing if nothing changed.
#
#     build.sh ARCH OUT CFIC
#
# Origin: own. Licence: Apache-2.0.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
# shellcheck source=debian.sh
. "$here/debian.sh"
arch=$1 out=$2 cfic=$3
# Prefers the Swift toolchain's clang.
PATH=$(dirname "$(readlink -f "$(command -v swift)")"):$PATH
guest=$out/root/guest

inputs=("$here" "$project/bpf" "$project/testdata" "$cfic")
if [[ -e $out/built && ! $(find "${inputs[@]}" -newer "$out/built" -type f -print -quit) ]]; then exit 0; fi
rm -rf "$out/root" "$out/built"
mkdir -p "$guest" "$out/files"

# Stacks correspond to the source: calls are not replaced by jumps.
flags=(-O2 -Wall -Wextra -fno-optimize-sibling-calls -I"$project/bpf/include")
case $arch in
amd64)
	compiler=gcc target=x86_64-linux-gnu source=x86_64 libraries=(/lib/x86_64-linux-gnu/libc.so.6)
	interpreter=/lib64/ld-linux-x86-64.so.2 static=()
	large=(/usr/bin/gdb "$(readlink -f "$(command -v clang)")")
	;;
arm64)
	compiler=aarch64-linux-gnu-gcc target=aarch64-linux-gnu source=aarch64
	cross=/usr/aarch64-linux-gnu libraries=(/usr/aarch64-linux-gnu/lib/libc.so.6)
	interpreter=/lib/ld-linux-aarch64.so.1 sysroot=$out/sysroot
	large=("$cross"/lib/{libstdc++.so.6,libtsan.so.2})
	static=(-I"$sysroot/usr/include" -L"$sysroot/usr/lib/aarch64-linux-gnu")
	# The loader's libraries, from the same Debian release as the cross compiler's C library.
	if [[ ! -e $sysroot/done ]]; then
		update_lists arm64
		for package in libbpf-dev libelf-dev zlib1g-dev; do
			unpack arm64 "$package/$(. /etc/os-release && echo "$VERSION_CODENAME")" "$sysroot" || {
				echo "build.sh: $package for arm64 can't be downloaded: is there a network?" >&2
				exit 125
			}
		done
		touch "$sysroot/done"
	fi
	;;
esac

# The loader and the BPF programs, which are in one object for all machines.
"$compiler" -std=gnu11 "${flags[@]}" "${static[@]}" -static -o "$guest/loader" "$here"/loader/*.c \
	"$project/bpf/native/lookup.c" -lbpf -lelf -lz
bpf=(clang -target bpf -mcpu=v3 -O2 -g -I"$project/bpf/include" -idirafter "/usr/include/$(uname -m)-linux-gnu")
"${bpf[@]}" -Wall -Wextra -Werror -c "$project/bpf/programs/unwinder.bpf.c" -o "$guest/unwinder.bpf.o"
"${bpf[@]}" -c "$project/testdata/bpf/global-pointer.bpf.c" -o "$guest/global-pointer.bpf.o"

# Workloads.
work=("$compiler" "${flags[@]}")
sources=$here/workloads
"${work[@]}" -fomit-frame-pointer -o "$guest/chain" "$sources/chain.c"
"${work[@]}" -fno-omit-frame-pointer -o "$guest/chain-with-frame-pointers" "$sources/chain.c"
# On arm64, stacks with code generated at run time can only be unwound with frame pointers.
"${work[@]}" "$([[ $arch = arm64 ]] && echo -fno-omit-frame-pointer || echo -fomit-frame-pointer)" \
	-o "$guest/jit" "$sources/jit.c"
"${work[@]}" -fomit-frame-pointer -pthread -o "$guest/waits" "$project/testdata/programs/waits.c"
"${work[@]}" -fomit-frame-pointer -o "$guest/events" "$project/testdata/programs/events.c"
"${work[@]}" -shared -fPIC -o "$guest/libplt.so" "$sources/plt-library.c"
"${work[@]}" -fno-pie -no-pie -Wl,-z,lazy -o "$guest/plt" "$sources/plt.c" \
	-L"$guest" -lplt -Wl,-rpath,/guest
[[ $arch != arm64 ]] || "${work[@]}" -mbranch-protection=standard -o "$guest/chain-signed" "$sources/chain.c"

# cfic itself, with its libraries where it looks for them.
if [[ $arch = amd64 ]]; then
	cp "$cfic" "$guest/cfic"
	for library in $(ldd "$cfic" | grep -oE '/[^ ]+'); do
		mkdir -p "$out/root$(dirname "$library")"
		cp -L "$library" "$out/root$library"
	done
fi

# The workloads' libraries, where they look for them.
mkdir -p "$out/root/lib" "$out/root$(dirname "$interpreter")"
cp -L "${libraries[@]}" "$out/root/lib/"
cp -L "${cross:-}$interpreter" "$out/root$interpreter"
"$cfic" compile --cache "$guest/tables" "$guest"/{loader,chain*,jit,plt,libplt.so} "$out/root/lib" \
	"$out/root$interpreter" > "$out/compiled"

# Tables for lookups.
mkdir -p "$guest/lookups"
for name in "$source/many-rows" many-rules; do
	file=$project/testdata/$name.s
	[[ -e $file ]] || file=$here/$name.s
	clang --target=$target -shared -fuse-ld=lld -nostdlib -o "$out/files/$(basename "$name")" "$file"
	large+=("$out/files/$(basename "$name")")
done
for file in "${large[@]}" "${libraries[@]}"; do
	"$cfic" compile -o "$guest/lookups/$(basename "$file").unwind" "$file" >> "$out/compiled"
done
cp "$here/guest.sh" "$here/workloads/$arch.list" "$guest"
touch "$out/built"
