/*
 * Spends its time in functions that are inlined into one another.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#define INLINE static inline __attribute__((always_inline))

volatile int sink;

INLINE int innermost(int count)
{
	for (int i = 0; i < count; i++)
		sink += i * count;
	return sink;
}

INLINE int middle(int count)
{
	int sum = innermost(count + 1);

	return sum * innermost(count + 2);
}

__attribute__((noinline)) int outer(int count)
{
	return middle(count) + innermost(7);
}

int main(int count, char **words)
{
	(void)words;
	for (;;)
		sink = outer(1000 * count) + middle(count);
}
