/*
 * What the programs have in common: the function that they are stopped in, and how a call keeps a frame of its own.
 *
 * With SPIN_AT=n the nth call of that function never returns, so that the stack can be sampled while it is on CPU.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#pragma once

/* Nothing is inlined, cloned or merged, and nothing is known about what a call does. */
#if defined(__clang__)
#define OWN_FRAME __attribute__((noinline))
#else
#define OWN_FRAME __attribute__((noinline, noipa))
#endif

/* Code behind a call, so that it isn't a jump. */
#define NO_TAIL_CALL __asm__ volatile("" ::: "memory")

/* Hands memory to code that the compiler doesn't see. */
#define USE(pointer) __asm__ volatile("" :: "r"(pointer) : "memory")

#ifdef __cplusplus
extern "C"
#endif
OWN_FRAME __attribute__((used)) void stop_here(void)
{
	__asm__ volatile("nop");
#ifdef SPIN_AT
	static volatile int calls;
	if (++calls == SPIN_AT) {
		for (;;)
			__asm__ volatile("nop");
	}
#endif
}
