/* The library of plt.c. Origin: own. Licence: Apache-2.0. */
#include "workload.h"

OWN_FRAME IN_SECTION(library_code) void bound_lazily(struct known_stack *known)
{
	if (known->ready)
		return;
	RECORD(known);
	ADD_PLACE(known, library_code);
}
