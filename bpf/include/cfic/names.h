/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef CFIC_NAMES_H
#define CFIC_NAMES_H

#include "reasons.h"
#include "steps.h"

/* A reason as text for people; null for an unknown code. */
const char *cfic_reason_text(unsigned int reason);
/* Its name in CFIC_REASONS; null for an unknown code. */
const char *cfic_reason_name(unsigned int reason);

/* The same for the end of a step, in CFIC_STEPS. */
const char *cfic_step_text(unsigned int step);
const char *cfic_step_name(unsigned int step);

#endif
