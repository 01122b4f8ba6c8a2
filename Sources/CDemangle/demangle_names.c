#define _GNU_SOURCE
#include "demangle_names.h"

#include <confinement.h>
#include <errno.h>
#include <libiberty/demangle.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
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

/* What a child is to do. */
struct work {
	const char *const *symbols;
	uint32_t count;
	struct batch *batch;
};

static void demangle_batch(void *context)
{
	const struct work *work = context;
	struct batch *batch = work->batch;
	const struct itimerval most = { .it_value = { 0, CPU_MICROSECONDS } };

	if (!confine(MEMORY_BYTES, SLEEP_SECONDS))
		_exit(1);
	/* No descriptor that others wait to see closed, and no message on stderr. */
	syscall(SYS_close_range, 0, ~0u, 0);
	for (uint32_t i = batch->done; i < work->count; i++) {
		char *text;
		size_t length;

		setitimer(ITIMER_PROF, &most, 0);
		text = demangled(work->symbols[i]);
		/* Swift's returns what it can't demangle as it is. */
		length = text && strcmp(text, work->symbols[i]) ? strlen(text) : 0;
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
		code = run_child(demangle_batch, &(struct work){ symbols + first, size, batch });
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
