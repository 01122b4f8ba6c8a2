/* A child that waits to be told to run its program; and signalfd(2), which comes with sys/signalfd.h. */
#ifndef CFIC_SPAWN_WAITING_H
#define CFIC_SPAWN_WAITING_H

#include <sys/signalfd.h>
#include <sys/types.h>

/*
 * Makes a child that runs argv[0], looked up in PATH, when spawn_run is called. Its descriptor, for that, is put into
 * *go. Returns its process id, or -errno.
 */
pid_t spawn_waiting(char *const argv[], int *go);

/* Lets the child run its program, and closes `go`; 0, or the errno of what kept it from running. */
int spawn_run(int go);

#endif
