/* Objects of a few lines, each with one thing that some kernel refuses, or that none does. */
#include "../bpf.h"

/* A helper by its number, so that old headers do. */
#define HELPER(number, result, name, ...) static result (*const name)(__VA_ARGS__) = (void *)(number)

/* A program that does one thing. */
#define PROGRAM(section, ...) SEC(section) int program(void *context) { __VA_ARGS__; }

#define MAP(name, ...) struct { __VA_ARGS__ } name SEC(".maps")

/* A program beside a map. */
#define NOTHING PROGRAM("raw_tracepoint/sched_switch", return 0)

#define __ksym __attribute__((section(".ksyms")))
#define __kconfig __attribute__((section(".kconfig")))
#define __weak __attribute__((weak))
#define __core __attribute__((preserve_access_index))

#define field_exists(field) __builtin_preserve_field_info(field, 2)
#define type_exists(type) __builtin_preserve_type_info(*(typeof(type) *)0, 0)
