/* Security hooks: one that types.bpf.c has, and one that nobody has. */
#include "bpf.h"

SEC("lsm/file_open") int there(void *context) { return 0; }
SEC("lsm/no_such_hook") int missing(void *context) { return 0; }
