/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <elf.h>

#include "cfic/native.h"

#define CFIC_READ(reader, to, size, address) \
	(((struct cfic_reader *)(reader))->read(((struct cfic_reader *)(reader))->context, (to), (size), (address)))

static const struct cfic_op *operation(const struct cfic_reader *reader, __u32 index)
{
	return index < reader->operation_count ? reader->operations + index : 0;
}
#define CFIC_OPERATION(reader, index) operation((const struct cfic_reader *)(reader), (index))

#include "cfic/step.h"

enum cfic_step cfic_native_unwind(
	struct cfic_reader *reader, struct cfic_frame *frame, const struct cfic_rule *rule, __u32 machine)
{
	if (machine == EM_AARCH64)
		return cfic_unwind(reader, frame, rule, 31, 29);
	return cfic_unwind(reader, frame, rule, 7, 6);
}
