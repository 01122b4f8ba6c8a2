/* A helper of 5.11. */
#include "object.h"

HELPER(160, __u64, coarse, void);

PROGRAM("tc", return coarse())
