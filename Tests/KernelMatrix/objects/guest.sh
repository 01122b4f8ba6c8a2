# Runs in a guest: guest.sh [types]. Loads all objects and, with "types", prints the kernel's BTF, compressed.
#
# Origin: own. Licence: Apache-2.0.
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
# libbpf reads the kernel's configuration if objects need it. Options that it doesn't contain are not set.
mkdir -p /boot
: > "/boot/config-$(uname -r)"
echo "kernel $(uname -r)"
./load objects/*.bpf.o
if [ "$1" = types ]; then
	gzip -1 -c /sys/kernel/btf/vmlinux | base64 | sed 's/^/types /'
fi
echo finished
