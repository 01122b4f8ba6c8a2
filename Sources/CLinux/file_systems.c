#define _GNU_SOURCE
#include "file_systems.h"

#include <errno.h>
#include <sys/vfs.h>
#include <unistd.h>

int sync_file_system(int descriptor)
{
	while (syncfs(descriptor) != 0) {
		if (errno != EINTR)
			return errno;
	}
	return 0;
}

unsigned int file_system_kind(int descriptor)
{
	struct statfs system;

	return fstatfs(descriptor, &system) == 0 ? (unsigned int)system.f_type : 0;
}
