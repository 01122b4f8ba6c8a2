/* openat2(2), which glibc doesn't declare. */
#ifndef CFIC_OPEN_IN_ROOT_H
#define CFIC_OPEN_IN_ROOT_H

/*
 * Opens a path below the directory `root` for reading, as a process with that root directory would: its symbolic links
 * don't lead out of it. Only a regular file is opened, and none through a symbolic link as the path's last component, because
 * others may have put anything there: opening a FIFO would block, opening a device may have effects. Returns a descriptor,
 * or -1 with errno set; EINVAL if it isn't a regular file.
 */
int open_in_root(int root, const char *path);

#endif
