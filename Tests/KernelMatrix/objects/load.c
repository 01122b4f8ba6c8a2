/*
 * load OBJECT...: loads objects with libbpf's defaults, each in a process of its own, and attaches those named
 * attach-…. Prints a line for each: "object NAME loaded", or "object NAME refused" and the last message.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sections that libbpf 1.1, which this is linked with, doesn't support, with their numbers in enum bpf_attach_type. */
static const struct {
	const char *section;
	enum bpf_prog_type type;
	int attach;
} newer[] = {
	{"uprobe.multi+", BPF_PROG_TYPE_KPROBE, 48},
	{"tcx/ingress", BPF_PROG_TYPE_SCHED_CLS, 46},
	{"netfilter", 32, 45},
	{"cgroup/connect_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 49},
};

/*
 * The last message that isn't a summary. In the verifier's log that is the line before its statistics and before the
 * indented advice of newer kernels.
 */
static char said[512];

static int keep(enum libbpf_print_level level, const char *format, va_list arguments)
{
	static char text[1 << 20];
	char *line, *rest = text;

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (!*line || *line == ' ' || strstr(line, "LOG --") || strstr(line, "processed ") ||
		    strstr(line, "failed to load") || strstr(line, "verification time") || strstr(line, "stack depth"))
			continue;
		snprintf(said, sizeof(said), "%s", line);
	}
	return 0;
}

static void register_newer(void)
{
	for (size_t i = 0; i < sizeof(newer) / sizeof(newer[0]); i++)
		libbpf_register_prog_handler(newer[i].section, newer[i].type, newer[i].attach, NULL);
}

/* Loads an object; 0 if the kernel accepts it. */
static int try(const char *path, int attaches)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;

	if (!object || bpf_object__load(object) != 0)
		return 1;
	if (!attaches)
		return 0;
	bpf_object__for_each_program(program, object) {
		if (!bpf_program__attach(program))
			return 1;
	}
	return 0;
}

int main(int count, char **words)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	register_newer();
	for (int i = 1; i < count; i++) {
		const char *name = strrchr(words[i], '/') ? strrchr(words[i], '/') + 1 : words[i];
		int length = strlen(name) - (sizeof(".bpf.o") - 1), status;

		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			libbpf_set_print(keep);
			int refused = try(words[i], strncmp(name, "attach-", 7) == 0);
			printf("object %.*s %s %s\n", length, name, refused ? "refused" : "loaded", refused ? said : "");
			fflush(stdout);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
			printf("object %.*s broken %d\n", length, name, status);
	}
	return 0;
}
