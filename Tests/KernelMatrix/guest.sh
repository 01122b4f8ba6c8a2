# What runs in a guest: guest.sh ARCH. KernelMatrixTests reads what it prints. Fails if any of it does.
#
# Origin: own. Licence: Apache-2.0.
failed=0
echo "kernel $(uname -r)"

# Rejected before 5.12, which is nothing wrong.
./loader try global-pointer.bpf.o
echo "global-pointer $?"

./loader lookups unwinder.bpf.o lookups/*.unwind || failed=1
./loader stacks unwinder.bpf.o tables "$1.list" || failed=1
echo finished
exit $failed
