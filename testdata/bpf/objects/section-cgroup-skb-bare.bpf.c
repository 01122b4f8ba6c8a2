/* It needs a direction. */
#include "object.h"

PROGRAM("cgroup_skb", return 0)
