/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cfic/names.h"

#define TEXT(code, name, text) case code: return text;
#define NAME(code, name, text) case code: return #name;

/* Defines the text and name functions of a list of X(code, NAME, "text"). */
#define NAMES(what, LIST)                                                                                    \
	const char *cfic_##what##_text(unsigned int code)                                                    \
	{                                                                                                    \
		switch (code) { LIST(TEXT) }                                                                 \
		return 0;                                                                                    \
	}                                                                                                    \
	const char *cfic_##what##_name(unsigned int code)                                                    \
	{                                                                                                    \
		switch (code) { LIST(NAME) }                                                                 \
		return 0;                                                                                    \
	}

NAMES(reason, CFIC_REASONS)
NAMES(step, CFIC_STEPS)
