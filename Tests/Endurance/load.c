/*
 * Load for a long recording of the whole machine: scripts/endurance.sh.
 *
 *     load start PROGRAM RATE          starts a program RATE times a second, or as often as the machine can
 *     load churn LIBRARY...            opens a library, calls it, closes it, then the next
 *     load call LIBRARY...             opens all libraries, and calls one after the other
 *     load replace TARGET RATE FILE... renames a new file over TARGET, RATE times a second: a copy of the next FILE, with
 *                                      a build id of its own
 *     load use TARGET                  opens what TARGET is now, and calls it and the files that it was before
 *     load keep COUNT PERIOD PROGRAM   keeps COUNT processes alive that run `PROGRAM PERIOD`
 *
 * Each writes how many times it did that to standard output, a line every second, until it gets SIGTERM or its parent ends.
 * Paths are relative.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t is_ending;

static void end(int signal)
{
	(void)signal;
	is_ending = 1;
}

static void fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void wait_until(double time)
{
	double left = time - now();

	if (left > 0)
		nanosleep(&(struct timespec){ (time_t)left, (long)((left - (time_t)left) * 1e9) }, 0);
}

static long count;

/* Counts, and writes the number every second. */
static void note(void)
{
	static double written;
	double time = now();

	count++;
	if (time < written + 1)
		return;
	written = time;
	printf("%ld\n", count);
	fflush(stdout);
}

static pid_t start(char *program, char *argument)
{
	char *words[] = { program, argument, 0 };
	pid_t process = vfork();

	if (process)
		return process;
	/* It survives the exec, but not a fork. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(program, words);
	_exit(127);
}

static void start_often(char *program, double rate)
{
	double begin = now();

	for (long turn = 0; !is_ending; turn++) {
		/* What the machine couldn't do isn't made up for in a burst. */
		double due = begin + turn / rate, late = now() - due;
		int status;
		pid_t process;

		if (late > 0.1)
			begin += late;
		wait_until(due);
		process = start(program, 0);
		if (process < 0)
			fail("vfork");
		while (waitpid(process, &status, 0) < 0 && errno == EINTR)
			;
		if (!WIFEXITED(status) || WEXITSTATUS(status)) {
			/* The signal may have been for both. */
			if (is_ending)
				break;
			fprintf(stderr, "load: %s ended with status %d\n", program, status);
			exit(1);
		}
		note();
	}
}

typedef int (*work_function)(int milliseconds);

static work_function work_of(void *library)
{
	return (work_function)dlsym(library, "work");
}

static void *open_library(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (library)
		return library;
	fprintf(stderr, "load: %s\n", dlerror());
	exit(1);
}

static void churn(char **libraries, int number)
{
	for (int turn = 0; !is_ending; turn++) {
		void *library = open_library(libraries[turn % number]);

		work_of(library)(1);
		dlclose(library);
		note();
	}
}

static void call(char **paths, int number)
{
	void **libraries = calloc(number, sizeof(*libraries));

	if (!libraries)
		fail("calloc");
	for (int i = 0; i < number; i++)
		libraries[i] = open_library(paths[i]);
	for (int turn = 0; !is_ending; turn++) {
		work_of(libraries[turn % number])(1);
		note();
		usleep(1000);
	}
}

/* Gives an ELF file in memory another build id. */
static void renumber(unsigned char *file, size_t size, unsigned long number)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)file;
	Elf64_Phdr *segments = (Elf64_Phdr *)(file + header->e_phoff);

	if (size < sizeof(*header) || header->e_phoff + header->e_phnum * sizeof(*segments) > size)
		return;
	for (int i = 0; i < header->e_phnum; i++) {
		size_t offset = segments[i].p_offset, limit = offset + segments[i].p_filesz;

		while (segments[i].p_type == PT_NOTE && offset + sizeof(Elf64_Nhdr) < limit && limit <= size) {
			Elf64_Nhdr *note = (Elf64_Nhdr *)(file + offset);
			size_t contents = offset + sizeof(*note) + ((note->n_namesz + 3) & ~3u);

			if (note->n_type == NT_GNU_BUILD_ID && note->n_descsz >= 8 && contents + 8 <= limit)
				memcpy(file + contents, &number, 8);
			offset = contents + ((note->n_descsz + 3) & ~3u);
		}
	}
}

/* Writes a copy of a file beside the target, and renames it over the target. */
static void replace_once(const char *target, const char *source, unsigned long number)
{
	char new_file[4096];
	struct stat status;
	unsigned char *bytes;
	int from = open(source, O_RDONLY | O_CLOEXEC), to;

	if (from < 0 || fstat(from, &status))
		fail(source);
	bytes = mmap(0, status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, from, 0);
	if (bytes == MAP_FAILED)
		fail(source);
	renumber(bytes, status.st_size, number);
	snprintf(new_file, sizeof(new_file), "%s.new", target);
	to = open(new_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (to < 0 || write(to, bytes, status.st_size) != status.st_size || close(to) || rename(new_file, target))
		fail(target);
	munmap(bytes, status.st_size);
	close(from);
}

static void replace(const char *target, double rate, char **sources, int number)
{
	double begin = now();
	unsigned long id = (unsigned long)time(0) << 32;

	for (long turn = 0; !is_ending; turn++) {
		wait_until(begin + turn / rate);
		replace_once(target, sources[turn % number], id + turn);
		note();
	}
}

#define OLD_LIBRARIES 4

/*
 * Opens what a relative path leads to now. The dynamic linker opens no file whose name it has already, so each time the name
 * is another one.
 */
static void *open_current(const char *target)
{
	static int number;
	char name[4096] = "";

	for (int i = 0; i < number; i++)
		strcat(name, "./");
	number = (number + 1) % (2 * OLD_LIBRARIES);
	return open_library(strcat(name, target));
}

static void use(const char *target)
{
	void *libraries[OLD_LIBRARIES] = { 0 };
	ino_t inode = 0;

	while (!is_ending) {
		struct stat status;

		if (!stat(target, &status) && status.st_ino != inode) {
			inode = status.st_ino;
			if (libraries[0])
				dlclose(libraries[0]);
			memmove(libraries, libraries + 1, sizeof(libraries) - sizeof(*libraries));
			libraries[OLD_LIBRARIES - 1] = open_current(target);
			note();
		}
		for (int i = 0; i < OLD_LIBRARIES; i++)
			if (libraries[i])
				work_of(libraries[i])(2);
		usleep(10000);
	}
}

static void keep(long number, char *period, char *program)
{
	pid_t *processes = calloc(number, sizeof(*processes));
	long alive = 0;

	if (!processes)
		fail("calloc");
	while (alive < number && !is_ending) {
		processes[alive] = start(program, period);
		/* The machine has no room for more. */
		if (processes[alive] < 0)
			break;
		alive++;
		note();
	}
	printf("%ld\n", alive);
	fflush(stdout);
	while (!is_ending)
		pause();
	for (long i = 0; i < alive; i++)
		kill(processes[i], SIGKILL);
	while (wait(0) > 0 || errno == EINTR)
		;
}

int main(int number, char **words)
{
	const char *load = number > 2 ? words[1] : "";
	sigset_t none;

	/* Whoever starts this may have blocked signals. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* Without SA_RESTART, so that nothing goes on waiting. */
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = end }, 0);
	if (!strcmp(load, "start") && number == 4)
		start_often(words[2], atof(words[3]));
	else if (!strcmp(load, "churn"))
		churn(words + 2, number - 2);
	else if (!strcmp(load, "call"))
		call(words + 2, number - 2);
	else if (!strcmp(load, "replace") && number > 4)
		replace(words[2], atof(words[3]), words + 4, number - 4);
	else if (!strcmp(load, "use"))
		use(words[2]);
	else if (!strcmp(load, "keep") && number == 5)
		keep(atol(words[2]), words[3], words[4]);
	else
		return 64;
	printf("%ld\n", count);
	return 0;
}
