/* A child process that waits before it runs its program; signals; and eventfd(2), from sys/eventfd.h. */
#ifndef CFIC_SPAWN_WAITING_H
#define CFIC_SPAWN_WAITING_H

#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/types.h>

/*
 * Creates a child that runs argv[0], looked up in PATH, once spawn_run is called with the descriptor in *go. Returns
 * its process id, or -errno. The child has no signals blocked, and ignores those that this process ignored when it
 * started.
 */
pid_t spawn_waiting(char *const argv[], int *go);

/* Lets the child run its program, and closes `go`. Returns 0, or the errno of the child's exec. */
int spawn_run(int go);

/* Whether a signal is ignored. */
bool signal_is_ignored(int number);

/* Ends this process by a signal's default action, so that its parent sees that signal. */
void signal_end(int number);

#endif
