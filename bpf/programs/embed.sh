#!/bin/sh
# embed.sh BPF-DIRECTORY CLANG LLVM-OBJCOPY OUTPUT.swift
#
# Compiles the BPF programs and writes them as a Swift source. The package's build plugin runs this.
set -eu
bpf=$1 clang=$2 objcopy=$3 output=$4

# On Debian asm/types.h is in a directory per machine; elsewhere it is in /usr/include.
machine=$(uname -m)
object=$output.o
"$clang" -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -I"$bpf/include" -idirafter "/usr/include/$machine-linux-gnu" \
	-ffile-prefix-map="$bpf=bpf" -c "$bpf/programs/unwinder.bpf.c" -o "$object"
# Removes debug information for debuggers; BTF and its line numbers stay.
"$objcopy" --strip-debug "$object"
{
	echo "/// The kernel programs: a BPF object file, in base64."
	printf 'let unwinderObject: StaticString = "'
	base64 -w 0 < "$object"
	echo '"'
} > "$output.new"
mv "$output.new" "$output"
