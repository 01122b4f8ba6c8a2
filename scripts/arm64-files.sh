#!/usr/bin/env bash
# Puts aarch64 files of Debian into a directory: libLLVM, libnode and PostgreSQL.
# Nothing is installed, and the machine's package lists don't change.
#
#     arm64-files.sh DIRECTORY     does nothing if the directory is complete; else its `files` and `apt` are made anew
#
# Origin: own. Licence: Apache-2.0.
set -euo pipefail
[[ $# == 1 ]] || { sed -n '2,5p' "$0" >&2; exit 64; }
packages=(libllvm14 libnode108 postgresql-15)
[[ -e $1/complete ]] && exit 0
rm -rf "$1/apt" "$1/files" && mkdir -p "$1/apt/lists/partial" "$1/apt/archives/partial" "$1/files"
directory=$(realpath "$1")
cd "$directory/apt"
: > status
# Downloading as root, apt warns that its own user can't write here.
options=(-q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o "Dir::State=$PWD" -o "Dir::State::status=$PWD/status"
	-o "Dir::Cache=$PWD" -o APT::Sandbox::User=root)
apt-get "${options[@]}" update > log 2>&1 || { cat log >&2; exit 1; }
apt-get "${options[@]}" download "${packages[@]}" > log 2>&1 || { cat log >&2; exit 1; }
for package in *.deb; do dpkg-deb -x "$package" "$directory/files"; done
rm -rf "$directory/apt"
touch "$directory/complete"
