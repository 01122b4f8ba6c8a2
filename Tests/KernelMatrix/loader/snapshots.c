/*
 * Compares snapshots of a workload with the memory of its process, which doesn't change while it stays in one function.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "loader.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#define STACK_POINTER 7
#else
#define STACK_POINTER 31
#endif

/* The snapshots that were read last, which samples look for. */
#define KEPT 128

static struct {
	__u64 time, pc;
	__u32 thread;
} kept[KEPT];
static struct snapshots counts;
static int memory = -1, process;
static char real[CFIC_SNAPSHOT_CHUNK];

static const char *difference(const struct cfic_snapshot *snapshot, size_t size)
{
	__u64 sp = snapshot->registers[STACK_POINTER];
	const char *bytes = (const char *)(snapshot + 1);

	if (size < sizeof(*snapshot) + CFIC_SNAPSHOT_MEMORY)
		return "size";
	if (sp < snapshot->start || sp - snapshot->start >= 2 * CFIC_SNAPSHOT_CHUNK)
		return "stack pointer";
	for (int chunk = 0; chunk < CFIC_SNAPSHOT_CHUNKS; chunk++) {
		__u64 start = snapshot->start + chunk * CFIC_SNAPSHOT_CHUNK, end = start + CFIC_SNAPSHOT_CHUNK;
		int was_read = (snapshot->chunks >> chunk) & 1;

		/* Below the stack pointer, nothing has to stay. */
		if (end <= sp)
			continue;
		if (start < sp)
			start = sp;
		if (!was_read && sp < end && chunk == 0)
			return "chunk";
		if (was_read && (pread(memory, real, end - start, start) != (ssize_t)(end - start)
				|| memcmp(real, bytes + (start - snapshot->start), end - start) != 0))
			return "memory";
	}
	return NULL;
}

static int take(void *context, void *data, size_t size)
{
	const struct cfic_snapshot *snapshot = data;
	const char *what;

	(void)context;
	if (snapshot->thread != (__u32)process)
		return 0;
	if (snapshot->registers[STACK_POINTER] == snapshot->stack_start)
		counts.at_start++;
	if (memory < 0)
		return 0;
	kept[counts.taken % KEPT].time = snapshot->time;
	kept[counts.taken % KEPT].pc = snapshot->pc;
	kept[counts.taken % KEPT].thread = snapshot->thread;
	counts.taken++;
	what = difference(snapshot, size);
	if (what && counts.different++ == 0)
		printf("snapshot: %s differs: sp %llx, start %llx, chunks %x\n", what,
		       snapshot->registers[STACK_POINTER], snapshot->start, snapshot->chunks);
	return 0;
}

static struct ring_buffer *ring;

static void begin(struct bpf_object *object, int of)
{
	memset(&counts, 0, sizeof(counts));
	memset(kept, 0, sizeof(kept));
	process = of;
	ring = ring_buffer__new(object_map(object, "snapshots"), take, NULL, NULL);
	CHECK(ring, "snapshots");
}

void snapshots_begin(struct bpf_object *object, int of)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", of);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(memory >= 0, "%s", path);
	begin(object, of);
}

void snapshots_begin_without_memory(struct bpf_object *object, int of)
{
	memory = -1;
	begin(object, of);
}

unsigned long snapshots_find(const struct cfic_sample *sample)
{
	unsigned long before = counts.joined;
	__u64 pc = *((const __u64 *)(sample + 1) + sample->kernel_count) & CFIC_SAMPLE_ADDRESS;

	/* Waits come without snapshots. */
	if (!ring)
		return 0;
	ring_buffer__consume(ring);
	for (int i = 0; i < KEPT; i++)
		counts.joined += kept[i].time == sample->time && kept[i].thread == sample->thread && kept[i].pc == pc;
	return counts.joined - before;
}

struct snapshots snapshots_end(void)
{
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	ring = NULL;
	if (memory >= 0)
		close(memory);
	return counts;
}
