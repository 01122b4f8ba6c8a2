/*
 * The executable mappings of a process, with the tables of the files that are mapped.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "loader.h"

#include <elf.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#define TABLES_MAX 64
#define SEGMENTS_MAX 32

/* An ELF file, or for the vDSO the image in memory. */
struct image {
	int file;
	__u64 start; /* offset in `file` where it begins */
	Elf64_Phdr segments[SEGMENTS_MAX];
	size_t segment_count;
	char build_id[2 * CFIC_KEY_MAX + 1];
};

static int read_at(const struct image *image, void *to, size_t size, __u64 offset)
{
	return pread(image->file, to, size, image->start + offset) == (ssize_t)size ? 0 : -1;
}

static void find_build_id(struct image *image, const Elf64_Phdr *notes)
{
	for (__u64 at = notes->p_offset; at + sizeof(Elf64_Nhdr) <= notes->p_offset + notes->p_filesz;) {
		unsigned char id[CFIC_KEY_MAX];
		Elf64_Nhdr note;
		char name[4];
		__u64 content;

		if (read_at(image, &note, sizeof(note), at))
			return;
		content = at + sizeof(note) + ((note.n_namesz + 3) & ~3u);
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz <= sizeof(id)
			&& read_at(image, name, 4, at + sizeof(note)) == 0 && memcmp(name, "GNU", 4) == 0
			&& read_at(image, id, note.n_descsz, content) == 0) {
			for (__u32 i = 0; i < note.n_descsz; i++)
				sprintf(image->build_id + 2 * i, "%02x", id[i]);
		}
		at = content + ((note.n_descsz + 3) & ~3u);
	}
}

/* Opens an image; 0 if there is one with a build id. */
static int open_image(struct image *image, int process, const char *path, __u64 start)
{
	Elf64_Ehdr header;
	char memory[64];

	snprintf(memory, sizeof(memory), "/proc/%d/mem", process);
	memset(image, 0, sizeof(*image));
	image->start = path[0] == '/' ? 0 : start;
	image->file = open(path[0] == '/' ? path : memory, O_RDONLY | O_CLOEXEC);
	if (image->file < 0 || read_at(image, &header, sizeof(header), 0) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return -1;
	CHECK(header.e_phnum <= SEGMENTS_MAX, "%s has too many segments", path);
	image->segment_count = header.e_phnum;
	if (read_at(image, image->segments, header.e_phnum * sizeof(Elf64_Phdr), header.e_phoff))
		return -1;
	for (size_t i = 0; i < image->segment_count; i++) {
		if (image->segments[i].p_type == PT_NOTE)
			find_build_id(image, &image->segments[i]);
	}
	return image->build_id[0] ? 0 : -1;
}

/* Finds a table, and loads it on first use; null if there is none. */
static const struct table *find_table(const char *directory, const char *build_id)
{
	static struct {
		char build_id[2 * CFIC_KEY_MAX + 1];
		struct table *table;
	} known[TABLES_MAX];
	static size_t count;
	char path[512];
	glob_t found;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(known[i].build_id, build_id) == 0)
			return known[i].table;
	}
	/* A digest follows the build id. Here there is only one file with each build id, so any digest will do. */
	snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s-*.unwind", directory, build_id, build_id + 2);
	if (glob(path, GLOB_NOSORT, NULL, &found) != 0)
		return NULL;
	snprintf(path, sizeof(path), "%s", found.gl_pathv[0]);
	globfree(&found);
	CHECK(count < TABLES_MAX, "too many tables");
	strcpy(known[count].build_id, build_id);
	known[count].table = table_load(path);
	return known[count++].table;
}

/* Sets bias and range of a mapping that starts at an offset of the image. */
static void find_range(struct mapping *mapping, const struct image *image, const struct table *table, __u64 offset)
{
	for (size_t i = 0; i < image->segment_count; i++) {
		const Elf64_Phdr *segment = &image->segments[i];
		__u64 svma, page;

		/* A mapping starts at the memory page that contains the segment's start. */
		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)
			|| offset + (segment->p_offset & (sysconf(_SC_PAGESIZE) - 1)) < segment->p_offset
			|| offset >= segment->p_offset + segment->p_filesz)
			continue;
		svma = segment->p_vaddr + offset - segment->p_offset;
		page = svma >> (table->native.pc_shift + CFIC_PAGE_BITS);
		mapping->bias = mapping->start - svma;
		for (__u32 range = 0; range < table->native.range_count; range++) {
			if (page - table->native.ranges[range].start_page < table->native.ranges[range].page_count)
				mapping->range = table->ranges[range];
		}
	}
}

size_t mappings_read(int process, const char *directory, struct mapping *mappings, size_t most)
{
	char name[64], line[1024];
	size_t count = 0;
	FILE *maps;

	snprintf(name, sizeof(name), "/proc/%d/maps", process);
	maps = fopen(name, "re");
	CHECK(maps, "%s can't be opened", name);
	while (fgets(line, sizeof(line), maps)) {
		struct mapping *mapping = &mappings[count];
		unsigned long start, end, offset;
		char permissions[5], path[512] = "";
		const struct table *table;
		struct image image;

		if (sscanf(line, "%lx-%lx %4s %lx %*s %*s %511s", &start, &end, permissions, &offset, path) < 4
			|| permissions[2] != 'x' || strcmp(path, "[vsyscall]") == 0)
			continue;
		CHECK(count < most, "too many mappings");
		*mapping = (struct mapping){.start = start, .end = end};
		count++;
		if (path[0] != '/' && strcmp(path, "[vdso]") != 0)
			continue;
		if (open_image(&image, process, path, start) == 0
			&& (table = find_table(directory, image.build_id)) != NULL)
			find_range(mapping, &image, table, offset);
		if (image.file >= 0)
			close(image.file);
	}
	fclose(maps);
	return count;
}
