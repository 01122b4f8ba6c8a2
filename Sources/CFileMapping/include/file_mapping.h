#ifndef CFIC_FILE_MAPPING_H
#define CFIC_FILE_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Read-only mappings of files that survive the file's shrinking.
///
/// Touching a page of a mapped file that no longer exists, or can't be read, raises SIGBUS. The first mapping of a
/// process installs a handler. If the page belongs to one of these mappings, the handler replaces the rest of the
/// mapping by zeros and marks the mapping as broken. It passes any other SIGBUS to the previous handler.

/// The largest number of mappings at one time.
#define CFIC_MAPPINGS_MAX 64

/// A mapping; `start` is the first byte of the requested range.
struct cfic_file_mapping {
    const void *start;
    size_t size;
    /// Used by the functions below.
    int32_t slot;
};

/// Maps `size` bytes, more than 0, at `offset` of an open file. Returns false with `errno` set if the system refuses,
/// or with ENOMEM if there are too many mappings or no handler could be installed.
bool cfic_map_file(int32_t descriptor, uint64_t offset, size_t size, struct cfic_file_mapping *mapping);

/// Whether bytes were missing when they were accessed, and read as zeros.
bool cfic_mapping_is_broken(const struct cfic_file_mapping *mapping);

/// Unmaps it and frees its slot.
void cfic_unmap_file(const struct cfic_file_mapping *mapping);

#endif
