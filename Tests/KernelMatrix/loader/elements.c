/*
 * Elements (cfic/elements.h): handed out from the first to the last, filled through the mapping of their maps.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "loader.h"

#include <string.h>
#include <sys/mman.h>

#define MAP_WORDS (CFIC_ELEMENT_WORDS * CFIC_MAP_ELEMENTS)

static int outer;
static __u32 *maps[CFIC_MAPS_MAX];
static __u64 next;

void elements_begin(struct bpf_object *object)
{
	outer = object_map(object, "element_maps");
	/* Near the end of the first map, so that even small tables go on in the next one. */
	next = MAP_WORDS - 3 * CFIC_ELEMENT_WORDS;
}

/* Maps a new map of elements, then lets programs find it. */
static void create(__u32 index)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int map = bpf_map_create(
		BPF_MAP_TYPE_ARRAY, "elements", sizeof(__u32), CFIC_ELEMENT_SIZE, CFIC_MAP_ELEMENTS, &options);

	CHECK(map >= 0, "a map of elements can't be created");
	maps[index] = mmap(NULL, MAP_WORDS * 4, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	CHECK(maps[index] != MAP_FAILED, "a map of elements can't be mapped");
	CHECK(bpf_map_update_elem(outer, &index, &map, BPF_ANY) == 0, "no room for a map of elements");
}

__u32 elements_take(__u32 words, __u32 align)
{
	__u64 place = (next + align - 1) / align * align;
	__u64 left = CFIC_ELEMENT_WORDS - place % CFIC_ELEMENT_WORDS;

	/* An element begins at a multiple of whatever `align` is. */
	if (words <= CFIC_ELEMENT_WORDS && words > left)
		place += left;
	next = place + words;
	CHECK(next <= (__u64)MAP_WORDS * CFIC_MAPS_MAX, "the elements are full");
	for (__u64 map = place / MAP_WORDS; map <= next / MAP_WORDS; map++) {
		if (!maps[map])
			create(map);
	}
	return place;
}

void elements_write(__u32 place, const void *from, size_t size)
{
	for (size_t done = 0; done < size; place++, done += 4) {
		__u32 word = 0;

		memcpy(&word, (const char *)from + done, size - done < 4 ? size - done : 4);
		maps[place / MAP_WORDS][place % MAP_WORDS] = word;
	}
}
