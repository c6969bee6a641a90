/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include "figures.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Scrapers at once; whoever comes then is closed at once. */
#define SCRAPERS_MAX 8u

/* Longest time without an octet, in seconds. */
#define PATIENCE_S 10u

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type,
                               const char *text, size_t size)
{
    /* The library wants text that is not const, and copies it. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, (void *)text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = response != NULL ? MHD_YES : MHD_NO;
    if (result == MHD_YES) {
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    }
    if (result == MHD_YES && status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    if (result == MHD_YES) {
        result = MHD_queue_response(connection, status, response);
    }
    if (response != NULL) {
        MHD_destroy_response(response);
    }
    return result;
}

/* Called when a request's header is whole. The answer at once, before its body: the library reads no more
 * of the connection then. */
static enum MHD_Result answer(void *of, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *body, size_t *body_size,
                              void **mark)
{
    static const char lost[] = "there is /metrics\n";
    static const char refused[] = "GET or HEAD\n";
    const struct metrics *metrics = of;
    struct figures page;
    (void)version;
    (void)body;
    *body_size = 0;
    (void)mark;
    if (strcmp(url, "/metrics") != 0) {
        return respond(connection, MHD_HTTP_NOT_FOUND, "text/plain", lost, sizeof lost - 1);
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", refused, sizeof refused - 1);
    }
    figures_print(&page, metrics->stats);
    return respond(connection, MHD_HTTP_OK, FIGURES_TYPE, page.text, page.size);
}

static int start(struct metrics *metrics, struct loop *loop, int kind)
{
    metrics->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, answer,
                                       metrics, MHD_OPTION_CONNECTION_LIMIT, SCRAPERS_MAX,
                                       MHD_OPTION_CONNECTION_TIMEOUT, PATIENCE_S, MHD_OPTION_END);
    if (metrics->daemon == NULL) {
        return -ENOMEM;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(metrics->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    metrics->http.kind = kind;
    metrics->http.owner = metrics;
    const int problem = info != NULL ? loop_add(loop, &metrics->http, info->epoll_fd, LOOP_READ) : -ENOSYS;
    if (problem != 0) {
        MHD_stop_daemon(metrics->daemon);
        metrics->daemon = NULL;
    }
    return problem;
}

bool metrics_init(struct metrics *metrics, struct loop *loop, int kind, const char *host, uint16_t port,
                  char *why, size_t why_size)
{
    static const char about[] = "metrics: ";
    snprintf(why, why_size, about);
    *metrics = (struct metrics){0};
    if (!listener_init(&metrics->listener, loop, kind, host, port, why + sizeof about - 1,
                       why_size - (sizeof about - 1))) {
        return false;
    }
    const int problem = start(metrics, loop, kind);
    if (problem != 0) {
        snprintf(why, why_size, "%s%s", about, strerror(-problem));
        listener_fini(&metrics->listener, loop);
    }
    return problem == 0;
}

void metrics_fini(struct metrics *metrics, struct loop *loop)
{
    if (metrics->daemon == NULL) {
        return;
    }
    listener_fini(&metrics->listener, loop);
    loop_remove(loop, &metrics->http);
    MHD_stop_daemon(metrics->daemon);
    metrics->daemon = NULL;
}

/* The library owns the socket from then on, also when it will not have it. */
static void accept_scrapers(struct metrics *metrics, struct loop *loop, struct loop_source *listening)
{
    struct newcomer newcomer;
    for (unsigned i = 0; i < SCRAPERS_MAX; i++) {
        union {
            struct sockaddr any;
            struct sockaddr_storage space;
        } peer;
        socklen_t size = sizeof peer;
        if (listener_accept(loop, listening, &newcomer) != 0) {
            return;
        }
        if (getpeername(newcomer.fd, &peer.any, &size) == 0) {
            (void)MHD_add_connection(metrics->daemon, newcomer.fd, &peer.any, size);
        } else {
            close(newcomer.fd); /* it has gone already */
        }
    }
}

void metrics_pump(struct metrics *metrics, struct loop *loop, const struct loop_event *event,
                  const struct stats *stats)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    if (event->source != &metrics->http && event->ready == LOOP_TIMEOUT) {
        listener_resume(loop, event->source);
    } else if (event->source != &metrics->http) {
        accept_scrapers(metrics, loop, event->source);
    }
    metrics->stats = stats;
    MHD_run(metrics->daemon);
    const bool waits = MHD_get_timeout(metrics->daemon, &wait_ms) == MHD_YES;
    loop_set_deadline(loop, &metrics->http, waits ? loop->now_ms + wait_ms : LOOP_NEVER);
}
