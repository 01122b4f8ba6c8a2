#ifndef CFIC_DEMANGLE_NAMES_H
#define CFIC_DEMANGLE_NAMES_H

#include <stddef.h>

/// Demangles symbols of C++ (Itanium), Rust (legacy and v0), D and Swift in a child process.
///
/// A symbol of a hundred bytes can stand for a text of many gigabytes, and demanglers have crashed on broken symbols. The
/// child may use 250 ms of CPU time for each symbol and 64 MiB of memory; if it dies, the symbol stays as it is, and
/// another child goes on with the next.

/// A longer result is dropped: the symbol stays as it is. In bytes.
#define DEMANGLE_RESULT_MAX 16384
/// After so many children died, the rest of the symbols stays as it is.
#define DEMANGLE_DEATHS_MAX 8

/// Receives the result for `symbols[index]`, which is valid during the call and not terminated.
typedef void demangled_name(size_t index, const char *text, size_t length, void *context);

/// Calls `found` for each symbol that is a mangled name.
///
/// - Returns: how many symbols were not tried, because too many children died; or a negative errno if the system denies
///   memory or a process.
ptrdiff_t demangle_names(const char *const symbols[], size_t count, demangled_name *found, void *context);

#endif
