#!/usr/bin/env bash
# Makes a Debian package of the built cfic in DIRECTORY: deb.sh DIRECTORY. `make deb` runs it.
#
#     BINARIES    the directory of the built cfic
#
# Prints the package's path. The dependencies are those that dpkg-shlibdeps finds; the Swift runtime and the other
# libraries are linked statically.
#
# Origin: own. Licence: Apache-2.0.
set -euo pipefail
umask 022
project=$(cd "$(dirname "$0")/.." && pwd)
out=$(realpath "${1:?usage: deb.sh DIRECTORY}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/stage

DESTDIR=$stage PREFIX=/usr "$project/scripts/install.sh" install >&2
strip --strip-unneeded "$stage/usr/bin/cfic"
# Debian's packages use vendor-completions; site-functions is for the administrator.
mkdir -p "$stage/usr/share/zsh/vendor-completions"
mv "$stage/usr/share/zsh/site-functions/_cfic" "$stage/usr/share/zsh/vendor-completions"
rmdir "$stage/usr/share/zsh/site-functions"
rm "$stage/usr/share/doc/cfic/directories"
gzip -9n "$stage"/usr/share/man/man1/*.1 "$stage/usr/share/doc/cfic/CHANGELOG.md"
cat > "$stage/usr/share/doc/cfic/copyright" <<COPYRIGHT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: cfic

Files: *
Copyright: the contributors to cfic
License: Apache-2.0
 See LICENSE beside this file, and /usr/share/common-licenses/Apache-2.0.

Files: usr/include/cfic/*
Copyright: the contributors to cfic
License: GPL-2.0-only or BSD-2-Clause
 See bpf/ beside this file, and /usr/share/common-licenses/GPL-2.
COPYRIGHT

mkdir -p "$work/debian" "$stage/DEBIAN"
printf 'Source: cfic\n\nPackage: cfic\nArchitecture: any\nDescription: x\n' > "$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O "$stage/usr/bin/cfic" 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
[[ -n $depends ]] || { echo "deb.sh: dpkg-shlibdeps found no libraries" >&2; exit 1; }
version=$("$stage/usr/bin/cfic" --version)
architecture=$(dpkg --print-architecture)
cat > "$stage/DEBIAN/control" <<CONTROL
Package: cfic
Version: $version
Architecture: $architecture
Maintainer: the contributors to cfic <cfic@localhost>
Depends: $depends
Recommends: libcurl4, libzydis4.0
Suggests: libdebuginfod1
Section: devel
Priority: optional
Installed-Size: $(du -sk --exclude=DEBIAN "$stage" | cut -f1)
Description: compiler of DWARF call frame information into unwind tables
 Compiles .eh_frame and .debug_frame of ELF files into flat tables that BPF
 programs can search, keeps them by build id, and unwinds stacks with them in
 the kernel: a profiler without frame pointers, and the C headers for others.
CONTROL
(cd "$stage" && find usr -type f -print0 | sort -z | xargs -0 md5sum) > "$stage/DEBIAN/md5sums"
mkdir -p "$out"
package=$out/cfic_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$stage" "$package" > /dev/null
echo "$package"
