/* Of 5.5, of 6.4 on aarch64. Loaded and attached. */
#include "object.h"

PROGRAM("fexit/bpf_fentry_test1", return 0)
