/*
 * Samples a workload, and compares each stack, frame by frame, with the workload's description (known-stack.h).
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "loader.h"
#include "../known-stack.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEEDED 20 /* samples required of each place of a workload, and in the kernel if it calls it   */
#define SECONDS 30
#define PERIOD 4000000 /* ns: a deep stack can take an emulated processor several of them             */
#define MAPPINGS_MAX 256
#define CPUS_MAX 64
#define SHOWN 12 /* frames of a stack that differs                                              */

struct comparison {
	struct known_stack *known;
	const char *name;
	int process;
	struct mapping mappings[MAPPINGS_MAX];
	size_t mapping_count;
	__u64 waited;
	unsigned long waits, samples, in_kernel, in_place[KNOWN_PLACES_MAX], different, guessed, frames;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Attaches the BPF program to clock events on each CPU. */
static void attach(struct bpf_object *object, struct bpf_link **links)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, OF_MACHINE("profile"));
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attributes), .config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = PERIOD,
	};

	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN) && cpu < CPUS_MAX; cpu++) {
		int event = syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

		CHECK(event >= 0, "no clock on CPU %d", cpu);
		links[cpu] = bpf_program__attach_perf_event(program, event);
		CHECK(links[cpu], "the program can't be attached");
	}
}

/* Whether code with a table is mapped there. Nothing more is known about main's callers. */
static int has_table(const struct comparison *comparison, __u64 pc)
{
	for (size_t i = 0; i < comparison->mapping_count; i++) {
		const struct mapping *mapping = &comparison->mappings[i];

		if (pc - 1 >= mapping->start && pc - 1 < mapping->end)
			return mapping->range != 0;
	}
	return 0;
}

static int place_of(const struct known_stack *known, __u64 pc)
{
	for (__u32 i = 0; i < known->place_count; i++) {
		if ((pc & CFIC_SAMPLE_EXACT) && (pc & CFIC_SAMPLE_ADDRESS) >= known->places[i].start
			&& (pc & CFIC_SAMPLE_ADDRESS) < known->places[i].end)
			return i;
	}
	return -1;
}

/* Why a stack differs; null if it doesn't. */
static const char *difference(const struct comparison *comparison, const struct cfic_sample *sample, int place)
{
	const struct known_stack *known = comparison->known;
	const __u64 *frames = (const __u64 *)(sample + 1) + sample->kernel_count;
	__u32 left, count = sample->user_count, guessed = 0, outermost;
	__u64 mark;

	if (place < 0)
		return "innermost pc";
	mark = known->places[place].guessed ? CFIC_SAMPLE_GUESSED : 0;
	left = known->frame_count - known->places[place].left_out;
	/* Plus the innermost frame. */
	outermost = left + 1;
	for (__u32 i = 1; i < count && i < outermost; i++) {
		if (frames[i] != (known->frames[left - i] | mark))
			return "frame";
	}
	for (__u32 i = 1; i < count; i++)
		guessed += (frames[i] & CFIC_SAMPLE_GUESSED) != 0;
	if (sample->guessed_count != guessed)
		return "number of guessed frames";
	if (outermost > CFIC_FRAMES_MAX)
		return count == CFIC_FRAMES_MAX && sample->end == CFIC_STEP_TOO_DEEP ? NULL : "end of what is too deep";
	if (count < outermost)
		return "number of frames";
	/* Frames outward of a guessed frame are guessed, too. */
	mark |= known->frames[0] & CFIC_SAMPLE_GUESSED;
	for (__u32 i = outermost; i < count; i++) {
		if ((frames[i] & ~CFIC_SAMPLE_ADDRESS) != mark || !has_table(comparison, frames[i] & CFIC_SAMPLE_ADDRESS))
			return "frame behind main";
	}
	/* Guessed frames were checked above. */
	return cfic_is_complete(sample->end, 0) ? NULL : "end";
}

static void print(const struct comparison *comparison, const struct cfic_sample *sample, const char *what)
{
	const __u64 *frames = (const __u64 *)(sample + 1) + sample->kernel_count;
	const struct known_stack *known = comparison->known;

	printf("%s: %s differs; end %u, reason %u, %u frames, of which %u guessed\n", comparison->name, what, sample->end,
	       sample->reason, sample->user_count, sample->guessed_count);
	for (__u32 i = 0; i < known->place_count; i++)
		printf("  place %llx to %llx\n", known->places[i].start, known->places[i].end);
	for (__u32 i = 0; i < sample->user_count && i < SHOWN; i++)
		printf("  %llx%s", frames[i], i % 4 == 3 ? "\n" : "");
	printf("\n  known:\n");
	for (__u32 i = 0; i < known->frame_count && i < SHOWN; i++)
		printf("  %llx%s", known->frames[known->frame_count - 1 - i], i % 4 == 3 ? "\n" : "");
	printf("\n");
}

static int take(void *context, void *data, size_t size)
{
	struct comparison *comparison = context;
	const struct cfic_sample *sample = data;
	int place;
	const char *what;

	if (size == sizeof(struct cfic_wait)) {
		const struct cfic_wait *wait = data;

		comparison->waits++;
		comparison->waited += wait->waited;
		return 0;
	}
	if (sample->process != (__u32)comparison->process)
		return 0;
	place = place_of(comparison->known, *((const __u64 *)(sample + 1) + sample->kernel_count));
	what = size < sizeof(*sample) + 8ul * (sample->kernel_count + sample->user_count) ? "size"
		: difference(comparison, sample, place);
	if (what && comparison->different++ == 0)
		print(comparison, sample, what);
	snapshots_find(sample);
	if (place >= 0)
		comparison->in_place[place]++;
	comparison->samples++;
	comparison->in_kernel += sample->kernel_count > 0;
	comparison->guessed += sample->guessed_count;
	comparison->frames += sample->user_count;
	return 0;
}

static int is_enough(const struct comparison *comparison)
{
	for (__u32 i = 0; i < comparison->known->place_count; i++) {
		if (comparison->in_place[i] < NEEDED)
			return 0;
	}
	return comparison->in_kernel >= (comparison->known->in_kernel ? NEEDED : 0);
}

/* Starts the workload, and returns when it is ready. */
static int start(struct known_stack *known, const char *path, char **command)
{
	double deadline = now() + SECONDS;
	int process = fork();

	CHECK(process >= 0, "fork");
	if (process == 0) {
		char *words[16] = {command[0], (char *)path};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 1; command[i] && i + 2 < COUNT(words); i++)
			words[i + 1] = command[i];
		execv(words[0], words);
		printf("%s: %m\n", words[0]);
		_exit(1);
	}
	while (!known->ready) {
		CHECK(waitpid(process, NULL, WNOHANG) == 0 && now() < deadline, "%s does not get ready", command[0]);
		usleep(1000);
	}
	return process;
}

static struct known_stack *map_known(const char *path)
{
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct known_stack *known;

	CHECK(file >= 0 && ftruncate(file, sizeof(*known)) == 0, "%s", path);
	known = mmap(NULL, sizeof(*known), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(known != MAP_FAILED, "%s", path);
	close(file);
	return known;
}

int samples_compare(struct bpf_object *object, const char *directory, const char *name, char **command)
{
	static const char path[] = "/tmp/known-stack";
	static struct bpf_link *links[CPUS_MAX];
	struct comparison comparison = {.known = map_known(path), .name = name};
	struct ring_buffer *samples = ring_buffer__new(object_map(object, "samples"), take, &comparison, NULL);
	double deadline = now() + SECONDS;
	struct snapshots seen;
	int enough;

	CHECK(samples, "samples");
	if (!links[0])
		attach(object, links);
	comparison.process = start(comparison.known, path, command);
	comparison.mapping_count = mappings_read(comparison.process, directory, comparison.mappings, MAPPINGS_MAX);
	snapshots_begin(object, comparison.process);
	/* From here on it is sampled: while it is ready, and only then. */
	process_add(object, comparison.process, comparison.mappings, comparison.mapping_count);
	while (!is_enough(&comparison) && comparison.different < NEEDED && now() < deadline) {
		/* Samples wake nobody. */
		ring_buffer__poll(samples, 20);
		ring_buffer__consume(samples);
	}
	process_remove(object, comparison.process);
	ring_buffer__consume(samples);
	seen = snapshots_end();
	kill(comparison.process, SIGKILL);
	waitpid(comparison.process, NULL, 0);
	ring_buffer__free(samples);
	printf("stacks %s samples %lu different %lu in-kernel %lu frames %lu guessed %lu", name, comparison.samples,
	       comparison.different, comparison.in_kernel, comparison.frames, comparison.guessed);
	for (__u32 i = 0; i < comparison.known->place_count; i++)
		printf(" place-%u %lu", i, comparison.in_place[i]);
	enough = is_enough(&comparison);
	printf(" snapshots %lu snapshots-different %lu joined %lu", seen.taken, seen.different, seen.joined);
	printf(" signed %u enough %d\n", comparison.known->is_signed, enough);
	fflush(stdout);
	munmap(comparison.known, sizeof(*comparison.known));
	return comparison.different || !enough;
}

int waits_compare(struct bpf_object *object, const char *directory, const char *name, char **command)
{
	static const char path[] = "/tmp/known-stack";
	struct comparison comparison = {.known = map_known(path), .name = name};
	struct ring_buffer *samples = ring_buffer__new(object_map(object, "samples"), take, &comparison, NULL);
	struct bpf_link *link = bpf_program__attach(bpf_object__find_program_by_name(object, OF_MACHINE("off_cpu")));
	struct cfic_wait_share share = {.threshold = ~0u};
	double deadline = now() + SECONDS;
	__u32 zero = 0;

	CHECK(samples && link, "the program for waits can't be attached");
	CHECK(bpf_map_update_elem(object_map(object, "wait_share"), &zero, &share, BPF_ANY) == 0, "share");
	comparison.process = start(comparison.known, path, command);
	comparison.mapping_count = mappings_read(comparison.process, directory, comparison.mappings, MAPPINGS_MAX);
	process_add(object, comparison.process, comparison.mappings, comparison.mapping_count);
	comparison.known->go = 1;
	while (!comparison.known->done && now() < deadline)
		ring_buffer__poll(samples, 100);
	process_remove(object, comparison.process);
	kill(comparison.process, SIGKILL);
	waitpid(comparison.process, NULL, 0);
	bpf_link__destroy(link);
	ring_buffer__consume(samples);
	ring_buffer__free(samples);
	printf("waits %s samples %lu different %lu in-kernel %lu waits %lu waited %llu measured %llu\n", name,
	       comparison.samples, comparison.different, comparison.in_kernel, comparison.waits, comparison.waited,
	       comparison.known->waited);
	munmap(comparison.known, sizeof(*comparison.known));
	return comparison.different != 0;
}
