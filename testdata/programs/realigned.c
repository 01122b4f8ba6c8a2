/*
 * Makes a stack of functions that align it to 32 or 64 bytes: with arguments on the stack, so that its former top is
 * kept in a register and in the frame, where the CFA is found by an expression; with alloca besides; and plainly.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <alloca.h>
#include <immintrin.h>
#include "stop.h"

static long next(long depth);

OWN_FRAME long plainly(long depth)
{
	_Alignas(64) char bytes[100];
	USE(bytes);
	long result = next(depth - 1);
	USE(bytes);
	return result + bytes[0];
}

OWN_FRAME long with_arguments(long a, long b, long c, long d, long e, long f, long g, long depth)
{
	_Alignas(64) char bytes[64];
	USE(bytes);
	long result = next(depth - 1);
	USE(bytes);
	return result + a * 3 + b * 5 + c * 7 + d * 11 + e * 13 + f * 17 + g + bytes[1];
}

OWN_FRAME long with_alloca(long depth)
{
	_Alignas(32) char bytes[32];
	char *more = alloca(depth * 16 + 1);
	USE(bytes);
	USE(more);
	long result = next(depth - 1);
	USE(more);
	return result + bytes[depth % 32] + more[depth];
}

__attribute__((target("avx2"))) OWN_FRAME long with_vectors(long depth, const __m256i *vectors)
{
	__m256i kept = vectors[0];
	__m256i more = vectors[1];
	char *bytes = alloca(depth * 8 + 1);
	USE(&kept);
	USE(&more);
	USE(bytes);
	long result = next(depth - 1);
	USE(&kept);
	USE(&more);
	kept = _mm256_add_epi64(kept, more);
	return result + _mm256_extract_epi64(kept, 0) + bytes[depth];
}

OWN_FRAME static long next(long depth)
{
	_Alignas(32) char vectors[64];
	long result = 0;
	USE(vectors);
	if (depth <= 0)
		stop_here();
	else if (depth % 4 == 0)
		result = plainly(depth);
	else if (depth % 4 == 1)
		result = with_arguments(1, 2, 3, 4, 5, 6, 7, depth);
	else if (depth % 4 == 2 || !__builtin_cpu_supports("avx2"))
		result = with_alloca(depth);
	else
		result = with_vectors(depth, (const __m256i *)vectors);
	USE(vectors);
	return result;
}

int main(void)
{
	return (int)next(40) & 1;
}
