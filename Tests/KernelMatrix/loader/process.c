/*
 * Processes in elements (cfic/elements.h), and in the map of processes.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "loader.h"

/* Writes a group of mappings: their starts, then their other fields. */
static __u32 write_group(const struct mapping *mappings, __u32 count)
{
	__u32 place = elements_take(CFIC_GROUP_SIZE(count) / 4, 2);
	__u32 starts = place + CFIC_GROUP_HEAD / 4, rest = starts + 2 * count;

	elements_write(place, &count, sizeof(count));
	for (__u32 i = 0; i < count; i++) {
		struct cfic_mapping mapping = {
			.end = mappings[i].end, .bias = mappings[i].bias, .range = mappings[i].range};

		elements_write(starts + 2 * i, &mappings[i].start, 8);
		elements_write(rest + i * sizeof(mapping) / 4, &mapping, sizeof(mapping));
	}
	return place;
}

void process_add(struct bpf_object *object, __u32 process, const struct mapping *mappings, size_t count)
{
	static __u32 number;
	struct cfic_process written = {.number = ++number};
	__u32 place;

	CHECK(count <= CFIC_GROUP_MAPPINGS * CFIC_PROCESS_GROUPS, "%zu mappings are too many", count);
	for (size_t first = 0; first < count; first += CFIC_GROUP_MAPPINGS) {
		size_t left = count - first;

		written.start[written.group_count] = mappings[first].start;
		written.group[written.group_count++] =
			write_group(mappings + first, left < CFIC_GROUP_MAPPINGS ? left : CFIC_GROUP_MAPPINGS);
	}
	place = elements_take((sizeof(written) + 3) / 4, 2);
	elements_write(place, &written, sizeof(written));
	/* Last, because BPF programs use it from now on. */
	CHECK(bpf_map_update_elem(object_map(object, "processes"), &process, &place, BPF_ANY) == 0,
	      "process %u can't be listed", process);
}

void process_remove(struct bpf_object *object, __u32 process)
{
	CHECK(bpf_map_delete_elem(object_map(object, "processes"), &process) == 0, "process %u was not listed", process);
}
