#define _GNU_SOURCE
#include "open_in_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int open_in_root(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	struct stat status;
	char link[32];
	int opened = -1, error;
	int place = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	if (place < 0)
		return -1;
	if (fstat(place, &status) == 0) {
		errno = EINVAL;
		if (S_ISREG(status.st_mode)) {
			snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
			opened = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		}
	}
	error = errno;
	close(place);
	errno = error;
	return opened;
}
