/* Nor does classifier. */
#include "object.h"

PROGRAM("classifier/mine", return 0)
