#ifndef CFIC_FILE_MAPPING_H
#define CFIC_FILE_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Read-only mappings of files that survive the file's shrinking.
///
/// A page of a mapped file that is no longer there, or can't be read, raises SIGBUS when it is touched. The first
/// mapping of a process installs a handler for it: if the page is of one of these mappings, the rest of the mapping
/// becomes zeros and the mapping is marked as broken; any other SIGBUS goes where it went before.

/// How many mappings there can be at a time.
#define CFIC_MAPPINGS_MAX 64

/// A mapping; `start` is the byte asked for.
struct cfic_file_mapping {
    const void *start;
    size_t size;
    /// For the functions below.
    int32_t slot;
};

/// Maps `size` bytes, which is not 0, at `offset` of an open file. False, with `errno`, if the system refuses, or
/// there are too many mappings (ENOMEM) or no handler could be installed.
bool cfic_map_file(int32_t descriptor, uint64_t offset, size_t size, struct cfic_file_mapping *mapping);

/// Whether bytes were missing when they were read, and zeros in their place.
bool cfic_mapping_is_broken(const struct cfic_file_mapping *mapping);

/// Ends a mapping.
void cfic_unmap_file(const struct cfic_file_mapping *mapping);

#endif
