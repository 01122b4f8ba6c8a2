/*
 * Calls a library's function again and again through the procedure linkage table. It must be linked at fixed addresses,
 * so that the function's address is that of its stub. Emulators spend more time on indirect calls than on direct ones,
 * so that more samples are in the stub.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <elf.h>
#include <link.h>
#include <string.h>

#include "workload.h"

void bound_lazily(struct known_stack *known);

/* Adds the procedure linkage table, whose extent is in its section header, which is only in the file. */
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
	/* Linkers generate call frame information for it only on x86-64. */
	known->places[known->place_count - 1].inferred = 1;
#endif
}

OWN_FRAME IN_SECTION(calling_code) static void call(struct known_stack *known)
{
	void (*volatile stub)(struct known_stack *known) = bound_lazily;

	RECORD(known);
	for (;;) {
		/* The first call records its return address and binds the stub. */
		stub(known);
		known->ready = 1;
	}
}

int main(int count, char **words)
{
	struct known_stack *known = map_known(words);

	RECORD(known);
	ADD_PLACE(known, calling_code);
	/* In the stub, the called function has no frame yet. */
	known->places[0].left_out = 1;
	add_plt(known);
	call(known);
	return count;
}
