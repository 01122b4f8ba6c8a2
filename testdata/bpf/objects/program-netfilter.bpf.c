/* Of 6.4. */
#include "object.h"

PROGRAM("netfilter", return 1)
