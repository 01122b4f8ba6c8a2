/* Two frames of together more than 512 bytes. */
#include "object.h"

static __noinline int inner(int value)
{
	asm volatile("r1 = 0; *(u64 *)(r10 - 304) = r1" ::: "r1", "memory");
	return value + any();
}

PROGRAM("socket", asm volatile("r1 = 0; *(u64 *)(r10 - 304) = r1" ::: "r1", "memory"); return inner(any()))
