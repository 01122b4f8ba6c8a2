#include "http_server.h"

/* Messages about connections are of no use to anybody: what clients do wrong is their matter. */
static void drop_message(void *context, const char *format, va_list arguments)
{
	(void)context;
	(void)format;
	(void)arguments;
}

struct MHD_Daemon *http_server_start(int listening, const struct http_limits *limits, MHD_AccessHandlerCallback answer,
	MHD_RequestCompletedCallback completed, MHD_NotifyConnectionCallback changed, void *context)
{
	return MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, answer, context,
		MHD_OPTION_EXTERNAL_LOGGER, drop_message, NULL,
		MHD_OPTION_LISTEN_SOCKET, listening,
		MHD_OPTION_CONNECTION_LIMIT, limits->connections,
		MHD_OPTION_CONNECTION_TIMEOUT, limits->idle_seconds,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits->connection_memory,
		MHD_OPTION_NOTIFY_COMPLETED, completed, context,
		MHD_OPTION_NOTIFY_CONNECTION, changed, context,
		MHD_OPTION_END);
}

int http_connection_socket(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

int http_begins(enum MHD_ConnectionNotificationCode change)
{
	return change == MHD_CONNECTION_NOTIFY_STARTED;
}

const char *http_header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

const char *http_argument(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

struct MHD_Response *http_response(const void *bytes, size_t size)
{
	/* It is only read. */
	return MHD_create_response_from_buffer(size, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}
