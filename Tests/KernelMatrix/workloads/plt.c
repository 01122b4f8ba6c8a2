/*
 * Calls a function of a library over and over, through the procedure linkage table. To be linked at fixed addresses:
 * then a function's address, wherever it is from, is that of its stub. Emulators spend more time on calls of addresses
 * than on calls of symbols, and so more samples are in the stub.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <elf.h>
#include <link.h>
#include <string.h>

#include "workload.h"

void bound_lazily(struct known_stack *known);

/* The table is what its section's header says, which is in the file only. */
static void add_plt(struct known_stack *known)
{
	int file = open("/proc/self/exe", O_RDONLY);
	long size = 1 << 20;
	const char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
	const ElfW(Ehdr) *header = (const void *)bytes;
	const ElfW(Shdr) *sections = (const void *)(bytes + header->e_shoff);
	const char *names = bytes + sections[header->e_shstrndx].sh_offset;

	for (int i = 0; i < header->e_shnum; i++) {
		const char *start = (const char *)sections[i].sh_addr;

		if (strcmp(names + sections[i].sh_name, ".plt") == 0)
			add_place(known, start, start + sections[i].sh_size);
	}
#if defined(__aarch64__)
	/* Linkers write call frame information for it on x86-64 only: a stub's caller is a guess, a leaf's. */
	known->places[known->place_count - 1].guessed = 1;
#endif
}

OWN_FRAME IN_SECTION(calling_code) static void call(struct known_stack *known)
{
	void (*volatile stub)(struct known_stack *known) = bound_lazily;

	RECORD(known);
	for (;;) {
		/* The first call says where it returns to, and is the one that binds it. */
		stub(known);
		known->ready = 1;
	}
}

int main(int count, char **words)
{
	struct known_stack *known = map_known(words);

	RECORD(known);
	ADD_PLACE(known, calling_code);
	/* Here what is called has no frame yet. */
	known->places[0].left_out = 1;
	add_plt(known);
	call(known);
	return count;
}
