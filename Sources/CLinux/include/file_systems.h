/* syncfs(2), which glibc declares with _GNU_SOURCE alone; statfs(2), whose header Swift's Glibc leaves out. */
#ifndef CFIC_FILE_SYSTEMS_H
#define CFIC_FILE_SYSTEMS_H

/* Writes all of the file system that the descriptor is open on to its disk: 0, or the errno. */
int sync_file_system(int descriptor);

/* Which kind of file system the descriptor is open on (f_type, linux/magic.h); 0, which none is, if that can't be told. */
unsigned int file_system_kind(int descriptor);

#endif
