#include "http_client.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What is used of <curl/curl.h>. libcurl keeps its binary interface (libcurl.so.4 since 2006); its header would have to
 * be installed for building, in one of three packages that exclude each other.
 */
enum {
	CURLE_OK = 0,
	CURL_GLOBAL_DEFAULT = 3,
	CURLPROTO_HTTP_AND_HTTPS = 3,

	CURLOPT_TIMEOUT_MS = 155,
	CURLOPT_CONNECTTIMEOUT_MS = 156,
	CURLOPT_NOPROGRESS = 43,
	CURLOPT_NOSIGNAL = 99,
	CURLOPT_POST = 47,
	CURLOPT_PROTOCOLS = 181,
	CURLOPT_WRITEDATA = 10001,
	CURLOPT_URL = 10002,
	CURLOPT_ERRORBUFFER = 10010,
	CURLOPT_POSTFIELDS = 10015,
	CURLOPT_USERAGENT = 10018,
	CURLOPT_HTTPHEADER = 10023,
	CURLOPT_XFERINFODATA = 10057,
	CURLOPT_WRITEFUNCTION = 20011,
	CURLOPT_XFERINFOFUNCTION = 20219,
	CURLOPT_POSTFIELDSIZE_LARGE = 30120,

	CURLINFO_RESPONSE_CODE = 0x200000 + 2,
	CURLINFO_RETRY_AFTER = 0x600000 + 57,
};

/* curl_off_t */
typedef long long offset;

static struct {
	int (*global_init)(long flags);
	void *(*easy_init)(void);
	int (*easy_setopt)(void *handle, int option, ...);
	int (*easy_perform)(void *handle);
	int (*easy_getinfo)(void *handle, int info, ...);
	void (*easy_cleanup)(void *handle);
	const char *(*easy_strerror)(int code);
	void *(*slist_append)(void *list, const char *text);
	void (*slist_free_all)(void *list);
} curl;

static char problem[512];

static int find(void *library, const char *name, void *function)
{
	void *found = dlsym(library, name);

	if (!found) {
		snprintf(problem, sizeof(problem), "libcurl.so.4 has no %s", name);
		return 0;
	}
	/* A pointer to a function is as large as one to data (POSIX, dlsym). */
	memcpy(function, &found, sizeof(found));
	return 1;
}

static void load(void)
{
	void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		snprintf(problem, sizeof(problem), "%s", dlerror());
		return;
	}
	if (find(library, "curl_global_init", &curl.global_init) && find(library, "curl_easy_init", &curl.easy_init)
		&& find(library, "curl_easy_setopt", &curl.easy_setopt)
		&& find(library, "curl_easy_perform", &curl.easy_perform)
		&& find(library, "curl_easy_getinfo", &curl.easy_getinfo)
		&& find(library, "curl_easy_cleanup", &curl.easy_cleanup)
		&& find(library, "curl_easy_strerror", &curl.easy_strerror)
		&& find(library, "curl_slist_append", &curl.slist_append)
		&& find(library, "curl_slist_free_all", &curl.slist_free_all)
		&& curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		snprintf(problem, sizeof(problem), "libcurl.so.4 can't be initialized");
}

const char *http_client_load(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return problem[0] ? problem : NULL;
}

#define BODY_MAX ((size_t)1 << 16)

/* Keeps the beginning of an answer's body, and drops the rest. */
static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
	struct http_answer *answer = context;
	size_t room = BODY_MAX - answer->body_size;
	size_t more = size * count < room ? size * count : room;
	char *larger = more ? realloc(answer->body, answer->body_size + more) : NULL;

	if (larger) {
		memcpy(larger + answer->body_size, bytes, more);
		answer->body = larger;
		answer->body_size += more;
	}
	return size * count;
}

static int progress(void *context, offset expected, offset received, offset to_send, offset sent)
{
	const struct http_post *post = context;

	(void)expected;
	(void)received;
	(void)to_send;
	(void)sent;
	return *post->is_cancelled;
}

void http_client_post(const struct http_post *post, struct http_answer *answer)
{
	void *handle = curl.easy_init(), *headers = NULL;
	int code;

	memset(answer, 0, sizeof(*answer));
	if (!handle) {
		snprintf(answer->problem, sizeof(answer->problem), "no memory for a request");
		return;
	}
	for (const char *const *header = post->headers; *header; header++) {
		void *more = curl.slist_append(headers, *header);

		if (more)
			headers = more;
	}
	curl.easy_setopt(handle, CURLOPT_URL, post->url);
	curl.easy_setopt(handle, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTP_AND_HTTPS);
	curl.easy_setopt(handle, CURLOPT_POST, 1L);
	curl.easy_setopt(handle, CURLOPT_POSTFIELDS, post->body);
	curl.easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (offset)post->body_size);
	curl.easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
	curl.easy_setopt(handle, CURLOPT_USERAGENT, "cfic");
	curl.easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	curl.easy_setopt(handle, CURLOPT_TIMEOUT_MS, post->timeout);
	curl.easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
	curl.easy_setopt(handle, CURLOPT_ERRORBUFFER, answer->problem);
	curl.easy_setopt(handle, CURLOPT_WRITEFUNCTION, receive);
	curl.easy_setopt(handle, CURLOPT_WRITEDATA, answer);
	curl.easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
	curl.easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, progress);
	curl.easy_setopt(handle, CURLOPT_XFERINFODATA, post);
	code = curl.easy_perform(handle);
	if (code == CURLE_OK) {
		offset retry_after = 0;

		curl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer->status);
		if (curl.easy_getinfo(handle, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK)
			answer->retry_after = (long)retry_after;
	} else if (!answer->problem[0]) {
		snprintf(answer->problem, sizeof(answer->problem), "%s", curl.easy_strerror(code));
	}
	curl.slist_free_all(headers);
	curl.easy_cleanup(handle);
}
