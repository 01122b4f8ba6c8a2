# Runs in a guest: guest.sh ARCH. KernelMatrixTests reads its output. Fails if any of its commands fails.
#
# Origin: own. Licence: Apache-2.0.
failed=0
echo "kernel $(uname -r)"

# Kernels before 5.12 reject this, as expected.
./loader try global-pointer.bpf.o
echo "global-pointer $?"

./loader lookups unwinder.bpf.o lookups/*.unwind || failed=1
./loader stacks unwinder.bpf.o tables "$1.list" || failed=1
./loader waits unwinder.bpf.o tables depth-50 ./chain plain 50 wait || failed=1
./loader everyone unwinder.bpf.o tables executes ./chain plain 50 execute || failed=1

# cfic as a user would run it, on a chain of 50 calls that spins until the time is up.
if [ -x cfic ]; then
	head -c 1048576 /dev/zero > known
	./cfic profile --cache profile-tables -F 199 -d 3 -o profile.folded -- ./chain known plain 50 spin || failed=1
	sed 's/^/profile /' profile.folded
	# The same if nobody named it: it is known from its first sample on.
	./chain known plain 50 spin &
	./cfic profile -a --comm chain --cache profile-tables -F 199 -d 3 -o everyone.folded || failed=1
	kill $!
	sed 's/^/profile-everyone /' everyone.folded
	# The clock of the day is set back by years meanwhile.
	(sleep 1; date -s 2001-01-01 > /dev/null && echo "clock set back") &
	./cfic profile --cache profile-tables -F 199 -d 3 -o stepped.folded --counters stepped.prom -- \
		./chain known plain 50 spin || failed=1
	sed 's/^/profile-stepped /' stepped.folded
	sed -n 's/^cfic_sampling_seconds_total /stepped-seconds /p' stepped.prom
	# The waits that the program measures itself.
	(sleep 6; echo) | ./cfic profile --cache profile-tables --off-cpu --off-cpu-share 1 -o off-cpu.folded -- \
		./waits 20000 40 nanosleep || failed=1
	sed 's/^/off-cpu /' off-cpu.folded
	# What happens a known number of times, when the mappings are known.
	(sleep 6; echo) | ./cfic profile --cache profile-tables -e syscalls:sys_enter_getppid -o tracepoint.folded -- \
		./events call 200 || failed=1
	sed 's/^/tracepoint /' tracepoint.folded
fi
echo finished
exit $failed
