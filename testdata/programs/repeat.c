/*
 * Has a program do all that it does over and over, to be sampled anywhere: its own main function is compiled as `once`.
 * Says when it has done all of it for the first time.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include <unistd.h>

#ifndef ONCE
#define ONCE "once"
#endif

int once(int count, char **words) __asm__(ONCE);

int main(int count, char **words)
{
	once(count, words);
	if (write(1, "once\n", 5) != 5)
		return 1;
	for (;;)
		once(count, words);
}
