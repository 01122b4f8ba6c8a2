#include "walk.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct output *output, const char *string)
{
	size_t slot = (size_t)((uintptr_t)string * 0x9e3779b97f4a7c15u >> 20) & (output->known_size - 1);

	while (output->known[slot].string && output->known[slot].string != string)
		slot = (slot + 1) & (output->known_size - 1);
	return slot;
}

static int grow(struct output *output)
{
	struct output larger = *output;

	larger.known_size = output->known_size ? 2 * output->known_size : 1024;
	larger.known = calloc(larger.known_size, sizeof(*larger.known));
	if (!larger.known)
		return 0;
	for (size_t i = 0; i < output->known_size; i++)
		if (output->known[i].string)
			larger.known[slot_of(&larger, output->known[i].string)] = output->known[i];
	free(output->known);
	*output = larger;
	return 1;
}

uint32_t output_string(struct output *output, const char *string)
{
	uint32_t offset = output->results->text_size;
	size_t slot, size;

	if (!string || (2 * output->known_count >= output->known_size && !grow(output)))
		return 0;
	slot = slot_of(output, string);
	if (output->known[slot].string)
		return output->known[slot].offset;
	size = strlen(string) + 1;
	if (size > output->results->text_limit - offset)
		return 0;
	memcpy(output->text + offset, string, size);
	output->results->text_size = offset + (uint32_t)size;
	output->known[slot] = (struct known_string){ string, offset };
	output->known_count++;
	return offset;
}

int output_frame(struct output *output, struct source_frame frame)
{
	uint32_t count = output->results->frame_count;

	if (count >= output->results->frame_limit)
		return 0;
	output->frames[count] = frame;
	output->results->frame_count = count + 1;
	return 1;
}
