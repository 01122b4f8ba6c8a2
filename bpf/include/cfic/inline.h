/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef CFIC_INLINE_H
#define CFIC_INLINE_H

/* How the functions of these headers are inlined. A BPF program may define it first. */
#ifndef CFIC_INLINE
#define CFIC_INLINE static inline __attribute__((always_inline))
#endif

#endif
