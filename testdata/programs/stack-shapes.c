/* Functions whose stack frames compilers shape in different ways: the test of inference is that its rules mean what the
 * compiler's call frame information says.
 *
 * Origin: own. Licence: Apache-2.0. */
#include <alloca.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef int vector __attribute__((vector_size(32)));

volatile int sink;
void (*volatile callback)(void *);

__attribute__((noinline)) static int leaf(int value)
{
	return value * 3 + 1;
}

__attribute__((noinline)) int six_registers(int a, int b, int c, int d, int e, int f)
{
	int u = leaf(a), v = leaf(b), w = leaf(c), x = leaf(d), y = leaf(e), z = leaf(f);

	callback(0);
	return u ^ v + w ^ x + y ^ z;
}

__attribute__((noinline)) int recursive(int depth)
{
	return depth ? recursive(depth - 1) + leaf(depth) : 0;
}

__attribute__((noinline)) int large_frame(int value)
{
	char bytes[20000];

	memset(bytes, value, sizeof(bytes));
	callback(bytes);
	return bytes[value & 1023];
}

__attribute__((noinline)) int variable_frame(unsigned size)
{
	char *bytes = alloca(size);

	memset(bytes, 1, size);
	callback(bytes);
	for (unsigned i = 0; i < size; i++) {
		char *more = alloca(i);

		callback(more);
	}
	return bytes[size / 2];
}

__attribute__((noinline)) int aligned_frame(int value)
{
	vector aligned = { value, value, value };
	_Alignas(64) char bytes[100];

	callback(&aligned);
	callback(bytes);
	return aligned[1] + bytes[5];
}

__attribute__((noinline)) int aligned_and_variable_frame(int value)
{
	_Alignas(64) char bytes[100];

	callback(bytes);
	callback(alloca(value));
	return bytes[5];
}

__attribute__((noinline)) int choose(unsigned kind, int value)
{
	switch (kind) {
	case 0: return leaf(value);
	case 1: callback(0); return leaf(value) + 1;
	case 2: return recursive(value);
	case 3: sink = value; break;
	case 4: return large_frame(value);
	case 5: callback(&value); break;
	case 6: return six_registers(value, 1, 2, 3, 4, 5);
	case 7: sink = leaf(value) * 3; break;
	case 8: return variable_frame(value);
	case 9: abort();
	}
	return value;
}

__attribute__((noinline)) int choose_by_byte(const unsigned char *kind, int value)
{
	switch (*kind) {
	case '0': return leaf(value);
	case '1': callback(0); return leaf(value) + 1;
	case '2': return recursive(value);
	case '3': sink = value; break;
	case '4': return large_frame(value);
	case '5': callback(&value); break;
	case '6': abort();
	}
	return value;
}

__attribute__((noinline)) int many_arguments(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j)
{
	callback(0);
	return a + b + c + d + e + f + g + h + i + j;
}

__attribute__((noinline)) int calls_with_many_arguments(int value)
{
	int sum = 0;

	for (int i = 0; i < value; i++) sum += many_arguments(i, 1, 2, 3, 4, 5, 6, 7, 8, value);
	return sum;
}

__attribute__((noinline)) int variadic(int count, ...)
{
	va_list arguments;
	int sum = 0;

	va_start(arguments, count);
	while (count-- > 0) sum += va_arg(arguments, int);
	va_end(arguments);
	return sum;
}

__attribute__((noinline)) void checked(int value)
{
	if (value < 0) abort();
	if (value > 10) {
		callback(&value);
		exit(1);
	}
	sink = value;
}

int main(int count, char **arguments)
{
	checked(count);
	return choose(count, count) + choose_by_byte((unsigned char *)arguments[0], count) + aligned_frame(count)
		+ aligned_and_variable_frame(count) + calls_with_many_arguments(count) + variadic(2, 1, 2);
}
