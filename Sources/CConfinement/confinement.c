#define _GNU_SOURCE
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int run_child(void (*body)(void *context), void *context)
{
	sigset_t all, before;
	pid_t child;
	int code = 0;

	/* Signals are for the parent. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	child = fork();
	if (child == 0) {
		body(context);
		_exit(1);
	}
	if (child < 0)
		code = errno;
	pthread_sigmask(SIG_SETMASK, &before, 0);
	/* If SIGCHLD is ignored, this waits, too, and then fails. */
	while (child > 0 && waitpid(child, 0, 0) < 0 && errno == EINTR)
		;
	return code;
}

static void leave(void)
{
	_exit(1);
}

/* Address space in use, in bytes; negative if it isn't known. */
static long address_space(void)
{
	char text[64];
	int descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t count = descriptor < 0 ? -1 : read(descriptor, text, sizeof(text) - 1);

	if (descriptor >= 0)
		close(descriptor);
	if (count <= 0)
		return -1;
	text[count] = 0;
	return strtol(text, 0, 10) * sysconf(_SC_PAGESIZE);
}

int confine(uint64_t memory, unsigned int seconds)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGPROF, SIGALRM };
	long used = address_space();
	struct rlimit limit = { (rlim_t)used + memory, (rlim_t)used + memory };
	sigset_t unblocked;

	sigemptyset(&unblocked);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(*deadly); i++) {
		signal(deadly[i], SIG_DFL);
		sigaddset(&unblocked, deadly[i]);
	}
	pthread_sigmask(SIG_UNBLOCK, &unblocked, 0);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Libraries may call exit if there is no memory. The last handler runs first. */
	if (used < 0 || setrlimit(RLIMIT_AS, &limit) || atexit(leave))
		return 0;
	alarm(seconds);
	return 1;
}

int act_for_owner(int file)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct stat status;

	if (fstat(file, &status) != 0)
		return 0;
	/* System calls, because libc's functions change all threads of the parent's, which are not here. */
	if (geteuid() == 0 && status.st_uid != 0 &&
	    (syscall(SYS_setgroups, 0, 0) || syscall(SYS_setresgid, status.st_gid, status.st_gid, status.st_gid) ||
	     syscall(SYS_setresuid, status.st_uid, status.st_uid, status.st_uid)))
		return 0;
	/* What a change of the user resets. */
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return syscall(SYS_capset, &header, none) == 0;
}
