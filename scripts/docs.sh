#!/usr/bin/env bash
# Makes the documentation of the Swift API of a build: docs.sh BUILD OUTPUT. `make docs` calls it.
#
#     BUILD    where SwiftPM built, such as .build/release
#     OUTPUT   a directory to replace: a website; its symbol graphs are in OUTPUT.symbols
#
# The modules are those of the library products of Package.swift, but for the product that is no API. DocC's warnings
# are errors: a broken link, a parameter without a word.
#
# Origin: own. Licence: Apache-2.0.
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
output=$2
symbols=$output.symbols
# Beside swift, whatever else is on PATH.
toolchain=$(dirname "$(readlink -f "$(command -v "${SWIFT:-swift}")")")

mapfile -t modules < <(
	tr -d '\n' <"$project/Package.swift" | grep -oE '\.library\( *name: "[A-Za-z]+", *targets: \[[^]]*\]' |
		grep -v Internals | sed 's/.*\[//' | grep -oE '[A-Za-z]+' | sort -u
)
[[ ${#modules[@]} -gt 0 ]] || { echo "docs.sh: Package.swift has no library products" >&2; exit 1; }

rm -rf "$output" "$symbols"
mkdir -p "$symbols"
# The compiler finds C modules by their module maps; SwiftPM writes one where a target has none.
includes=(-I "$build/Modules" -I "$project/bpf/include" -I "$project/Sources/CLinux/include")
for map in "$project"/Sources/*/module.modulemap; do includes+=(-I "$(dirname "$map")"); done
for module in CFileMapping CConfinement CDebugInfo CDemangle CZydis; do
	includes+=(-Xcc "-fmodule-map-file=$build/$module.build/module.modulemap")
done
# A process at a time: they share the cache of C modules.
for module in "${modules[@]}"; do
	"$toolchain/swift-symbolgraph-extract" -module-name "$module" -target "$(uname -m)-unknown-linux-gnu" -sdk / \
		"${includes[@]}" -module-cache-path "$symbols/cache" -minimum-access-level public \
		-skip-synthesized-members -omit-extension-block-symbols -output-dir "$symbols"
done
rm -rf "$symbols/cache"
"$toolchain/docc" convert "$project/docs/swift/API.docc" --additional-symbol-graph-dir "$symbols" \
	--output-dir "$output" --warnings-as-errors --fallback-default-module-kind Module
