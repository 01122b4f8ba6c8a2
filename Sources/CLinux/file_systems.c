#define _GNU_SOURCE
#include "file_systems.h"

#include <errno.h>
#include <unistd.h>

int sync_file_system(int descriptor)
{
	while (syncfs(descriptor) != 0) {
		if (errno != EINTR)
			return errno;
	}
	return 0;
}
