/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks all FDEs of an ELF file row by row with libdw, and gets what an unwind table contains: each row's CFA, frame
 * pointer and return address. `cfic compile` is compared with this.
 *
 *     libdw-walk [-r REPETITIONS] FILE
 *
 * Prints a line for each repetition, "cpu_ns N" (CPU time of this process from opening the CFI to freeing it), then a
 * line with the counts.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <err.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The bytes of .eh_frame or .debug_frame and their address. */
struct frames {
	Elf_Data *data;
	GElf_Addr address;
	GElf_Addr got; /* base of DW_EH_PE_datarel */
	bool is_eh;
};

struct file {
	Elf *elf;
	const unsigned char *ident;
	size_t address_size;
	int frame_pointer;
	struct frames eh_frame, debug_frame;
};

struct totals {
	uint64_t fdes, rows, errors, checksum;
};

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void add(struct totals *totals, uint64_t value)
{
	totals->checksum = (totals->checksum ^ value) * 0x100000001b3u;
}

static void add_operations(struct totals *totals, int status, const Dwarf_Op *ops, size_t count)
{
	if (status != 0) {
		totals->errors++;
		return;
	}
	add(totals, count);
	for (size_t i = 0; i < count; i++) {
		add(totals, ops[i].atom);
		add(totals, ops[i].number);
	}
}

/* ---- the ranges of FDEs ---- */

/* Reads a value in `encoding`'s format; false if the format has no fixed size or the value extends past `end`. */
static bool read_value(const struct file *file, uint8_t encoding, const uint8_t **at, const uint8_t *end,
		       uint64_t *value)
{
	unsigned format = encoding & 0x0f;
	size_t size = format == DW_EH_PE_absptr ? file->address_size
		    : (format & 7) == DW_EH_PE_udata2 ? 2
		    : (format & 7) == DW_EH_PE_udata4 ? 4
		    : (format & 7) == DW_EH_PE_udata8 ? 8 : 0;

	if (size == 0 || (size_t)(end - *at) < size)
		return false;
	*value = 0;
	memcpy(value, *at, size); /* little-endian files on a little-endian host: checked in open_file */
	if ((format & 8) && size < 8)
		*value = (uint64_t)((int64_t)(*value << (64 - 8 * size)) >> (64 - 8 * size));
	*at += size;
	return true;
}

/* The encoding of the addresses in a CIE's FDEs; DW_EH_PE_omit if unknown. */
static uint8_t address_encoding(const struct file *file, const Dwarf_CIE *cie)
{
	const uint8_t *at = cie->augmentation_data;
	const uint8_t *end = at + cie->augmentation_data_size;

	if (cie->augmentation[0] != 'z')
		return DW_EH_PE_absptr;
	for (const char *letter = cie->augmentation + 1; *letter != '\0'; letter++) {
		uint64_t personality;
		uint8_t encoding;

		if (*letter == 'S' || *letter == 'B')
			continue;
		if (at >= end)
			return DW_EH_PE_absptr;
		encoding = *at++;
		if (*letter == 'R')
			return encoding;
		if (*letter == 'P' && !read_value(file, encoding, &at, end, &personality))
			return DW_EH_PE_omit;
	}
	return DW_EH_PE_absptr;
}

static bool fde_range(const struct file *file, const struct frames *frames, uint8_t encoding,
		      const Dwarf_FDE *fde, uint64_t *start, uint64_t *length)
{
	const uint8_t *at = fde->start;
	uint64_t place = frames->address + (uint64_t)(at - (const uint8_t *)frames->data->d_buf);

	if (encoding == DW_EH_PE_omit || (encoding & DW_EH_PE_indirect))
		return false;
	if (!read_value(file, encoding, &at, fde->end, start) || !read_value(file, encoding & 7, &at, fde->end, length))
		return false;
	switch (encoding & 0x70) {
	case DW_EH_PE_absptr: break;
	case DW_EH_PE_pcrel: *start += place; break;
	case DW_EH_PE_datarel: *start += frames->got; break;
	default: return false;
	}
	return true;
}

/* ---- the walk ---- */

/* Walks all rows of one FDE. */
static void walk_range(const struct file *file, Dwarf_CFI *cfi, uint64_t pc, uint64_t end, struct totals *totals)
{
	while (pc < end) {
		Dwarf_Frame *frame;
		Dwarf_Addr row_end;
		Dwarf_Op *ops, memory[3];
		size_t count;
		bool signal;
		int ra;

		if (dwarf_cfi_addrframe(cfi, pc, &frame) != 0) {
			totals->errors++;
			return;
		}
		ra = dwarf_frame_info(frame, NULL, &row_end, &signal);
		add(totals, pc);
		add_operations(totals, dwarf_frame_cfa(frame, &ops, &count), ops, count);
		add_operations(totals, dwarf_frame_register(frame, file->frame_pointer, memory, &ops, &count), ops, count);
		add_operations(totals, dwarf_frame_register(frame, ra, memory, &ops, &count), ops, count);
		free(frame);
		totals->rows++;
		if (row_end <= pc)
			return;
		pc = row_end;
	}
}

static void walk_section(const struct file *file, const struct frames *frames, Dwarf_CFI *cfi, struct totals *totals)
{
	Dwarf_Off offset = 0, next = 0;
	Dwarf_Off known_cie = (Dwarf_Off)-1;
	uint8_t encoding = DW_EH_PE_omit;
	Dwarf_CFI_Entry entry;
	int status;

	while ((status = dwarf_next_cfi(file->ident, frames->data, frames->is_eh, offset, &next, &entry)) != 1) {
		uint64_t start, length;

		if (status < 0) {
			totals->errors++;
			if (next <= offset)
				return;
		} else if (!dwarf_cfi_cie_p(&entry)) {
			if (entry.fde.CIE_pointer != known_cie) {
				Dwarf_CFI_Entry cie;
				Dwarf_Off after;

				known_cie = entry.fde.CIE_pointer;
				encoding = DW_EH_PE_omit;
				if (dwarf_next_cfi(file->ident, frames->data, frames->is_eh, known_cie, &after, &cie) == 0
				    && dwarf_cfi_cie_p(&cie))
					encoding = address_encoding(file, &cie.cie);
			}
			totals->fdes++;
			if (fde_range(file, frames, encoding, &entry.fde, &start, &length))
				walk_range(file, cfi, start, start + length, totals);
			else
				totals->errors++;
		}
		offset = next;
	}
}

static struct totals walk(const struct file *file)
{
	struct totals totals = { .checksum = 0xcbf29ce484222325u };

	if (file->eh_frame.data) {
		Dwarf_CFI *cfi = dwarf_getcfi_elf(file->elf);

		if (!cfi)
			errx(1, "dwarf_getcfi_elf: %s", dwarf_errmsg(-1));
		walk_section(file, &file->eh_frame, cfi, &totals);
		dwarf_cfi_end(cfi);
	}
	if (file->debug_frame.data) {
		Dwarf *dwarf = dwarf_begin_elf(file->elf, DWARF_C_READ, NULL);
		Dwarf_CFI *cfi = dwarf ? dwarf_getcfi(dwarf) : NULL;

		if (!cfi)
			errx(1, "dwarf_getcfi: %s", dwarf_errmsg(-1));
		walk_section(file, &file->debug_frame, cfi, &totals);
		dwarf_end(dwarf);
	}
	return totals;
}

/* ---- the file ---- */

static void find_sections(struct file *file)
{
	size_t names;
	GElf_Addr got = 0;
	Elf_Scn *section = NULL;

	if (elf_getshdrstrndx(file->elf, &names) != 0)
		errx(1, "no section headers: %s", elf_errmsg(-1));
	while ((section = elf_nextscn(file->elf, section)) != NULL) {
		GElf_Shdr header;
		const char *name;
		struct frames *frames;

		if (!gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS)
			continue;
		name = elf_strptr(file->elf, names, header.sh_name);
		if (!name)
			continue;
		if (strcmp(name, ".got.plt") == 0 || (strcmp(name, ".got") == 0 && got == 0))
			got = header.sh_addr;
		if (strcmp(name, ".eh_frame") == 0)
			frames = &file->eh_frame;
		else if (strcmp(name, ".debug_frame") == 0)
			frames = &file->debug_frame;
		else
			continue;
		if (header.sh_flags & SHF_COMPRESSED && elf_compress(section, 0, 0) < 0)
			errx(1, "%s: %s", name, elf_errmsg(-1));
		frames->data = elf_rawdata(section, NULL);
		frames->address = header.sh_addr;
		frames->is_eh = frames == &file->eh_frame;
	}
	file->eh_frame.got = file->debug_frame.got = got;
}

static struct file open_file(const char *path)
{
	struct file file = { 0 };
	GElf_Ehdr header;
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);

	if (descriptor < 0)
		err(1, "%s", path);
	elf_version(EV_CURRENT);
	file.elf = elf_begin(descriptor, ELF_C_READ_MMAP, NULL);
	if (!file.elf || !gelf_getehdr(file.elf, &header))
		errx(1, "%s: %s", path, elf_errmsg(-1));
	if (header.e_ident[EI_DATA] != ELFDATA2LSB)
		errx(1, "%s: not little-endian", path);
	file.ident = (const unsigned char *)elf_getident(file.elf, NULL);
	file.address_size = header.e_ident[EI_CLASS] == ELFCLASS64 ? 8 : 4;
	file.frame_pointer = header.e_machine == EM_AARCH64 ? 29 : header.e_machine == EM_386 ? 5 : 6;
	find_sections(&file);
	return file;
}

int main(int argc, char **argv)
{
	long repetitions = 1;
	struct totals totals = { 0 };
	struct file file;
	int option;

	while ((option = getopt(argc, argv, "r:")) == 'r')
		repetitions = strtol(optarg, NULL, 10);
	if (option != -1 || optind != argc - 1 || repetitions < 1)
		errx(64, "usage: libdw-walk [-r REPETITIONS] FILE");
	file = open_file(argv[optind]);
	for (long i = 0; i < repetitions; i++) {
		uint64_t start = cpu_ns();

		totals = walk(&file);
		printf("cpu_ns %" PRIu64 "\n", cpu_ns() - start);
	}
	printf("fdes %" PRIu64 " rows %" PRIu64 " errors %" PRIu64 " checksum %016" PRIx64 "\n", totals.fdes,
	       totals.rows, totals.errors, totals.checksum);
	elf_end(file.elf);
	return 0;
}
