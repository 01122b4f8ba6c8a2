/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interprets all FDEs of an ELF file's .eh_frame row by row, and only mixes the rows into a checksum: no sorting, no
 * lowering, no table, and no checks for hostile files. This is the least that any compiler of CFI has to do, and thus a
 * measure of the machine's speed.
 *
 *     minimal-walk [-r REPETITIONS] FILE
 *
 * Prints a line for each repetition, "cpu_ns N", then a line with the counts. Only supports 64-bit little-endian files
 * whose FDEs have 4-byte relative addresses.
 */
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct row {
	uint64_t cfa_register, cfa_offset, frame_pointer, return_address;
};

struct totals {
	uint64_t fdes, rows, checksum;
};

static uint64_t uleb(const uint8_t **at)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = *(*at)++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return value;
}

static void take(struct totals *totals, const struct row *row, uint64_t location)
{
	totals->rows++;
	totals->checksum += (location ^ row->cfa_register << 56 ^ row->cfa_offset << 40 ^ row->frame_pointer << 20
			     ^ row->return_address) * 0x9e3779b97f4a7c15u;
}

static void set(struct row *row, uint64_t column, uint64_t rule)
{
	if (column == 6)
		row->frame_pointer = rule;
	else if (column == 16)
		row->return_address = rule;
}

/* Runs instructions, from the row after the CIE's instructions. `totals` is null for the CIE's own instructions. */
static void run(const uint8_t *at, const uint8_t *end, uint64_t location, struct row *row, const struct row *initial,
		struct totals *totals)
{
	struct row stack[16];
	unsigned depth = 0;

	while (at < end) {
		uint8_t opcode = *at++;
		uint64_t delta, column;
		uint32_t wide;

		switch (opcode & 0xc0) {
		case 0x40: delta = opcode & 0x3f; goto advance;
		case 0x80: set(row, opcode & 0x3f, uleb(&at)); continue;
		case 0xc0:
			set(row, opcode & 0x3f, (opcode & 0x3f) == 6 ? initial->frame_pointer : initial->return_address);
			continue;
		}
		switch (opcode) {
		case 0x00: continue;
		case 0x02: delta = *at++; goto advance;
		case 0x03: delta = at[0] | at[1] << 8; at += 2; goto advance;
		case 0x04: memcpy(&wide, at, 4); delta = wide; at += 4; goto advance;
		case 0x05: column = uleb(&at); set(row, column, uleb(&at)); continue;
		case 0x07: set(row, uleb(&at), 1); continue;
		case 0x08: set(row, uleb(&at), 2); continue;
		case 0x09: column = uleb(&at); set(row, column, uleb(&at) + 3); continue;
		case 0x0a:
			if (depth == 16)
				errx(1, "states are remembered more than 16 deep");
			stack[depth++] = *row;
			continue;
		case 0x0b:
			if (depth == 0)
				errx(1, "no state to restore");
			*row = stack[--depth];
			continue;
		case 0x0c: row->cfa_register = uleb(&at); row->cfa_offset = uleb(&at); continue;
		case 0x0d: row->cfa_register = uleb(&at); continue;
		case 0x0e: row->cfa_offset = uleb(&at); continue;
		case 0x0f: row->cfa_register = 255; delta = uleb(&at); at += delta; continue;
		case 0x10: case 0x16: set(row, uleb(&at), 4); delta = uleb(&at); at += delta; continue;
		case 0x11: column = uleb(&at); set(row, column, uleb(&at)); continue;
		case 0x12: row->cfa_register = uleb(&at); row->cfa_offset = uleb(&at); continue;
		case 0x13: row->cfa_offset = uleb(&at); continue;
		case 0x2e: uleb(&at); continue;
		default: errx(1, "instruction 0x%x", opcode);
		}
advance:
		if (delta == 0)
			continue;
		if (totals)
			take(totals, row, location);
		location += delta;
	}
	if (totals)
		take(totals, row, location);
}

/* Runs the CIE's instructions. */
static void prepare(const uint8_t *cie, struct row *row)
{
	uint32_t length;
	const uint8_t *at = cie + 9, *end;
	const char *augmentation = (const char *)at;
	const char *letter;
	const uint8_t *data;
	struct row empty = { 0 };

	memcpy(&length, cie, 4);
	end = cie + 4 + length;
	at += strlen(augmentation) + 1;
	uleb(&at);
	uleb(&at); /* the data alignment factor, which isn't used */
	uleb(&at);
	if (augmentation[0] != 'z')
		errx(1, "an augmentation without a size");
	data = at + 1;
	at = data + *at;
	for (letter = augmentation + 1; *letter != 'R'; letter++)
		data += *letter == 'P' ? 5 : *letter == 'L' ? 1 : 0;
	if (*data != 0x1b)
		errx(1, "addresses are not 4 bytes and relative");
	*row = empty;
	run(at, end, 0, row, &empty, NULL);
}

static struct totals walk(const uint8_t *section, size_t size)
{
	struct totals totals = { 0 };
	struct row initial = { 0 };
	const uint8_t *known = NULL;
	size_t offset = 0;

	while (offset + 4 <= size) {
		const uint8_t *entry = section + offset;
		const uint8_t *cie;
		uint32_t length, distance;
		int32_t start;
		struct row row;

		memcpy(&length, entry, 4);
		offset += 4 + (size_t)length;
		if (length == 0)
			continue;
		memcpy(&distance, entry + 4, 4);
		if (distance == 0)
			continue;
		cie = entry + 4 - distance;
		if (cie != known) {
			prepare(cie, &initial);
			known = cie;
		}
		memcpy(&start, entry + 8, 4);
		row = initial;
		totals.fdes++;
		run(entry + 17 + entry[16], entry + 4 + length, (uint64_t)(entry + 8 - section) + (uint64_t)(int64_t)start,
		    &row, &initial, &totals);
	}
	return totals;
}

static const uint8_t *find_section(const char *path, size_t *size)
{
	struct stat status;
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	const Elf64_Ehdr *header;
	const Elf64_Shdr *sections;
	const char *names;

	if (descriptor < 0 || fstat(descriptor, &status) != 0)
		err(1, "%s", path);
	header = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
	if (header == MAP_FAILED)
		err(1, "%s", path);
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64)
		errx(1, "%s: not a 64-bit ELF file", path);
	sections = (const Elf64_Shdr *)((const char *)header + header->e_shoff);
	names = (const char *)header + sections[header->e_shstrndx].sh_offset;
	for (int i = 0; i < header->e_shnum; i++) {
		if (strcmp(names + sections[i].sh_name, ".eh_frame") == 0) {
			*size = sections[i].sh_size;
			return (const uint8_t *)header + sections[i].sh_offset;
		}
	}
	errx(1, "%s: no .eh_frame", path);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
	long repetitions = 1;
	struct totals totals = { 0 };
	const uint8_t *section;
	size_t size = 0;
	int option;

	while ((option = getopt(argc, argv, "r:")) == 'r')
		repetitions = strtol(optarg, NULL, 10);
	if (option != -1 || optind != argc - 1 || repetitions < 1)
		errx(64, "usage: minimal-walk [-r REPETITIONS] FILE");
	section = find_section(argv[optind], &size);
	for (long i = 0; i < repetitions; i++) {
		uint64_t start = cpu_ns();

		totals = walk(section, size);
		printf("cpu_ns %" PRIu64 "\n", cpu_ns() - start);
	}
	printf("fdes %" PRIu64 " rows %" PRIu64 " checksum %016" PRIx64 "\n", totals.fdes, totals.rows, totals.checksum);
	return 0;
}
