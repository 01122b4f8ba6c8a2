/* A stack of known depth, and the registers of its innermost frame. */
#ifndef CFIC_CALL_CHAIN_H
#define CFIC_CALL_CHAIN_H

#include <stdint.h>

/*
 * Calls itself until the stack has `depth` of its frames, each of at most 128 bytes, then calls `innermost` with the
 * last frame's registers, by DWARF number, and its pc. The frames exist until `innermost` returns.
 */
void call_chain(int depth, void (*innermost)(void *context, const uint64_t *registers, uint64_t pc), void *context);

#endif
