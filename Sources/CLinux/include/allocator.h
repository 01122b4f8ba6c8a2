/* The C library's allocator, whose header Swift's Glibc lacks. */
#ifndef CFIC_ALLOCATOR_H
#define CFIC_ALLOCATOR_H

#include <malloc.h>

#endif
