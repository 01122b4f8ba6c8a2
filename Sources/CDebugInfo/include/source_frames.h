#ifndef CFIC_SOURCE_FRAMES_H
#define CFIC_SOURCE_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/// Reads which functions are inlined at addresses, and their source lines, from the DWARF of an ELF file, by libdw, in a child
/// process.
///
/// DWARF can be large, and broken in ways that make its readers crash or use any amount of time and memory. The child may
/// use CPU time and memory in proportion to the file. If it dies, what it found until then is kept.

/// A function at an address, inlined or not.
struct source_frame {
	/// Index of the address.
	uint32_t address;
	/// Offsets in `text` of the function's name, which may be a mangled symbol, and of the path of the file that the line
	/// is in; 0 if it isn't known.
	uint32_t function, file;
	/// 0 if it isn't known.
	uint32_t line;
	/// Whether the function is inlined into the next one.
	uint32_t is_inlined;
};

/// What was found. It is shared with the child, and to be freed.
struct source_frames {
	/// By address, in any order; of each address the innermost function first. The last one is not inlined.
	const struct source_frame *frames;
	size_t count;
	/// Terminated strings.
	const char *text;
	size_t text_size;
	/// How many addresses were not looked up because the child died, or because there were more frames than fit.
	size_t missing;
	void *memory;
	size_t memory_size;
};

/// Looks up addresses.
///
/// - Parameters:
///   - file: of the ELF file; its position doesn't matter.
///   - directory: where the file is, to find a file that it shares DWARF with (DWARF 5, section 7.3.6, "Supplementary
///     object file"); or null.
///   - addresses: SVMAs in ascending order, each once.
///   - count: at most 2^23.
///   - size: of the file, in bytes, without holes.
/// - Returns: 0, or an errno if the system denies memory or a process.
int source_frames_read(
	int file, const char *directory, const uint64_t *addresses, size_t count, uint64_t size,
	struct source_frames *found);

void source_frames_free(struct source_frames *found);

#endif
