/*
 * Walks the loader's own stack with a BPF program that runs in its thread, and compares the frames with the expected
 * ones.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define _GNU_SOURCE
#include "loader.h"

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define DEPTH 40
#define WALKS 16
#define MAPPINGS_MAX 64

struct walk {
	struct cfic_batch *batch;
	int program;
	__u64 returns[DEPTH + 2]; /* return addresses, outermost first                                  */
	__u32 count;
	/* The registers from which the stack is walked. */
	ucontext_t context;
};

/* Registers by DWARF number. */
static void take_registers(struct cfic_batch *batch, const mcontext_t *from)
{
#if defined(__x86_64__)
	static const int numbers[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
				      REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

	for (size_t i = 0; i < COUNT(numbers); i++)
		batch->registers[i] = from->gregs[numbers[i]];
	batch->pc = from->gregs[REG_RIP];
#else
	for (size_t i = 0; i < COUNT(from->regs); i++)
		batch->registers[i] = from->regs[i];
	batch->registers[31] = from->sp;
	batch->pc = from->pc;
#endif
}

__attribute__((noinline, noipa)) static int run(struct walk *walk)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	volatile int done = 0;

	walk->returns[walk->count++] = (__u64)__builtin_return_address(0);
	/* The pc is here, and the only call below is the one that runs the BPF program, so the frame doesn't change. */
	getcontext(&walk->context);
	take_registers(walk->batch, &walk->context.uc_mcontext);
	done = bpf_prog_test_run_opts(walk->program, &options) == 0 && options.retval == 0;
	CHECK(done, "walk_stack can't be run");
	return done;
}

__attribute__((noinline, noipa)) static int descend(struct walk *walk, int depth)
{
	walk->returns[walk->count++] = (__u64)__builtin_return_address(0);
	return depth > 0 ? descend(walk, depth - 1) + 1 : run(walk) + 1;
}

int walks_compare(struct bpf_object *object, const char *directory)
{
	static struct walk walk;
	static struct mapping mappings[MAPPINGS_MAX];
	struct cfic_batch *batch = object_batch(object);
	unsigned long different = 0;

	walk.batch = batch;
	walk.program = object_program(object, OF_MACHINE("walk_stack"));
	batch->process = getpid();
	batch->count = WALKS;
	process_add(object, getpid(), mappings, mappings_read(getpid(), directory, mappings, MAPPINGS_MAX));
	descend(&walk, DEPTH);
	process_remove(object, getpid());
	for (__u32 i = 0; i < walk.count; i++)
		different += batch->frames[i + 1] != walk.returns[walk.count - 1 - i];
	different += batch->sample.user_count < walk.count + 2
		|| !cfic_is_complete(batch->sample.end, batch->sample.guessed_count);
	printf("walks own frames %u different %lu end %u\n", batch->sample.user_count, different, batch->sample.end);
	return different != 0;
}
