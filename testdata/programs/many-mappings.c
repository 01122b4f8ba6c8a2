/*
 * Maps a part of a file executable, many times, says so, and waits to be ended: FILE OFFSET SIZE COUNT.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int count, char **words)
{
	int file = count == 5 ? open(words[1], O_RDONLY) : -1;
	if (file < 0)
		return 1;
	for (int i = 0; i < atoi(words[4]); i++) {
		if (mmap(NULL, strtoul(words[3], NULL, 0), PROT_READ | PROT_EXEC, MAP_PRIVATE, file,
			 (off_t)strtoul(words[2], NULL, 0)) == MAP_FAILED)
			return 2;
	}
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
