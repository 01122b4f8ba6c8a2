#!/usr/bin/env bash
# Boots a stock Debian kernel under QEMU and runs one command in it.
#
#     boot.sh KERNEL ARCH DIRECTORY COMMAND [ARGUMENT...]
#
# KERNEL is a series ("5.10", "6.12") or "newest", ARCH amd64 or arm64. The guest's root file system is DIRECTORY plus
# busybox. The command runs there in /guest as root, with the kernel's default limits, and its output is printed here.
# Exit status: the command's; 124 if it took longer than $BOOT_SECONDS (600); 125 if there is no kernel, or if it did
# not boot or panicked, in which case the end of its console is on standard error.
#
# Needs no root, no KVM, and no network in the guest. Kernels are downloaded once, into ~/.cache/cfic-kernels or
# $KERNEL_CACHE.
#
# Origin: own. Licence: Apache-2.0.
set -euo pipefail
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"

die() { echo "boot.sh: $*" >&2; exit 125; }

[[ $# -ge 4 ]] || die "usage: boot.sh KERNEL ARCH DIRECTORY COMMAND [ARGUMENT...]"
series=$1 arch=$2 content=$3
shift 3
work=$(mktemp -d) guest=
trap '[[ -z $guest ]] || kill "$guest" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 125' INT TERM

# Sets $image. Each security update replaces kernel packages, so this takes the newest one of the series that can
# actually be downloaded. The "cloud" packages are the smallest.
find_kernel() {
	local kernels=$cache/kernels/$arch pattern=${series//./\\.} names version package found
	[[ $series != newest ]] || pattern='[0-9]+'
	mkdir -p "$kernels"
	if [[ -s $kernels/cloud-$series ]]; then
		image=$kernels/$(< "$kernels/cloud-$series")
		[[ ! -s $image ]] || return 0
	fi
	update_lists "$arch"
	names=$(apt_private "$arch" apt-cache pkgnames linux- |
		grep -E "^linux-(binary|image)-${pattern}[.+-][0-9a-z.+~-]*-cloud-$arch\$" |
		grep -vE -- '-unsigned|-dbg|-rt-') || names=
	for version in $(sed -E 's/^linux-(binary|image)-//' <<< "$names" | sort -ruV | uniq | head -n 30); do
		# The image moved to linux-binary in 7.x.
		for package in "linux-binary-$version" "linux-image-$version"; do
			grep -qxF "$package" <<< "$names" || continue
			rm -rf "$work/kernel"
			unpack "$arch" "$package" "$work/kernel" || continue
			found=$(find "$work/kernel" -name 'vmlinuz*' -type f | head -n 1)
			[[ $found ]] || continue
			mv "$found" "$kernels/vmlinuz-$version"
			echo "vmlinuz-$version" > "$kernels/cloud-$series"
			image=$kernels/vmlinuz-$version
			return 0
		done
	done
	die "kernel $series for $arch can't be downloaded: is there a network, and does apt-get update work?"
}

# Finds busybox, the guest's shell and tools.
find_busybox() {
	busybox=$cache/busybox-$arch
	[[ ! -x $busybox ]] || return 0
	update_lists "$arch"
	unpack "$arch" busybox-static "$work/busybox" || die "busybox for $arch can't be downloaded: is there a network?"
	mv "$(find "$work/busybox" -path '*bin/busybox' -type f | head -n 1)" "$busybox"
}

exec 9> "$cache/lock"
flock 9
find_kernel
find_busybox
exec 9>&-

root=$work/root
mkdir -p "$root"/{bin,sbin,etc,proc,sys,dev,tmp,guest}
cp "$busybox" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
cat > "$root/init" << 'INIT'
#!/bin/sh
export PATH=/bin:/sbin HOME=/tmp
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/shm; mount -t tmpfs tmpfs /dev/shm
exec </dev/console >/dev/console 2>&1
stty -opost 2>/dev/null
printf '\nGUEST-BEGIN %s\n' "$(uname -r)"
cd /guest
setsid /bin/sh /command </dev/null; code=$?
dmesg -n 1
printf '\nGUEST-END %s\n' "$code"
sleep 0.1; poweroff -f
INIT
chmod 755 "$root/init"
{ printf 'exec'; printf ' %q' "$@"; echo; } > "$root/command"

archive() { (cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z | cpio -o0 -H newc -R 0:0 --quiet); }
# Not compressed, because an emulated machine takes longer to unpack it than to load it.
{ archive "$root"; archive "$content"; } > "$work/initrd"

parameters="panic=-1 oops=panic quiet loglevel=4 mitigations=off nowatchdog rcupdate.rcu_cpu_stall_suppress=1"
case $arch in
amd64)
	qemu=(qemu-system-x86_64 -M pc -cpu max)
	parameters+=" console=ttyS0 no_timer_check"
	;;
arm64)
	# Pointer authentication with the fast algorithm: emulating the architecture's algorithm would take most of the
	# time.
	qemu=(qemu-system-aarch64 -M "virt,gic-version=3" -cpu "max,pauth-impdef=on,lpa2=off")
	parameters+=" console=ttyAMA0"
	;;
*) die "unknown architecture $arch" ;;
esac
: > "$work/console"
# The emulator is killed when this script ends for any reason.
with_us=(setpriv --pdeathsig KILL)
"${with_us[@]}" timeout --foreground -k 5 "${BOOT_SECONDS:-600}" "${with_us[@]}" "${qemu[@]}" -accel tcg -m 768 -smp 1 \
	-nodefaults -no-user-config -no-reboot -display none -monitor none -serial "file:$work/console" \
	-kernel "$image" -initrd "$work/initrd" -append "$parameters" < /dev/null > "$work/qemu" 2>&1 &
guest=$! status=0
wait "$guest" || status=$?
guest=

tr -d '\r' < "$work/console" > "$work/text"
# The guest prints a newline before GUEST-END, in case the output did not end with one.
awk '/^GUEST-BEGIN /{on=1; next} /^GUEST-END /{exit} on{if (n++) print last; last=$0}
	END{if (n && last != "") print last}' "$work/text"
result=$(sed -n 's/^GUEST-END \([0-9]*\)$/\1/p' "$work/text" | tail -n 1)
[[ ! $result ]] || exit "$result"
{
	echo "boot.sh: no result from the guest (QEMU's status $status, kernel $image); its console ends:"
	tail -n 40 "$work/text"
	cat "$work/qemu"
} >&2
((status == 124 || status == 137)) && exit 124
exit 125
