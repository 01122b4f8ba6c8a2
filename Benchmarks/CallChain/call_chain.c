#include "call_chain.h"

/* The rules of such a chain read only the stack pointer, the frame pointer and the pc. */
#if defined(__x86_64__)
#define STACK_POINTER 7
#define FRAME_POINTER 6
#define READ_REGISTERS(sp, fp, pc) \
	__asm__ volatile("movq %%rsp, %0\n\tmovq %%rbp, %1\n\tleaq 0(%%rip), %2" : "=r"(sp), "=r"(fp), "=r"(pc))
#elif defined(__aarch64__)
#define STACK_POINTER 31
#define FRAME_POINTER 29
#define READ_REGISTERS(sp, fp, pc) \
	__asm__ volatile("mov %0, sp\n\tmov %1, x29\n\tadr %2, ." : "=r"(sp), "=r"(fp), "=r"(pc))
#endif

static volatile int returned;

__attribute__((noinline, optnone)) void call_chain(
	int depth, void (*innermost)(void *context, const uint64_t *registers, uint64_t pc), void *context)
{
	if (depth > 1) {
		call_chain(depth - 1, innermost, context);
	} else {
		static uint64_t registers[32];
		uint64_t sp, fp, pc;

		READ_REGISTERS(sp, fp, pc);
		registers[STACK_POINTER] = sp;
		registers[FRAME_POINTER] = fp;
		innermost(context, registers, pc);
	}
	/* Prevents a tail call. */
	returned++;
}
