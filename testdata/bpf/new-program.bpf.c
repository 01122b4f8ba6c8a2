/* Kinds of programs that came after 5.10. */
#include "bpf.h"

SEC("kprobe.multi/vfs_*") int many(void *context) { return 0; }
SEC("syscall") int runs(void *context) { return 0; }
SEC("kprobe/vfs_read") int one(void *context) { return 0; }
