/*
 * Samples a workload while all processes are sampled. Its first samples come without frames, but with snapshots; once it
 * is listed, they are the known stack. Then it executes another program, which isn't listed, and all of this repeats.
 * While a program gives up its memory, there are only kernel frames.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "comparison.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

/* Counts, each with how many of them were wrong. */
struct seen {
	unsigned long count, different;
};

/* What the workload does. */
enum phase { BEGINS, STAYS, EXECUTES, ENDS };

struct everyone {
	struct comparison comparison;
	struct bpf_object *object;
	struct ring_buffer *samples;
	enum phase phase;
	struct seen unlisted, without_user_code, executed, kernel_threads;
	struct snapshots snapshots;
	/* Since the program was started: */
	unsigned long joined, known;
};

static void see(struct seen *seen, const struct cfic_sample *sample, int is_right, const char *name)
{
	seen->count++;
	if (!is_right && seen->different++ == 0)
		printf("%s differs: process %u (%.16s), end %u, %u kernel frames, %u user frames, mappings %u\n", name,
		       sample->process, sample->command, sample->end, sample->kernel_count, sample->user_count,
		       sample->mappings);
}

/* Kernel threads execute no file. */
static int is_kernel_thread(__u32 process)
{
	char path[32], target[256];

	snprintf(path, sizeof(path), "/proc/%u/exe", process);
	return readlink(path, target, sizeof(target)) < 0 && errno == ENOENT;
}

/* A sample of the workload in the code in which it stays. */
static void take_ready(struct everyone *everyone, const struct cfic_sample *sample, size_t size)
{
	const __u64 *frames = (const __u64 *)(sample + 1) + sample->kernel_count;

	if (sample->end != CFIC_STEP_NO_PROCESS) {
		compare_sample(&everyone->comparison, sample, size);
		everyone->known++;
		return;
	}
	see(&everyone->unlisted, sample,
	    sample->user_count == 1 && sample->mappings == 0 && !everyone->known
		    && place_of(everyone->comparison.known, frames[0]) >= 0,
	    "sample of what isn't listed");
	everyone->joined += snapshots_find(sample);
}

static int take(void *context, void *data, size_t size)
{
	struct everyone *everyone = context;
	const struct cfic_sample *sample = data;
	int is_kernels = sample->user_count == 0 && sample->kernel_count > 0 && sample->mappings == 0;

	if (sample->end == CFIC_STEP_KERNEL_THREAD)
		see(&everyone->kernel_threads, sample, is_kernels && is_kernel_thread(sample->process), "kernel thread");
	if (!everyone->comparison.process || sample->process != (__u32)everyone->comparison.process)
		return 0;
	if (everyone->phase == STAYS)
		take_ready(everyone, sample, size);
	else if (sample->end == CFIC_STEP_NO_USER_CODE)
		see(&everyone->without_user_code, sample, is_kernels, "sample without user code");
	else if (everyone->phase == EXECUTES && (sample->end == CFIC_STEP_NO_PROCESS || everyone->executed.count))
		see(&everyone->executed, sample, sample->end == CFIC_STEP_NO_PROCESS, "sample of the new program");
	return 0;
}

static void read_samples(struct everyone *everyone)
{
	/* Samples wake nobody. */
	ring_buffer__poll(everyone->samples, 10);
	ring_buffer__consume(everyone->samples);
}

/* Samples each hit of a tracepoint until the link is destroyed. */
static struct bpf_link *attach(struct bpf_object *object, const char *category, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, OF_MACHINE("tracepoint"));
	struct bpf_link *link = bpf_program__attach_tracepoint(program, category, name);

	CHECK(link, "no tracepoint %s:%s", category, name);
	return link;
}

/* The kernel frees maps in a kernel thread, which then waits for something else to do. */
static void sample_kernel_threads(struct everyone *everyone)
{
	struct bpf_link *switches = attach(everyone->object, "sched", "sched_switch");
	double deadline = now() + SECONDS;

	while (everyone->kernel_threads.count < NEEDED && now() < deadline) {
		int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "freed", 4, 4, 1, NULL);

		CHECK(map >= 0, "a map can't be created");
		close(map);
		read_samples(everyone);
	}
	bpf_link__destroy(switches);
	ring_buffer__consume(everyone->samples);
}

/* Samples a program that is ready: before it is listed, and after. */
static void sample_program(struct everyone *everyone, const char *directory)
{
	struct comparison *comparison = &everyone->comparison;
	double deadline = now() + SECONDS;
	struct snapshots snapshots;

	snapshots_begin(everyone->object, comparison->process);
	everyone->joined = everyone->known = 0;
	everyone->phase = STAYS;
	clocks_attach(everyone->object);
	while (everyone->joined < NEEDED && now() < deadline)
		read_samples(everyone);
	comparison->mapping_count = mappings_read(comparison->process, directory, comparison->mappings, MAPPINGS_MAX);
	process_add(everyone->object, comparison->process, comparison->mappings, comparison->mapping_count);
	while (everyone->known < NEEDED && comparison->different < NEEDED && now() < deadline)
		read_samples(everyone);
	clocks_detach();
	ring_buffer__consume(everyone->samples);
	snapshots = snapshots_end();
	everyone->snapshots.different += snapshots.different;
	everyone->snapshots.joined += snapshots.joined;
	printf("program of %u frames: unlisted %lu joined %lu known %lu\n", comparison->known->frame_count,
	       everyone->unlisted.count, everyone->joined, everyone->known);
}

/*
 * Lets the workload execute another program, with samples where pages are freed, and where the new program is about to
 * begin. Returns whether its entry is gone.
 */
static int execute(struct everyone *everyone)
{
	struct bpf_link *freed = attach(everyone->object, "kmem", "mm_page_free");
	struct bpf_link *begun = attach(everyone->object, "sched", "sched_process_exec");
	struct known_stack *known = everyone->comparison.known;
	__u32 process = everyone->comparison.process, place;
	double deadline = now() + SECONDS;

	snapshots_begin_without_memory(everyone->object, process);
	everyone->phase = EXECUTES;
	known->go = 1;
	while (!(known->done && known->ready)) {
		CHECK(now() < deadline, "the workload executes nothing");
		read_samples(everyone);
	}
	bpf_link__destroy(freed);
	bpf_link__destroy(begun);
	ring_buffer__consume(everyone->samples);
	everyone->snapshots.at_start += snapshots_end().at_start;
	return bpf_map_lookup_elem(object_map(everyone->object, "processes"), &process, &place) != 0 && errno == ENOENT;
}

int everyone_compare(struct bpf_object *object, const char *directory, const char *name, char **command)
{
	static const char path[] = "/tmp/known-stack";
	static struct everyone everyone;
	struct comparison *comparison = &everyone.comparison;
	struct bpf_link *forks = bpf_program__attach(bpf_object__find_program_by_name(object, "follow_fork"));
	struct bpf_link *executions = bpf_program__attach(bpf_object__find_program_by_name(object, "follow_exec"));
	struct bpf_link *freed;
	unsigned long in_execution;
	int removed;

	everyone.object = object;
	everyone.samples = ring_buffer__new(object_map(object, "samples"), take, &everyone, NULL);
	comparison->known = map_known(path);
	comparison->name = name;
	CHECK(everyone.samples && forks && executions, "the programs can't be attached");
	CHECK(mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) == 0 || errno == EBUSY, "tracefs");
	sample_kernel_threads(&everyone);
	comparison->process = workload_start(comparison->known, path, command);
	sample_program(&everyone, directory);
	removed = execute(&everyone);
	in_execution = everyone.without_user_code.count;
	sample_program(&everyone, directory);
	everyone.phase = ENDS;
	freed = attach(object, "kmem", "mm_page_free");
	workload_end(comparison->process);
	bpf_link__destroy(freed);
	ring_buffer__consume(everyone.samples);
	printf("everyone %s unlisted %lu unlisted-different %lu joined %lu snapshots-different %lu", name,
	       everyone.unlisted.count, everyone.unlisted.different, everyone.snapshots.joined,
	       everyone.snapshots.different);
	printf(" samples %lu different %lu guessed %lu removed %d at-start %lu", comparison->samples,
	       comparison->different, comparison->guessed, removed, everyone.snapshots.at_start);
	printf(" executed %lu executed-different %lu", everyone.executed.count, everyone.executed.different);
	printf(" executing %lu ending %lu without-user-code-different %lu", in_execution,
	       everyone.without_user_code.count - in_execution, everyone.without_user_code.different);
	printf(" kernel-threads %lu kernel-threads-different %lu\n", everyone.kernel_threads.count,
	       everyone.kernel_threads.different);
	fflush(stdout);
	return comparison->different || everyone.unlisted.different || everyone.snapshots.different
		|| everyone.executed.different || everyone.without_user_code.different || everyone.kernel_threads.different;
}
