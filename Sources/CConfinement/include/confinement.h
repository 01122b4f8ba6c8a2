/* Child processes for libraries that hostile input may break: such a library must not break its caller. */
#ifndef CFIC_CONFINEMENT_H
#define CFIC_CONFINEMENT_H

#include <stdint.h>

/* Calls `body` in a child process, which must not return from it, and waits for its end. Returns 0 or an errno. */
int run_child(void (*body)(void *context), void *context);

/*
 * Makes the child harmless. It may take `memory` bytes of address space more than it has, and is killed after so many seconds.
 * What it breaks leaves no core dump, it ends with its parent, and exit() runs none of the parent's handlers. Returns 0 if it
 * can't be limited.
 */
int confine(uint64_t memory, unsigned int seconds);

/*
 * Has the child go on with the rights of a file's owner, if it is root, and without capabilities: for what the file makes it
 * open. Returns 0 if that isn't possible.
 */
int act_for_owner(int file);

#endif
