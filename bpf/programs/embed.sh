#!/bin/sh
# embed.sh BPF-DIRECTORY CLANG LLVM-OBJCOPY OUTPUT.swift
#
# Compiles the kernel programs and writes them as a Swift source. Called by the package's build plugin.
set -eu
bpf=$1 clang=$2 objcopy=$3 output=$4

# Debian keeps asm/types.h in a directory of its own for each machine; elsewhere it is below /usr/include.
machine=$(uname -m)
object=$output.o
"$clang" -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -I"$bpf/include" -idirafter "/usr/include/$machine-linux-gnu" \
	-ffile-prefix-map="$bpf=bpf" -c "$bpf/programs/unwinder.bpf.c" -o "$object"
# What debuggers read goes; BTF and its line numbers stay.
"$objcopy" --strip-debug "$object"
{
	echo "/// The kernel programs: a BPF object file, in base64."
	printf 'let unwinderObject: StaticString = "'
	base64 -w 0 < "$object"
	echo '"'
} > "$output.new"
mv "$output.new" "$output"
