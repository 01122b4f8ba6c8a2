/* A stack of known depth, and the registers of its innermost frame. */
#ifndef CFIC_CALL_CHAIN_H
#define CFIC_CALL_CHAIN_H

#include <stdint.h>

/*
 * Calls itself until `depth` frames of at most 128 bytes stand one on the other, then calls `innermost` with the registers
 * of the last one, by DWARF number, and its pc. The frames stand until `innermost` returns.
 */
void call_chain(int depth, void (*innermost)(void *context, const uint64_t *registers, uint64_t pc), void *context);

#endif
