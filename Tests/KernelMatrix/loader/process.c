/*
 * Processes in elements (cfic/elements.h), and in the map of processes.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "loader.h"

void process_add(struct bpf_object *object, __u32 process, const struct mapping *mappings, size_t count)
{
	static __u32 number;
	struct cfic_process written = {.count = count, .number = ++number};
	__u32 place, starts, rest;

	CHECK(count <= CFIC_PROCESS_MAPPINGS, "%zu mappings are too many", count);
	place = elements_take(CFIC_PROCESS_SIZE(count) / 4, 2);
	starts = place + sizeof(written) / 4;
	rest = starts + 2 * count;
	elements_write(place, &written, sizeof(written));
	for (size_t i = 0; i < count; i++) {
		struct cfic_mapping mapping = {
			.end = mappings[i].end, .bias = mappings[i].bias, .range = mappings[i].range};

		elements_write(starts + 2 * i, &mappings[i].start, 8);
		elements_write(rest + i * sizeof(mapping) / 4, &mapping, sizeof(mapping));
	}
	/* Last, because BPF programs use it from now on. */
	CHECK(bpf_map_update_elem(object_map(object, "processes"), &process, &place, BPF_ANY) == 0,
	      "process %u can't be listed", process);
}

void process_remove(struct bpf_object *object, __u32 process)
{
	CHECK(bpf_map_delete_elem(object_map(object, "processes"), &process) == 0, "process %u was not listed", process);
}
