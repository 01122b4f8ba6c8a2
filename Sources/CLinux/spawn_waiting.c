#include "spawn_waiting.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

pid_t spawn_waiting(char *const argv[], int *go)
{
	int ends[2];
	/* While SIGCHLD is ignored, a child's exit status can't be waited for. */
	bool ignored = signal_is_ignored(SIGCHLD);
	pid_t child;

	/* The parent sends a byte to start the program; the child sends an errno if exec fails. Both ends close on exec. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	if (ignored)
		signal(SIGCHLD, SIG_DFL);
	child = fork();
	if (child < 0) {
		int code = errno;

		close(ends[0]);
		close(ends[1]);
		return -code;
	}
	if (child == 0) {
		/* Only system calls here: other threads may have held locks when this process forked. */
		sigset_t none;
		char byte;
		int code;

		close(ends[0]);
		if (read(ends[1], &byte, 1) != 1)
			_exit(127);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, 0);
		if (ignored)
			signal(SIGCHLD, SIG_IGN);
		execvp(argv[0], argv);
		code = errno;
		(void)!write(ends[1], &code, sizeof(code));
		_exit(127);
	}
	close(ends[1]);
	*go = ends[0];
	return child;
}

int spawn_run(int go)
{
	char byte = 0;
	int code = 0;
	ssize_t count = -1;

	if (write(go, &byte, 1) == 1) {
		do
			count = read(go, &code, sizeof(code));
		while (count < 0 && errno == EINTR);
	}
	close(go);
	return count == sizeof(code) ? code : 0;
}

bool signal_is_ignored(int number)
{
	struct sigaction action;

	return sigaction(number, 0, &action) == 0 && action.sa_handler == SIG_IGN;
}

void signal_end(int number)
{
	sigset_t one;

	signal(number, SIG_DFL);
	kill(getpid(), number);
	sigemptyset(&one);
	sigaddset(&one, number);
	pthread_sigmask(SIG_UNBLOCK, &one, 0);
	_exit(128 + number);
}
