/*
 * Posts by libcurl, which is loaded when it is first needed: together with its thirty libraries it takes longer to load
 * than cfic takes for a small file, and most runs don't push anything.
 */
#ifndef CFIC_HTTP_CLIENT_H
#define CFIC_HTTP_CLIENT_H

#include <stdatomic.h>
#include <stddef.h>

struct http_post {
	const char *url;
	const void *body;
	size_t body_size;
	/* "Name: value"; the last one is NULL. */
	const char *const *headers;
	/* Milliseconds for the whole request. */
	long timeout;
	/* Another thread sets it to something else than 0 to end the request early. */
	const volatile int *is_cancelled;
};

struct http_answer {
	/* 0 if there was no answer: `problem` says why. */
	long status;
	/* Seconds after which the server wants to be asked again; 0 if it doesn't say. */
	long retry_after;
	/* The beginning of the answer's body, at most 64 KiB, to be freed; NULL if it is empty. */
	char *body;
	size_t body_size;
	char problem[256];
};

/* Loads libcurl.so.4, once. Returns NULL, or why it can't be loaded. May be called on any thread. */
const char *http_client_load(void);

/* Needs http_client_load() to have succeeded. May be called on any thread. */
void http_client_post(const struct http_post *post, struct http_answer *answer);

#endif
