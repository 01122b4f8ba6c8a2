/*
 * Loads the BPF programs of this machine, and prints how many instructions the kernel processed to verify each.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "loader.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* The kernel's BPF_LOG_STATS: statistics and the error. A full log would take minutes here. */
#define LOG_STATISTICS 4
#define LOG_SIZE (1 << 20)
/* The ring buffer of snapshots: room for some dozens. */
#define SNAPSHOT_BYTES (1 << 22)

static const char *const programs[] = {OF_MACHINE("profile"), OF_MACHINE("look_up"), OF_MACHINE("walk_stack"),
	OF_MACHINE("off_cpu"), OF_MACHINE("tracepoint"), "follow_fork", "follow_exec"};
static char logs[COUNT(programs)][LOG_SIZE];

/* The mask for the address in a signed return address. */
static __u64 address_bits(void)
{
#ifdef __aarch64__
	/* Bit 55 distinguishes user from kernel addresses. xpaclri is a no-op on processors without signing. */
	const __u64 ones = ~(1ull << 55);
	register __u64 lr __asm__("x30") = ones;

	__asm__ volatile("hint #7" : "+r"(lr));
	return lr == ones ? ~0ull : lr;
#else
	return ~0ull;
#endif
}

static void set(struct bpf_object *object, int everyone)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.settings");
	struct bpf_map *snapshots = bpf_object__find_map_by_name(object, "snapshots");
	struct bpf_map *recent = bpf_object__find_map_by_name(object, "recent_rules");
	struct cfic_settings settings = {
		.address_bits = address_bits(),
		.frames_max = CFIC_FRAMES_MAX,
		.kernel_frames = 1,
		.kernel_stack = sysconf(_SC_PAGESIZE) > 16384 ? sysconf(_SC_PAGESIZE) : 16384,
		.follow = everyone,
		.everyone = everyone,
		.snapshot_every = !everyone,
		.snapshot_ends = everyone ? 1u << CFIC_STEP_NO_PROCESS : 0,
	};

	CHECK(map && bpf_map__set_initial_value(map, &settings, sizeof(settings)) == 0, "settings");
	CHECK(recent && bpf_map__set_max_entries(recent, libbpf_num_possible_cpus()) == 0, "recent rules");
	CHECK(snapshots && bpf_map__set_max_entries(snapshots, SNAPSHOT_BYTES) == 0, "snapshots");
	printf("address-bits %llx\n", settings.address_bits);
}

struct bpf_object *object_load(const char *path, int everyone)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct rlimit locked;
	int loaded;

	CHECK(object, "%s can't be opened", path);
	/* The other machine's are not loaded, because of the "?" in their sections' names. */
	for (size_t i = 0; i < COUNT(programs); i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object, programs[i]);

		CHECK(program, "%s has no %s", path, programs[i]);
		CHECK(bpf_program__set_autoload(program, true) == 0
			&& bpf_program__set_log_level(program, LOG_STATISTICS) == 0
			&& bpf_program__set_log_buf(program, logs[i], LOG_SIZE) == 0, "%s", programs[i]);
	}
	set(object, everyone);
	/* Before Linux 5.11, maps count towards this limit, and libbpf raises it. */
	getrlimit(RLIMIT_MEMLOCK, &locked);
	printf("memlock %lu\n", (unsigned long)locked.rlim_cur);
	loaded = bpf_object__load(object);
	for (size_t i = 0; i < COUNT(programs); i++) {
		const char *processed = strstr(logs[i], "processed ");

		if (processed)
			printf("verifier %s %lu\n", programs[i], strtoul(processed + strlen("processed "), NULL, 10));
		else
			printf("%s: %s\n", programs[i], logs[i]);
		if (loaded != 0 && strstr(logs[i], "\n") != NULL)
			printf("%s\n", logs[i]);
	}
	CHECK(loaded == 0, "%s can't be loaded", path);
	return object;
}

int object_map(struct bpf_object *object, const char *name)
{
	int map = bpf_object__find_map_fd_by_name(object, name);

	CHECK(map >= 0, "no map %s", name);
	return map;
}

int object_program(struct bpf_object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	CHECK(program, "no program %s", name);
	return bpf_program__fd(program);
}

struct cfic_batch *object_batch(struct bpf_object *object)
{
	static struct cfic_batch *batch;
	size_t page = sysconf(_SC_PAGESIZE), size = (sizeof(*batch) + page - 1) / page * page;

	if (!batch) {
		batch = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, object_map(object, "batches"), 0);
		CHECK(batch != MAP_FAILED, "the batch can't be mapped");
	}
	return batch;
}

int object_try(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	int loaded;

	CHECK(object, "%s can't be opened", path);
	bpf_object__for_each_program(program, object) {
		bpf_program__set_log_level(program, LOG_STATISTICS);
		bpf_program__set_log_buf(program, logs[0], LOG_SIZE);
	}
	loaded = bpf_object__load(object);
	printf("%s", logs[0]);
	return loaded;
}
