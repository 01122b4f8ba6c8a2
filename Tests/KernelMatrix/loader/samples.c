/*
 * Samples a workload, and compares each stack, frame by frame, with the workload's description (known-stack.h).
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "comparison.h"

#include <sys/mman.h>

#define SHOWN 12 /* frames of a stack that differs                                              */

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

int place_of(const struct known_stack *known, __u64 pc)
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
		__u64 inferred = i == 1 && known->places[place].inferred ? CFIC_SAMPLE_INFERRED : 0;

		if (frames[i] != (known->frames[left - i] | mark | inferred))
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

void compare_sample(struct comparison *comparison, const struct cfic_sample *sample, size_t size)
{
	int place = place_of(comparison->known, *((const __u64 *)(sample + 1) + sample->kernel_count));
	const char *what = size < sizeof(*sample) + 8ul * (sample->kernel_count + sample->user_count) ? "size"
		: difference(comparison, sample, place);

	if (what && comparison->different++ == 0)
		print(comparison, sample, what);
	if (place >= 0)
		comparison->in_place[place]++;
	comparison->samples++;
	comparison->in_kernel += sample->kernel_count > 0;
	comparison->guessed += sample->guessed_count;
	comparison->frames += sample->user_count;
}

static int take(void *context, void *data, size_t size)
{
	struct comparison *comparison = context;
	const struct cfic_sample *sample = data;

	if (size == sizeof(struct cfic_wait)) {
		const struct cfic_wait *wait = data;

		comparison->waits++;
		comparison->waited += wait->waited;
		return 0;
	}
	if (sample->process != (__u32)comparison->process)
		return 0;
	compare_sample(comparison, sample, size);
	snapshots_find(sample);
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

int samples_compare(struct bpf_object *object, const char *directory, const char *name, char **command)
{
	static const char path[] = "/tmp/known-stack";
	struct comparison comparison = {.known = map_known(path), .name = name};
	struct ring_buffer *samples = ring_buffer__new(object_map(object, "samples"), take, &comparison, NULL);
	double deadline = now() + SECONDS;
	struct snapshots seen;
	int enough;

	CHECK(samples, "samples");
	clocks_attach(object);
	comparison.process = workload_start(comparison.known, path, command);
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
	workload_end(comparison.process);
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
	comparison.process = workload_start(comparison.known, path, command);
	comparison.mapping_count = mappings_read(comparison.process, directory, comparison.mappings, MAPPINGS_MAX);
	process_add(object, comparison.process, comparison.mappings, comparison.mapping_count);
	comparison.known->go = 1;
	while (!comparison.known->done && now() < deadline)
		ring_buffer__poll(samples, 100);
	process_remove(object, comparison.process);
	workload_end(comparison.process);
	bpf_link__destroy(link);
	ring_buffer__consume(samples);
	ring_buffer__free(samples);
	printf("waits %s samples %lu different %lu in-kernel %lu waits %lu waited %llu measured %llu\n", name,
	       comparison.samples, comparison.different, comparison.in_kernel, comparison.waits, comparison.waited,
	       comparison.known->waited);
	munmap(comparison.known, sizeof(*comparison.known));
	return comparison.different != 0;
}
