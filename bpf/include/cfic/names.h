/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef CFIC_NAMES_H
#define CFIC_NAMES_H

#include "reasons.h"
#include "steps.h"

/* What a reason means, in words; null for a code that is not one. */
const char *cfic_reason_text(unsigned int reason);
/* Its name in CFIC_REASONS; null for a code that is not one. */
const char *cfic_reason_name(unsigned int reason);

/* The same of how a step ended, in CFIC_STEPS. */
const char *cfic_step_text(unsigned int step);
const char *cfic_step_name(unsigned int step);

#endif
