#!/bin/bash
# Makes the initial inputs of all targets from testdata/: Fuzz/seed.sh CFIC DIRECTORY. Files are linked with .text at
# 0x401000 and .eh_frame at 0x600000, as in the headers of call frame inputs below.
set -eu
cd "$(dirname "$0")/.."
cfic=$(realpath "$1")
mkdir -p "$2"
out=$(cd "$2" && pwd)
work=$out/intermediate
rm -rf "${out:?}"/fuzz-* "$work"
mkdir -p "$out"/fuzz-{elf,cfi,table,expression,profile} "$work"
cd testdata

# Makes file $3 from source $1 for target $2. Further arguments go to clang.
assemble() {
	clang --target="$2-linux-gnu" -fuse-ld=lld -nostdlib -Wl,--nmagic,--build-id=sha1 "${@:4}" -o "$3" "$1"
}

# Copies an ELF file, unless it is too large for fuzz-elf.
elf_seed() {
	[ "$(stat -c %s "$1")" -gt 16384 ] || cp "$1" "$out/fuzz-elf/$2"
}

# Prints the 40-byte header that Fuzz/Sources/fuzz-cfi/CallFrameInput.swift reads, with flags $1 and layout $2.
frame_header() {
	printf "\\x$1\\x$2\\x80\\x00"'\x00\x00\x60\x00\0\0\0\0\x00\x10\x40\x00\0\0\0\0'
	printf '\xff\xff\x00\x00\x00\x10\x01\x0c\x00\x10\x01\x14\x00\x10\x01\x20\x00\x10\x01\x00'
}

frame_seed() {
	local number=0
	for layout in "00 00" "20 01" "10 02" "40 00"; do
		# $2 is 2, the flag for aarch64, or 0.
		local flags=${layout% *}
		{ frame_header "${flags%?}$(((0x$flags & 15) | $2))" "${layout#* }"; cat "$1"; } \
			> "$out/fuzz-cfi/$3-$((number += 1))"
	done
}

for source in x86_64/*.s aarch64/*.s; do
	machine=${source%/*} name=$machine-$(basename "$source" .s)
	text=-Wl,-Ttext=0x401000,--section-start=.eh_frame=0x600000
	assemble "$source" "$machine" "$work/program" -static "$text"
	sed '/\.text/i .cfi_sections .debug_frame' "$source" > "$work/debug.s"
	assemble "$work/debug.s" "$machine" "$work/debug" -static "$text"
	assemble "$source" "$machine" "$work/library" -shared -Wl,--eh-frame-hdr,-z,max-page-size=4096 -Wl,--no-nmagic
	clang --target="$machine-linux-gnu" -c -o "$work/object" "$source"

	elf_seed "$work/program" "$name-program"
	elf_seed "$work/object" "$name-object"
	elf_seed "$work/library" "$name-library"
	llvm-objcopy --strip-all "$work/program" "$work/stripped"
	elf_seed "$work/stripped" "$name-stripped"
	llvm-objcopy --compress-debug-sections=zlib "$work/debug" "$work/compressed"
	elf_seed "$work/compressed" "$name-zlib"
	# GNU objcopy supports only the machine's own files, but also the format before SHF_COMPRESSED.
	if objcopy --compress-debug-sections=zlib-gnu "$work/debug" "$work/compressed" 2> /dev/null; then
		elf_seed "$work/compressed" "$name-zlib-gnu"
	fi
	xz --check=none --stdout "$work/debug" > "$work/debug.xz"
	(cd "$work" && llvm-objcopy --add-gnu-debuglink=debug --add-section .gnu_debugdata=debug.xz stripped embedding)
	elf_seed "$work/embedding" "$name-embedding"
	# No section headers: e_shoff and e_shnum are zero.
	cp "$work/library" "$work/headerless"
	printf '\0\0\0\0\0\0\0\0' | dd of="$work/headerless" bs=1 seek=40 conv=notrunc status=none
	printf '\0\0' | dd of="$work/headerless" bs=1 seek=60 conv=notrunc status=none
	elf_seed "$work/headerless" "$name-headerless"

	flag=0
	[ "$machine" = x86_64 ] || flag=2
	llvm-objcopy -O binary --only-section=.eh_frame "$work/program" "$work/frames"
	frame_seed "$work/frames" $flag "$name"
	# A repeated section, for two threads.
	if [ "$(stat -c %s "$work/frames")" -lt 2048 ]; then
		{ frame_header "0$flag" ff; cat "$work/frames"; } > "$out/fuzz-cfi/$name-repeated"
	fi
	llvm-objcopy -O binary --only-section=.debug_frame --set-section-flags .debug_frame=alloc "$work/debug" "$work/frames"
	{ frame_header "0$((flag + 1))" 00; cat "$work/frames"; } > "$out/fuzz-cfi/$name-debug"
	# The first byte has TableInput's options: none, checksums, checksums and layout.
	"$cfic" compile -o "$work/table" "$work/program" > /dev/null 2>&1
	for fitting in 00 01 03; do
		{ printf "\\x$fitting"; cat "$work/table"; } > "$out/fuzz-table/$name-$fitting"
	done
done

# x86-64 with 32-bit addresses: ELF32.
clang --target=x86_64-linux-gnux32 -c -o "$work/object" x86_64/functions.s
elf_seed "$work/object" x32-object

# Each expression for each kind of rule: the first byte is the kind | aarch64 << 3 | signal frame << 4, the second byte
# the size of the CFA's own expression.
number=0
for expression in \
	'\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22' '\x76\x78\x06' '\x23\x08' '\x77\x00\x0a\x2c\x01\x22\x94\x04\x23\x08' \
	'\x73\x10\x0d\x00\xf0\xff\xff\x1a\x12\x13' '\x38\x16\x14\x15\x01\x17\x1c\x1e\x22\x1f\x20' \
	'\x77\x10\x08\x07\x1b\x09\xfd\x1d\x0b\x00\x80\x27\x31\x25\x32\x26' '\x10\xb0\x09\x11\x50\x2d\x96' \
	'\x92\x07\x10\x92\x10\x00\x1c\x19' '\x0e\x01\x02\x03\x04\x05\x06\x07\x08\x0f\xff\xff\xff\xff\xff\xff\xff\xff\x21' \
	'\x8f\x10\x92\x2e\x00\x08\x08\x1e\x22\x96' '\x30\x31\x32\x17\x16\x29\x2b\x2c' '\x77\x00\x12\x06\x16\x13\x20\x1f' \
	'\x57' '\x90\x03' '\x9c\x23\x10' '\x77\x08\x9f' '\x03\x00\x10\x40\x00\0\0\0\0' '\x28\x00\x00\x2f\x00\x00'; do
	for choice in 00 01 02 03 04 05 06 08 09 0a 0b 0c 0d 0e 14 1b; do
		printf "\\x$choice\\x00$expression" > "$out/fuzz-expression/$((number += 1))"
	done
	printf "\\x02\\x02\\x77\\x20$expression" > "$out/fuzz-expression/$((number += 1))"
done

# Profiles in each format; of .cfic also the contents alone, which are .xz streams behind the header.
cat > "$work/folded" <<'STACKS'
worker;main;serve;read_[k] 60
worker;[truncated];serve_[fp];parse<int>_[i] 7
other;main;main;idle(int)_[fp?] 10
other 1
STACKS
sed 's/;/;[off-cpu];/' "$work/folded" > "$work/times"
for name in folded times; do
	"$cfic" report "$work/$name" -o "$work/$name.cfic" -o "$work/$name.pb.gz"
	for file in "$work/$name" "$work/$name.cfic" "$work/$name.pb.gz" <(gzip -dc "$work/$name.pb.gz"); do
		{ printf '\0'; cat "$file"; } > "$out/fuzz-profile/$((number += 1))"
	done
	{ printf '\1'; tail -c +13 "$work/$name.cfic" | xz -dc; } > "$out/fuzz-profile/$((number += 1))"
done
# Contents with address spaces, which those have not. Facts, names, modules; two stacks of two processes, each with a node, of
# two frames with two functions; tasks, address spaces, pieces, mappings; the stacks' ends, no times.
{
	printf '\1\0\0\0\0\0\0\0\0\0\0\xf0\x3f\0\xff'
	printf '\3\xff/a\xff/b\xff\2\1\0\2\0'
	printf '\2\1\1\0\0\0\0\0\0\0\0\2\0\1\2\0\0\0\0\xa0\x40\xa0\x80\x80\4\0\0'
	printf '\0\0\12\2\0\0\0\0\1\1\1\2\0\1\0'
	printf '\0\1\x80\x20\x80\x80\x80\2\x80\x40\x80\x20\0\x80\x80\x80\4\40\0\6'
	printf '\0\0\0\0\1\1\0'
} > "$out/fuzz-profile/$((number += 1))"
rm -rf "$work"
