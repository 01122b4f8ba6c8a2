/* A child that waits to be told to run its program; signals; and eventfd(2), which comes with sys/eventfd.h. */
#ifndef CFIC_SPAWN_WAITING_H
#define CFIC_SPAWN_WAITING_H

#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/types.h>

/*
 * Makes a child that runs argv[0], looked up in PATH, when spawn_run is called. Its descriptor, for that, is put into
 * *go. Returns its process id, or -errno. The child has no signal blocked, and ignores those that this process was
 * started to ignore.
 */
pid_t spawn_waiting(char *const argv[], int *go);

/* Lets the child run its program, and closes `go`; 0, or the errno of what kept it from running. */
int spawn_run(int go);

/* Whether a signal is ignored. */
bool signal_is_ignored(int number);

/* Ends this process by a signal, as if nobody had waited for it. */
void signal_end(int number);

#endif
