/* Of 5.9. */
#include "object.h"

PROGRAM("sk_lookup", return 1)
