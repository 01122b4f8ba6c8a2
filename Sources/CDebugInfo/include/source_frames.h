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

/// Why DWARF that is in other files, split DWARF, was not read (DWARF 5, section 7.3.2). Positive values are errnos of opening
/// the file.
enum split_problem {
	/// It is no regular file.
	SPLIT_IS_SPECIAL = -1,
	/// Others can write it, but not the file that names it.
	SPLIT_IS_WRITABLE = -2,
	/// It is broken, or of another build.
	SPLIT_IS_OTHER = -3,
	/// It is a package (`.dwp`), which this libdw can't read.
	SPLIT_IS_PACKAGE = -4,
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
	/// How many units with any of the addresses have DWARF in files that were not read; of the first one why
	/// (`split_problem`), and the offset in `text` of the file's path, 0 if it is too long.
	uint32_t split_units;
	int split_problem;
	uint32_t split_path;
	void *memory;
	size_t memory_size;
};

/// The ELF file with the DWARF.
struct source_file {
	/// Its position doesn't matter.
	int descriptor;
	/// Where it is, to find a file that it shares DWARF with (DWARF 5, section 7.3.6, "Supplementary object file"); or null.
	const char *directory;
	/// In bytes, without holes.
	uint64_t size;
	/// Whether anybody but root and this process's user can change it. Otherwise the same must be true of files with split
	/// DWARF.
	int others_may_write;
};

/// Looks up addresses.
///
/// Files that the DWARF names are opened with the rights of the file's owner.
///
/// - Parameters:
///   - addresses: SVMAs in ascending order, each once.
///   - count: at most 2^23.
/// - Returns: 0, or an errno if the system denies memory or a process.
int source_frames_read(
	const struct source_file *file, const uint64_t *addresses, size_t count, struct source_frames *found);

void source_frames_free(struct source_frames *found);

#endif
