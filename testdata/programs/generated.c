/*
 * Runs code that it generates, and names it in /tmp/perf-PID.map as just-in-time compilers do. It says when it has.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* push %rbp; mov %rsp,%rbp; 1: dec %edi; jnz 1b; pop %rbp; ret */
static const unsigned char loop[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xcf, 0x75, 0xfc, 0x5d, 0xc3 };

int main(void)
{
	char name[64];
	unsigned char *code = mmap(0, 1 << 16, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	FILE *map;

	snprintf(name, sizeof(name), "/tmp/perf-%d.map", getpid());
	map = fopen(name, "w");
	if (code == MAP_FAILED || !map)
		return 1;
	memcpy(code, loop, sizeof(loop));
	memcpy(code + 4096, loop, sizeof(loop));
	/* Both were there before, and the second was elsewhere. */
	fprintf(map, "%lx 2000 Interpreter\n", (unsigned long)code);
	fprintf(map, "%lx %zx JS:*first /app/main.js:1:1\n", (unsigned long)code, sizeof(loop));
	fprintf(map, "%lx %zx second;\x1b[1m\n", (unsigned long)code + 8192, sizeof(loop));
	fprintf(map, "%lx %zx second;\x1b[1m\n", (unsigned long)code + 4096, sizeof(loop));
	fclose(map);
	if (write(1, "ready\n", 6) != 6)
		return 1;
	for (;;) {
		((void (*)(int))code)(1000000);
		((void (*)(int))(code + 4096))(1000000);
	}
}
