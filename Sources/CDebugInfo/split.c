#define _GNU_SOURCE
#include "walk.h"

#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int open_regular(const char *path)
{
	struct stat status;
	int file;

	if (stat(path, &status) != 0)
		return -1;
	if (!S_ISREG(status.st_mode)) {
		errno = ENODEV;
		return -1;
	}
	file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file >= 0 && (fstat(file, &status) != 0 || !S_ISREG(status.st_mode))) {
		close(file);
		errno = ENODEV;
		return -1;
	}
	return file;
}

/* Libdw may have so many files open. */
static int allow_files(rlim_t count)
{
	struct rlimit limit = { count, FILES_MAX };

	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/* As FileWriters.areOthers, of which this is a copy for children. */
static int others_may_write(int file, uid_t user)
{
	struct stat status;
	struct statvfs system;

	if (fstat(file, &status) != 0 || fstatvfs(file, &system) != 0)
		return 1;
	return (status.st_uid != 0 && status.st_uid != user) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
	       (system.f_flag & ST_NOSUID) != 0;
}

/* Why a file must not be read: a `split_problem`; 0 if it may be. */
static int problem_of(const char *path, const struct split_files *files)
{
	int file = open_regular(path), problem;

	if (file < 0)
		return errno == ENODEV ? SPLIT_IS_SPECIAL : errno;
	problem = !files->others_may_write && others_may_write(file, files->user) ? SPLIT_IS_WRITABLE : 0;
	close(file);
	return problem;
}

/* The path need not stay: of the first problem alone it is kept. */
static void note(struct output *output, int problem, const char *path)
{
	struct results *results = output->results;

	if (results->split_units == 0) {
		results->split_problem = problem;
		results->split_path = output_string(output, path);
	}
	results->split_units++;
}

static const char *text(Dwarf_Die *unit, unsigned int name)
{
	Dwarf_Attribute attribute;

	return dwarf_attr(unit, name, &attribute) ? dwarf_formstring(&attribute) : 0;
}

/* The paths at which libdw looks for a unit's DWARF: those of a package, and of files for single units. */
struct candidates {
	char paths[3][PATH_MAX];
	int count;
	/* Whether the first one is a package. */
	int has_package;
};

/* Nothing can be opened at a path that is too long. */
static void add(struct candidates *candidates, const char *format, ...)
{
	char *path = candidates->paths[candidates->count];
	va_list values;
	int length;

	va_start(values, format);
	length = vsnprintf(path, PATH_MAX, format, values);
	va_end(values);
	candidates->count += length > 0 && length < PATH_MAX;
}

/*
 * Beside the file, then from where it was compiled: __libdw_find_split_unit and __libdw_filepath in elfutils, which from version
 * 0.191 on first tries a package.
 */
static void find_candidates(struct candidates *candidates, const struct split_files *files, Dwarf_Die *unit)
{
	const char *name = text(unit, DW_AT_dwo_name), *compiled = text(unit, DW_AT_comp_dir);
	const char *slash = strrchr(files->path, '/');
	int length = slash ? (int)(slash - files->path) : 0;

	if (slash)
		add(candidates, "%s.dwp", files->path);
	candidates->has_package = candidates->count;
	if (!name)
		name = text(unit, DW_AT_GNU_dwo_name);
	if (!name)
		return;
	if (name[0] == '/') {
		add(candidates, "%s", name);
		return;
	}
	if (slash)
		add(candidates, "%.*s/%s", length, files->path, name);
	if (compiled && compiled[0] == '/')
		add(candidates, "%s/%s", compiled, name);
	else if (compiled && slash)
		add(candidates, "%.*s/%s/%s", length, files->path, compiled, name);
}

/*
 * Whether libdw may look for a unit's DWARF: some of the files are there, and none is dangerous. Otherwise the reason is noted.
 * `found` is the last of them.
 */
static int may_look(
	const struct split_files *files, const struct candidates *candidates, int *found, struct output *output)
{
	const char *last = candidates->count ? candidates->paths[candidates->count - 1] : "";
	int problem;

	*found = -1;
	for (int i = 0; i < candidates->count; i++) {
		problem = problem_of(candidates->paths[i], files);
		if (problem == ENOENT || problem == ENOTDIR)
			continue;
		if (problem) {
			note(output, problem, candidates->paths[i]);
			return 0;
		}
		*found = i;
	}
	if (*found < 0)
		note(output, ENOENT, last);
	return *found >= 0;
}

/* Has libdw look for a unit's DWARF. */
static int look(const struct split_files *files, Dwarf_Die *unit, Dwarf_Die *functions, struct output *output)
{
	struct candidates candidates = { .count = 0 };
	int found;

	find_candidates(&candidates, files, unit);
	if (!may_look(files, &candidates, &found, output))
		return 0;
	/* It reads what it needs, and closes the file. */
	if (dwarf_cu_info(unit->cu, 0, 0, 0, functions, 0, 0, 0) == 0 && functions->cu)
		return 1;
	note(output, found < candidates.has_package ? SPLIT_IS_PACKAGE : SPLIT_IS_OTHER, candidates.paths[found]);
	return 0;
}

int find_functions(const struct split_files *files, Dwarf_Die *unit, Dwarf_Die *functions, struct output *output)
{
	uint8_t type;
	int is_found;

	*functions = *unit;
	if (dwarf_cu_info(unit->cu, 0, &type, 0, 0, 0, 0, 0) != 0 || type != DW_UT_skeleton)
		return 1;
	if (files->is_off || !allow_files(FILES_MAX)) {
		note(output, EPERM, "");
		return 0;
	}
	is_found = look(files, unit, functions, output);
	if (!allow_files(0))
		_exit(1);
	return is_found;
}
