/* The parts of GNU libmicrohttpd that Swift can't express: variadic functions, and names that it would change. */
#ifndef CFIC_HTTP_SERVER_H
#define CFIC_HTTP_SERVER_H

#include <microhttpd.h>

static const enum MHD_Result http_yes = MHD_YES, http_no = MHD_NO;

struct http_limits {
	unsigned int connections;
	/* Seconds without a byte. */
	unsigned int idle_seconds;
	/* Bytes for a connection's request line, headers and buffers. */
	size_t connection_memory;
};

/*
 * Serves connections to a listening socket on a thread of its own. Takes ownership of the socket. Connections may be
 * suspended. NULL on failure, with errno set; the socket is open then.
 */
struct MHD_Daemon *http_server_start(int listening, const struct http_limits *limits, MHD_AccessHandlerCallback answer,
	MHD_RequestCompletedCallback completed, MHD_NotifyConnectionCallback changed, void *context);

/* Whether a connection begins; it ends otherwise, before its socket is closed. */
int http_begins(enum MHD_ConnectionNotificationCode change);

/* The socket of a connection; -1 if it isn't known. */
int http_connection_socket(struct MHD_Connection *connection);

/* The value of a header, or of an argument in the URL; NULL if there is none. */
const char *http_header(struct MHD_Connection *connection, const char *name);
const char *http_argument(struct MHD_Connection *connection, const char *name);

/* A response with a copy of the bytes; NULL if there is no memory. */
struct MHD_Response *http_response(const void *bytes, size_t size);

#endif
