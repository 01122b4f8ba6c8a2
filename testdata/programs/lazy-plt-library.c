/*
 * The library of lazy-plt.c.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "stop.h"

OWN_FRAME long bound_lazily(long depth)
{
	stop_here();
	return depth + 1;
}
