# Unpacks packages of any Debian suite and architecture without installing them. Sourced by boot.sh and build.sh.
#
# apt uses a root directory in $cache, so that this machine's configuration isn't changed, and neither root nor a
# foreign architecture is needed. Mirrors are those of this machine's own apt, which need not include security updates.
#
# shellcheck shell=bash

cache=${KERNEL_CACHE:-${HOME:-$PWD/.build}/.cache/cfic-kernels}
mkdir -p "$cache"

# apt_private ARCHITECTURE TOOL ARGUMENT...
apt_private() {
	local arch=$1 tool=$2 root=$cache/apt-$1
	shift 2
	"$tool" -qq -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
		-o Dir::State="$root" -o Dir::State::status="$root/status" -o Dir::State::lists="$root/lists" \
		-o Dir::Cache="$root" -o Dir::Etc::sourcelist="$root/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User= "$@"
}

# mirror LABEL: the URL from which this machine's apt reads the archive with this label
mirror() {
	# shellcheck disable=SC2016 # the format's fields are apt's, not the shell's
	apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | sed -n "s/^$1 //p" | head -n 1
}

# update_lists ARCHITECTURE: at most once per run
update_lists() {
	[[ ${updated:-} != *" $1 "* ]] || return 0
	updated="${updated:-} $1 "
	local root=$cache/apt-$1 key=/usr/share/keyrings/debian-archive-keyring.gpg main security suite
	main=$(mirror Debian) security=$(mirror Debian-Security)
	mkdir -p "$root/lists/partial" "$root/archives/partial"
	touch "$root/status"
	for suite in bullseye bookworm trixie trixie-backports sid; do
		echo "deb [signed-by=$key] $main $suite main"
		case ${security:+$suite} in
		bullseye | bookworm | trixie) echo "deb [signed-by=$key] $security $suite-security main" ;;
		esac
	done > "$root/sources.list"
	apt_private "$1" apt-get update >&2 || echo "apt-get update had errors" >&2
}

# unpack ARCHITECTURE PACKAGE DIRECTORY
unpack() {
	local debs status=0
	debs=$(mktemp -d)
	(cd "$debs" && apt_private "$1" apt-get download "$2" >&2) && dpkg -x "$debs"/*.deb "$3" || status=1
	rm -rf "$debs"
	return $status
}
