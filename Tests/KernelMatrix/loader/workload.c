/*
 * Runs workloads, and the clock by which they are sampled.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "comparison.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PERIOD 4000000 /* ns: a deep stack can take an emulated processor several of them             */
#define CPUS_MAX 64

static struct bpf_link *clocks[CPUS_MAX];

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

void clocks_attach(struct bpf_object *object)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, OF_MACHINE("profile"));
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attributes), .config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = PERIOD,
	};

	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN) && cpu < CPUS_MAX && !clocks[cpu]; cpu++) {
		int event = syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

		CHECK(event >= 0, "no clock on CPU %d", cpu);
		clocks[cpu] = bpf_program__attach_perf_event(program, event);
		CHECK(clocks[cpu], "the program can't be attached");
	}
}

void clocks_detach(void)
{
	for (int cpu = 0; cpu < CPUS_MAX && clocks[cpu]; cpu++) {
		bpf_link__destroy(clocks[cpu]);
		clocks[cpu] = NULL;
	}
}

struct known_stack *map_known(const char *path)
{
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct known_stack *known;

	CHECK(file >= 0 && ftruncate(file, sizeof(*known)) == 0, "%s", path);
	known = mmap(NULL, sizeof(*known), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(known != MAP_FAILED, "%s", path);
	close(file);
	return known;
}

int workload_start(struct known_stack *known, const char *path, char **command)
{
	double deadline = now() + SECONDS;
	int process = fork();

	CHECK(process >= 0, "fork");
	if (process == 0) {
		char *words[16] = {command[0], (char *)path};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 1; command[i] && i + 2 < COUNT(words); i++)
			words[i + 1] = command[i];
		execv(words[0], words);
		printf("%s: %m\n", words[0]);
		_exit(1);
	}
	while (!known->ready) {
		CHECK(waitpid(process, NULL, WNOHANG) == 0 && now() < deadline, "%s does not get ready", command[0]);
		usleep(1000);
	}
	return process;
}

void workload_end(int process)
{
	kill(process, SIGKILL);
	waitpid(process, NULL, 0);
}
