/* A helper in a program for flow_dissector, which may have it or not. */
#include "object.h"

HELPER(6, long, say, const char *text, __u32 size, ...);

PROGRAM("flow_dissector", char text[3] = "hi"; return say(text, 3) & 1)
