/* Of 4.19. */
#include "object.h"

PROGRAM("sk_reuseport", return 1)
