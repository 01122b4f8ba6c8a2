/* Cgroups of version 2 by id: open_by_handle_at(2), which glibc declares only with _GNU_SOURCE. */
#ifndef CFIC_CGROUPS_H
#define CFIC_CGROUPS_H

#include <stdint.h>

/*
 * Opens the directory of a cgroup, with O_PATH. `mount` is a directory of the mounted hierarchy. Needs
 * CAP_DAC_READ_SEARCH. Returns the descriptor or -errno.
 */
int cgroup_open(int mount, uint64_t id);

#endif
