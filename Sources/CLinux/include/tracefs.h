/* Mounts of tracefs that have no place in the tree of files: fsmount(2), for which older C libraries have no functions. */
#ifndef CFIC_TRACEFS_H
#define CFIC_TRACEFS_H

/*
 * The root directory of tracefs, mounted nowhere: the mount ends when it is closed. Needs CAP_SYS_ADMIN. Returns the
 * descriptor, or -errno.
 */
int tracefs_mount(void);

#endif
