/* syncfs(2), which glibc declares only with _GNU_SOURCE, and statfs(2), whose header Swift's Glibc lacks. */
#ifndef CFIC_FILE_SYSTEMS_H
#define CFIC_FILE_SYSTEMS_H

/* Writes the whole file system that the descriptor is open on to disk. Returns 0 or the errno. */
int sync_file_system(int descriptor);

/* The kind of the file system that the descriptor is open on (f_type, linux/magic.h); 0 on failure. */
unsigned int file_system_kind(int descriptor);

#endif
