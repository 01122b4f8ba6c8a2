#define _GNU_SOURCE
#include "demangle_names.h"

#include <errno.h>
#include <fcntl.h>
#include <libiberty/demangle.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of the Swift runtime (swift/Demangling/Demangle.h); allocates the result if there is no buffer. */
char *swift_demangle(const char *symbol, size_t length, char *buffer, size_t *size, uint32_t flags);

/* Symbols that one child gets: the most that it can return is 16 MiB. */
#define BATCH_MAX 1024
#define CPU_MICROSECONDS 250000
#define MEMORY_BYTES (64l << 20)
/* A child that sleeps waits for a lock that another thread held during the fork, in vain. */
#define SLEEP_SECONDS 30

/* Shared with the child. */
struct batch {
	/* Symbols that were tried; those before have their results. */
	_Atomic uint32_t done;
	/* Bytes of `text` in use. */
	uint32_t used;
	/* 0 if there is no result. The results follow one another in `text`. */
	uint32_t lengths[BATCH_MAX];
	char text[BATCH_MAX * DEMANGLE_RESULT_MAX];
};

static int starts(const char *symbol, const char *prefix)
{
	return strncmp(symbol, prefix, strlen(prefix)) == 0;
}

static char *demangled(const char *symbol)
{
	/* The limit would refuse names of more than a kilobyte. If the stack overflows, it is the child's. */
	const int options = DMGL_PARAMS | DMGL_ANSI | DMGL_NO_RECURSE_LIMIT;

	if (starts(symbol, "_R"))
		return rust_demangle(symbol, DMGL_NO_OPTS);
	if (starts(symbol, "_Z")) {
		/* Rust's legacy names are C++ names that end with a hash. */
		char *text = rust_demangle(symbol, DMGL_NO_OPTS);

		return text ? text : cplus_demangle_v3(symbol, options);
	}
	/* Constructors and destructors of files. */
	if (starts(symbol, "_GLOBAL_"))
		return cplus_demangle_v3(symbol, options);
	if (starts(symbol, "_D"))
		return dlang_demangle(symbol, DMGL_NO_OPTS);
	return swift_demangle(symbol, strlen(symbol), 0, 0, 0);
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

/* Makes the child harmless; false if it can't be limited. All signals are blocked: they are for the parent. */
static int confine(void)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGPROF, SIGALRM };
	long size = address_space();
	struct rlimit limit = { (rlim_t)(size + MEMORY_BYTES), (rlim_t)(size + MEMORY_BYTES) };
	sigset_t unblocked;

	sigemptyset(&unblocked);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(*deadly); i++) {
		signal(deadly[i], SIG_DFL);
		sigaddset(&unblocked, deadly[i]);
	}
	pthread_sigmask(SIG_UNBLOCK, &unblocked, 0);
	/* No core dump, no orphan, no descriptor that others wait to see closed, and no message on stderr. */
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	syscall(SYS_close_range, 0, ~0u, 0);
	/* libiberty calls exit if there is no memory; the parent's exit handlers must not run. The last one runs first. */
	if (size < 0 || setrlimit(RLIMIT_AS, &limit) || atexit(leave))
		return 0;
	alarm(SLEEP_SECONDS);
	return 1;
}

static _Noreturn void demangle_batch(const char *const symbols[], uint32_t count, struct batch *batch)
{
	const struct itimerval most = { .it_value = { 0, CPU_MICROSECONDS } };

	if (!confine())
		_exit(1);
	for (uint32_t i = batch->done; i < count; i++) {
		char *text;
		size_t length;

		setitimer(ITIMER_PROF, &most, 0);
		text = demangled(symbols[i]);
		/* Swift's returns what it can't demangle as it is. */
		length = text && strcmp(text, symbols[i]) ? strlen(text) : 0;
		/* Each result takes at most its share, so all fit. */
		if (length > 0 && length <= DEMANGLE_RESULT_MAX) {
			memcpy(batch->text + batch->used, text, length);
			batch->used += (uint32_t)length;
			batch->lengths[i] = (uint32_t)length;
		}
		free(text);
		batch->done = i + 1;
	}
	_exit(0);
}

/* Forks a child for the rest of a batch, and waits for it. Returns 0 or an errno. */
static int run_child(const char *const symbols[], uint32_t count, struct batch *batch)
{
	sigset_t all, before;
	pid_t child;
	int code = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	child = fork();
	if (child == 0)
		demangle_batch(symbols, count, batch);
	if (child < 0)
		code = errno;
	pthread_sigmask(SIG_SETMASK, &before, 0);
	/* If SIGCHLD is ignored, this waits, too, and then fails. */
	while (child > 0 && waitpid(child, 0, 0) < 0 && errno == EINTR)
		;
	return code;
}

ptrdiff_t demangle_names(const char *const symbols[], size_t count, demangled_name *found, void *context)
{
	struct batch *batch = mmap(0, sizeof(*batch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t first = 0;
	int deaths = 0, code = 0;

	if (batch == MAP_FAILED)
		return -errno;
	while (first < count && deaths < DEMANGLE_DEATHS_MAX) {
		uint32_t size = count - first < BATCH_MAX ? (uint32_t)(count - first) : BATCH_MAX;
		uint32_t done;
		size_t offset = 0;

		batch->done = 0;
		batch->used = 0;
		memset(batch->lengths, 0, sizeof(batch->lengths));
		code = run_child(symbols + first, size, batch);
		if (code)
			break;
		done = batch->done < size ? batch->done : size;
		for (uint32_t i = 0; i < done; i++) {
			size_t length = batch->lengths[i];

			/* The child is not trusted: a broken symbol may have made it write anything. */
			if (length > sizeof(batch->text) - offset)
				break;
			if (length > 0)
				found(first + i, batch->text + offset, length, context);
			offset += length;
		}
		if (done < size) {
			/* It died of the symbol after those. */
			deaths++;
			done++;
		}
		first += done;
	}
	munmap(batch, sizeof(*batch));
	return code ? -code : (ptrdiff_t)(count - first);
}
