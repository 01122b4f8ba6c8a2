#!/usr/bin/env bash
# Installs the built files below PREFIX, or removes them: install.sh install|uninstall. `make install` runs it.
#
#     PREFIX      the installation's root, default /usr/local
#     DESTDIR     a directory to put before PREFIX, for making packages
#     BINARIES    the directory of the built cfic
#
# Builds nothing, and changes nothing outside DESTDIR and PREFIX. File modes don't depend on the umask. The directories
# that had to be made are listed in share/doc/cfic/directories, so that uninstalling removes only those.
#
# Origin: own. Licence: Apache-2.0.
set -euo pipefail
umask 022
project=$(cd "$(dirname "$0")/.." && pwd)
root=${DESTDIR:-}${PREFIX:-/usr/local}
binaries=${BINARIES:-$project/.build/release}
cfic=$binaries/cfic

include=$root/include/cfic
doc=$root/share/doc/cfic
man=$root/share/man/man1
pkgconfig=$root/share/pkgconfig
units=$root/lib/systemd/system
list=$doc/directories
completions=(
	bash "$root/share/bash-completion/completions/cfic"
	zsh "$root/share/zsh/site-functions/_cfic"
	fish "$root/share/fish/vendor_completions.d/cfic.fish"
)
made=()

# Makes a directory and its missing ancestors, and records those that it made.
make_directory() {
	local directory=$1 missing=()
	while [[ ! -d $directory ]]; do
		missing=("$directory" "${missing[@]}")
		directory=$(dirname "$directory")
	done
	[[ ${#missing[@]} -gt 0 ]] || return 0
	mkdir -p "$1"
	made+=("${missing[@]}")
}

# copy MODE DIRECTORY FILE...
copy() {
	local mode=$1 directory=$2
	shift 2
	make_directory "$directory"
	install -m "$mode" "$@" "$directory"
}

install_all() {
	if [[ ! -x $cfic ]]; then
		echo "install.sh: $cfic does not exist: run 'make build' first (it does not need root)" >&2
		exit 1
	fi
	copy 755 "$root/bin" "$cfic"
	local header headers=()
	# All headers except those of the library's own C code.
	for header in "$project"/bpf/include/cfic/*.h; do
		case $header in */native.h | */names.h) ;; *) headers+=("$header") ;; esac
	done
	copy 644 "$include" "${headers[@]}"
	copy 644 "$include/x86_64" "$project"/bpf/include/cfic/x86_64/*.h
	copy 644 "$include/aarch64" "$project"/bpf/include/cfic/aarch64/*.h
	copy 644 "$doc" "$project"/{README.md,LICENSE,CHANGELOG.md,CONTRIBUTING.md}
	copy 644 "$doc/docs" "$project"/docs/*.{md,svg}
	copy 644 "$doc/bpf" "$project"/bpf/LICENSE.*
	local index
	for ((index = 0; index < ${#completions[@]}; index += 2)); do
		make_directory "$(dirname "${completions[index + 1]}")"
		"$cfic" --generate-completion-script "${completions[index]}" |
			install -m 644 /dev/stdin "${completions[index + 1]}"
	done
	make_directory "$pkgconfig"
	describe_headers | install -m 644 /dev/stdin "$pkgconfig/cfic.pc"
	make_directory "$units"
	sed "s|@PREFIX@|${PREFIX:-/usr/local}|g" "$project/systemd/cfic.service.in" |
		install -m 644 /dev/stdin "$units/cfic.service"
	install_manual
	# Appends, because the list may have the directories of an earlier installation.
	[[ ${#made[@]} -eq 0 ]] || printf '%s\n' "${made[@]#"${DESTDIR:-}"}" >> "$list"
	echo "installed cfic below $root"
}

# Prints the pkg-config file.
describe_headers() {
	sed -e "s|@PREFIX@|${PREFIX:-/usr/local}|" -e "s|@VERSION@|$("$cfic" --version)|" "$project/scripts/cfic.pc.in"
}

# Help texts separate paragraphs by empty lines, which mdoc(7) warns of, and indent examples, whose lines it would fill.
set_paragraphs() {
	awk '
		function close_display() { if (shown) print ".Ed"; shown = 0 }
		/^$/ { empty = 1; next }
		/^ / { if (!shown) print (empty ? ".Bd -literal" : ".Bd -literal -compact"); shown = 1; empty = 0; print; next }
		{ close_display(); if (empty && !/^\./) print ".Pp"; empty = 0; print }
		END { close_display() }'
}

# Makes manual pages from the help texts, with the date of the build.
install_manual() {
	local date pages
	if [[ ! -x $binaries/generate-manual ]]; then
		echo "install.sh: no manual pages: $binaries/generate-manual does not exist; 'make build' builds it" >&2
		return
	fi
	date=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(stat -c %Y "$cfic")}" +%F)
	pages=$(mktemp -d)
	"$binaries/generate-manual" "$cfic" --multi-page --date "$date" --output-directory "$pages" > /dev/null
	local page
	for page in "$pages"/*.1; do
		set_paragraphs < "$page" > "$page.set"
		mv "$page.set" "$page"
	done
	copy 644 "$man" "$pages"/*.1
	rm -r "$pages"
}

uninstall_all() {
	local directories=() directory index
	[[ ! -r $list ]] || mapfile -t directories < "$list"
	rm -f "$root/bin/cfic"
	for ((index = 1; index < ${#completions[@]}; index += 2)); do rm -f "${completions[index]}"; done
	rm -f "$man"/cfic.1 "$man"/cfic.*.1 "$pkgconfig/cfic.pc" "$units/cfic.service"
	rm -rf "$include" "$doc"
	# Innermost first. Directories that other files use stay.
	for ((index = ${#directories[@]} - 1; index >= 0; index--)); do
		directory=${DESTDIR:-}${directories[index]}
		[[ ! -d $directory ]] || rmdir --ignore-fail-on-non-empty "$directory"
	done
	echo "removed cfic below $root"
}

case ${1:-} in
install) install_all ;;
uninstall) uninstall_all ;;
*) echo "usage: install.sh install|uninstall" >&2; exit 64 ;;
esac
