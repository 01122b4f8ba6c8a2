/*
 * Elements (cfic/elements.h): allocated from the first to the last, filled through their mapping.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "loader.h"

#include <string.h>
#include <sys/mman.h>

/* Words that are left in the first element: so few that even small tables continue in the next one. */
#define LEFT_OF_THE_FIRST (3u << 14)

static int outer;
static __u32 *elements[CFIC_ELEMENTS_MAX];
static __u64 next;

void elements_begin(struct bpf_object *object)
{
	outer = object_map(object, "element_maps");
	next = CFIC_ELEMENT_WORDS - LEFT_OF_THE_FIRST;
}

/* Maps a new element, then inserts it into the array of maps. */
static void create(__u32 index)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "element", sizeof(__u32), CFIC_ELEMENT_SIZE, 1, &options);

	CHECK(map >= 0, "an element can't be created");
	elements[index] = mmap(NULL, CFIC_ELEMENT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	CHECK(elements[index] != MAP_FAILED, "an element can't be mapped");
	CHECK(bpf_map_update_elem(outer, &index, &map, BPF_ANY) == 0, "no room for an element");
}

__u32 elements_take(__u32 words, __u32 align)
{
	__u64 place = (next + align - 1) / align * align;
	__u64 left = CFIC_ELEMENT_WORDS - place % CFIC_ELEMENT_WORDS;

	/* An element's start has any alignment. */
	if (words <= CFIC_ELEMENT_WORDS && words > left)
		place += left;
	next = place + words;
	CHECK(next <= (__u64)CFIC_ELEMENT_WORDS * CFIC_ELEMENTS_MAX, "the elements are full");
	for (__u64 index = place / CFIC_ELEMENT_WORDS; index <= (next - 1) / CFIC_ELEMENT_WORDS; index++) {
		if (!elements[index])
			create(index);
	}
	return place;
}

void elements_write(__u32 place, const void *from, size_t size)
{
	for (size_t done = 0; done < size; place++, done += 4) {
		__u32 word = 0;

		memcpy(&word, (const char *)from + done, size - done < 4 ? size - done : 4);
		elements[place / CFIC_ELEMENT_WORDS][place % CFIC_ELEMENT_WORDS] = word;
	}
}
