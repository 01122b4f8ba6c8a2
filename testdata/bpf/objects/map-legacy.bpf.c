/* A map as libbpf 0.x had it. */
#include "object.h"

struct { __u32 type, key, value, entries, flags; } map SEC("maps") = {1, 4, 8, 16, 0};

NOTHING
