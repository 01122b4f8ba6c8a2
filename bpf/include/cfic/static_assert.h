/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef CFIC_STATIC_ASSERT_H
#define CFIC_STATIC_ASSERT_H

/* C and C++ have different names for it. */
#ifdef __cplusplus
#define CFIC_STATIC_ASSERT static_assert
#else
#define CFIC_STATIC_ASSERT _Static_assert
#endif

#endif
