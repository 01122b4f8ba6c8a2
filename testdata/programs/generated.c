/*
 * Runs code that it generates, and names it as just-in-time compilers do: in /tmp/perf-PID.map or, if a directory is given, in
 * jit-PID.dump there. It says when it has.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* push %rbp; mov %rsp,%rbp; 1: dec %edi; jnz 1b; pop %rbp; ret */
static const unsigned char loop[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xcf, 0x75, 0xfc, 0x5d, 0xc3 };

static int write_map(const unsigned char *code)
{
	char name[64];
	FILE *map;

	snprintf(name, sizeof(name), "/tmp/perf-%d.map", getpid());
	map = fopen(name, "w");
	if (!map)
		return 0;
	/* Both were there before, and the second was elsewhere. */
	fprintf(map, "%lx 2000 Interpreter\n", (unsigned long)code);
	fprintf(map, "%lx %zx JS:*first /app/main.js:1:1\n", (unsigned long)code, sizeof(loop));
	fprintf(map, "%lx %zx second;\x1b[1m\n", (unsigned long)code + 8192, sizeof(loop));
	fprintf(map, "%lx %zx second;\x1b[1m\n", (unsigned long)code + 4096, sizeof(loop));
	return fclose(map) == 0;
}

static void write_load(FILE *dump, const unsigned char *at, uint64_t index, const char *name)
{
	struct {
		uint32_t id, size;
		uint64_t time;
		uint32_t process, thread;
		uint64_t vma, address, code_size, index;
	} load = {
		0, (uint32_t)(sizeof(load) + strlen(name) + 1 + sizeof(loop)), index, (uint32_t)getpid(), (uint32_t)getpid(),
		(uintptr_t)at, (uintptr_t)at, sizeof(loop), index,
	};

	fwrite(&load, sizeof(load), 1, dump);
	fwrite(name, strlen(name) + 1, 1, dump);
	fwrite(loop, sizeof(loop), 1, dump);
}

static int write_dump(const char *directory, const unsigned char *code)
{
	struct {
		uint32_t magic, version, size, machine, pad, process;
		uint64_t time, flags;
	} header = { 0x4a695444, 1, sizeof(header), 62, 0, (uint32_t)getpid(), 0, 0 };
	struct {
		uint32_t id, size;
		uint64_t time;
		uint32_t process, thread;
		uint64_t vma, from, to, code_size, index;
	} move = {
		1, sizeof(move), 4, (uint32_t)getpid(), (uint32_t)getpid(), (uintptr_t)code + 4096, (uintptr_t)code + 8192,
		(uintptr_t)code + 4096, sizeof(loop), 2,
	};
	char name[4096];
	FILE *dump;

	snprintf(name, sizeof(name), "%s/jit-%d.dump", directory, getpid());
	dump = fopen(name, "w+");
	if (!dump)
		return 0;
	fwrite(&header, sizeof(header), 1, dump);
	write_load(dump, code, 1, "Interpreter");
	write_load(dump, code + 8192, 2, "second;\x1b[1m");
	write_load(dump, code, 3, "JS:*first /app/main.js:1:1");
	fwrite(&move, sizeof(move), 1, dump);
	fflush(dump);
	return mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(dump), 0) != MAP_FAILED;
}

int main(int count, char **words)
{
	unsigned char *code = mmap(0, 1 << 16, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (code == MAP_FAILED)
		return 1;
	memcpy(code, loop, sizeof(loop));
	memcpy(code + 4096, loop, sizeof(loop));
	if (!(count > 1 ? write_dump(words[1], code) : write_map(code)) || write(1, "ready\n", 6) != 6)
		return 1;
	for (;;) {
		((void (*)(int))code)(1000000);
		((void (*)(int))(code + 4096))(1000000);
	}
}
