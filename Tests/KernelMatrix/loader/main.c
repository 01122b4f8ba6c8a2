/*
 *     loader try OBJECT                        loads an object unchanged, and prints the kernel's messages
 *     loader lookups OBJECT TABLE...           compares lookups in the kernel with those of bpf/native
 *     loader stacks OBJECT TABLES WORKLOADS    compares samples of workloads with the workloads' descriptions of their
 *                                              stacks, and walks of its own stack with the expected frames; WORKLOADS
 *                                              has a name and a command per line, TABLES is a cache of `cfic compile`
 *     loader waits OBJECT TABLES NAME COMMAND... the same for the waits of one workload
 *     loader everyone OBJECT TABLES NAME COMMAND... the same while all processes are sampled
 *     loader vdso                              prints the vDSO in base64
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "loader.h"

#include <elf.h>
#include <string.h>
#include <sys/auxv.h>

static int compare_lookups(int count, char **words)
{
	struct bpf_object *object = object_load(words[0], 0);
	int failed = 0;

	elements_begin(object);
	for (int i = 1; i < count; i++)
		failed |= lookups_compare(object, words[i]) != 0;
	return failed;
}

static int compare_stacks(char **words)
{
	struct bpf_object *object = object_load(words[0], 0);
	FILE *workloads = fopen(words[2], "re");
	char line[512];
	int failed = 0;

	CHECK(workloads, "%s can't be opened", words[2]);
	elements_begin(object);
	failed |= walks_compare(object, words[1]);
	while (fgets(line, sizeof(line), workloads)) {
		char *command[16] = {0}, *name = strtok(line, " \n");

		for (size_t i = 0; i + 1 < COUNT(command) && (command[i] = strtok(NULL, " \n")) != NULL; i++)
			;
		failed |= samples_compare(object, words[1], name, command);
	}
	fclose(workloads);
	return failed;
}

static int compare_waits(char **words)
{
	struct bpf_object *object = object_load(words[0], 0);

	elements_begin(object);
	return waits_compare(object, words[1], words[2], words + 3);
}

static int compare_everyone(char **words)
{
	struct bpf_object *object = object_load(words[0], 1);

	elements_begin(object);
	return everyone_compare(object, words[1], words[2], words + 3);
}

/* The vDSO ends with its section headers, which give its size. */
static int print_vdso(void)
{
	const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = (const void *)vdso;
	FILE *output = popen("base64", "w");

	CHECK(header && output, "no vDSO");
	fwrite(vdso, header->e_shoff + header->e_shnum * sizeof(Elf64_Shdr), 1, output);
	return pclose(output);
}

int main(int count, char **words)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (count == 3 && strcmp(words[1], "try") == 0)
		return object_try(words[2]) != 0;
	if (count > 3 && strcmp(words[1], "lookups") == 0)
		return compare_lookups(count - 2, words + 2);
	if (count == 5 && strcmp(words[1], "stacks") == 0)
		return compare_stacks(words + 2);
	if (count > 5 && strcmp(words[1], "waits") == 0)
		return compare_waits(words + 2);
	if (count > 5 && strcmp(words[1], "everyone") == 0)
		return compare_everyone(words + 2);
	if (count == 2 && strcmp(words[1], "vdso") == 0)
		return print_vdso();
	fprintf(stderr, "usage: loader try|lookups|stacks|waits|everyone|vdso ...\n");
	return 64;
}
