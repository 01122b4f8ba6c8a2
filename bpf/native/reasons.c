/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cfic/names.h"

const char *cfic_reason_text(unsigned int reason)
{
	switch (reason) {
#define CFIC_TEXT(code, name, text) case code: return text;
	CFIC_REASONS(CFIC_TEXT)
#undef CFIC_TEXT
	}
	return 0;
}

const char *cfic_reason_name(unsigned int reason)
{
	switch (reason) {
#define CFIC_NAME(code, name, text) case code: return #name;
	CFIC_REASONS(CFIC_NAME)
#undef CFIC_NAME
	}
	return 0;
}
