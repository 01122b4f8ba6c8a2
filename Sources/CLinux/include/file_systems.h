/* syncfs(2), which glibc declares with _GNU_SOURCE alone. */
#ifndef CFIC_FILE_SYSTEMS_H
#define CFIC_FILE_SYSTEMS_H

/* Writes all of the file system that the descriptor is open on to its disk: 0, or the errno. */
int sync_file_system(int descriptor);

#endif
