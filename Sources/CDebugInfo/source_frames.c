#define _GNU_SOURCE
#include "walk.h"

#include <confinement.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/* Frames and bytes of text for each address, and besides. Memory that isn't written to is never touched. */
#define FRAMES_EACH 16
#define FRAMES_BESIDES 4096
#define TEXT_EACH 256
#define TEXT_BESIDES (16u << 20)
#define ADDRESSES_MAX (1u << 23)
/* Address space of the child: libdw reads compressed sections whole, and lines of a unit take 20 times their size. */
#define MEMORY_BYTES (256l << 20)
#define MEMORY_FACTOR 16
/* Libdw walks 50 to 100 MB of DWARF a second. */
#define CPU_SECONDS 5
#define BYTES_PER_SECOND (10u << 20)
/* A child that sleeps waits for a lock that another thread held during the fork, in vain. */
#define SLEEP_FACTOR 10

/* The file that a file shares DWARF with, checked by its build id; null if there is none. */
static Dwarf *shared_dwarf(Dwarf *dwarf, const char *directory)
{
	const char *name;
	const void *id, *other_id;
	ssize_t size = dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &id);
	char path[4096];
	Dwarf *shared;
	int file;

	if (size <= 0 || (*name != '/' && !directory))
		return 0;
	if (snprintf(path, sizeof(path), "%s%s%s", *name == '/' ? "" : directory, *name == '/' ? "" : "/", name) >=
	    (int)sizeof(path))
		return 0;
	file = open_regular(path);
	if (file < 0)
		return 0;
	shared = dwarf_begin(file, DWARF_C_READ);
	if (shared && dwelf_elf_gnu_build_id(dwarf_getelf(shared), &other_id) == size && !memcmp(id, other_id, (size_t)size))
		return shared;
	return 0;
}

/* What a child is to do. */
struct work {
	const struct source_file *file;
	const uint64_t *addresses;
	size_t count;
	struct output *output;
};

static void read_in_child(void *context)
{
	const struct work *work = context;
	long seconds = CPU_SECONDS + (long)(work->file->size / BYTES_PER_SECOND);
	const struct itimerval cpu = { .it_value = { seconds, 0 } };
	struct split_files files = { .others_may_write = work->file->others_may_write, .user = geteuid() };
	struct rlimit none = { 0, FILES_MAX };
	Dwarf *dwarf, *shared;
	Elf *elf;

	/* No descriptor that others wait to see closed. */
	if (dup2(work->file->descriptor, 0) < 0)
		_exit(1);
	syscall(SYS_close_range, 1, ~0u, 0);
	if (!confine(MEMORY_BYTES + MEMORY_FACTOR * work->file->size, (unsigned int)(SLEEP_FACTOR * seconds)) ||
	    setitimer(ITIMER_PROF, &cpu, 0))
		_exit(1);
	files.is_off = !act_for_owner(0);
	/* As libdw finds it. */
	if (!realpath("/proc/self/fd/0", files.path))
		files.path[0] = 0;
	elf_version(EV_CURRENT);
	elf = elf_begin(0, ELF_C_READ, 0);
	dwarf = elf ? dwarf_begin_elf(elf, DWARF_C_READ, 0) : 0;
	if (!dwarf)
		_exit(2);
	shared = files.is_off ? 0 : shared_dwarf(dwarf, work->file->directory);
	if (shared)
		dwarf_setalt(dwarf, shared);
	/* Libdw opens whatever the file names: from here on nothing, unless it was looked at before. */
	if (setrlimit(RLIMIT_NOFILE, &none))
		_exit(1);
	walk_dwarf(dwarf, &files, work->addresses, work->count, work->output);
	_exit(0);
}

/* The child is not trusted: broken DWARF may have made it write anything. */
static void check(const struct output *output, size_t count, struct source_frames *found)
{
	struct results *results = output->results;
	uint32_t text_limit = (uint32_t)(TEXT_BESIDES + TEXT_EACH * count);
	uint32_t frame_limit = (uint32_t)(FRAMES_BESIDES + FRAMES_EACH * count);
	uint32_t text_size = results->text_size < text_limit ? results->text_size : text_limit;
	uint32_t frame_count = results->frame_count < frame_limit ? results->frame_count : frame_limit;
	uint32_t done = results->done;

	output->text[0] = 0;
	output->text[text_limit - 1] = 0;
	found->text = output->text;
	found->text_size = text_limit;
	found->frames = output->frames;
	for (size_t i = 0; i < frame_count; i++) {
		struct source_frame *frame = &output->frames[i];

		if (frame->address >= count || frame->function >= text_size || frame->file >= text_size)
			break;
		found->count = i + 1;
	}
	found->missing = done < count ? count - done : 0;
	found->split_units = results->split_units;
	found->split_problem = results->split_problem;
	found->split_path = results->split_path < text_size ? results->split_path : 0;
}

int source_frames_read(
	const struct source_file *file, const uint64_t *addresses, size_t count, struct source_frames *found)
{
	struct output output = { 0 };
	int code;

	memset(found, 0, sizeof(*found));
	if (count > ADDRESSES_MAX)
		return E2BIG;
	/* Some 2 GiB of text: offsets fit 32 bits. */
	size_t text_limit = TEXT_BESIDES + TEXT_EACH * count, frame_limit = FRAMES_BESIDES + FRAMES_EACH * count;
	found->memory_size = sizeof(struct results) + frame_limit * sizeof(struct source_frame) + text_limit;
	found->memory = mmap(
		0, found->memory_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (found->memory == MAP_FAILED) {
		found->memory = 0;
		return errno;
	}
	output.results = found->memory;
	output.frames = (struct source_frame *)(output.results + 1);
	output.text = (char *)(output.frames + frame_limit);
	*output.results = (struct results){
		.text_size = 1, .frame_limit = (uint32_t)frame_limit, .text_limit = (uint32_t)text_limit,
	};
	code = run_child(read_in_child, &(struct work){ file, addresses, count, &output });
	check(&output, count, found);
	return code;
}

void source_frames_free(struct source_frames *found)
{
	if (found->memory)
		munmap(found->memory, found->memory_size);
	found->memory = 0;
}
