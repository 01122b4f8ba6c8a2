/*
 * Has a program do all that it does over and over, to be sampled anywhere: its own main function is compiled as `once`.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#ifndef ONCE
#define ONCE "once"
#endif

int once(int count, char **words) __asm__(ONCE);

int main(int count, char **words)
{
	for (;;)
		once(count, words);
}
