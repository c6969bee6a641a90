/* SPDX-License-Identifier: MIT */
#include "departures.h"

#define ENDPOINT "inproc://prosa-bridge-departures"

/* The first part of a monitor's event: what happened, and to which descriptor. The second is an endpoint. */
#define EVENT_SIZE (sizeof(uint16_t) + sizeof(uint32_t))

bool departures_init(struct departures *departures, zsock_t *router)
{
    *departures = (struct departures){0};
    if (zmq_socket_monitor(zsock_resolve(router), ENDPOINT, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED) !=
        0) {
        return false;
    }
    departures->monitor = zsock_new_pair(">" ENDPOINT);
    return departures->monitor != NULL;
}

void departures_fini(struct departures *departures)
{
    zsock_destroy(&departures->monitor);
    free(departures->are_gone);
    *departures = (struct departures){0};
}

/* Without memory for it a connection counts as there, and is ended when the server says something to it. */
static void note(struct departures *departures, size_t descriptor, bool is_gone)
{
    if (descriptor >= departures->size) {
        const size_t size = 2 * descriptor + 1;
        bool *are_gone = realloc(departures->are_gone, size * sizeof *are_gone);
        if (are_gone == NULL) {
            return;
        }
        memset(are_gone + departures->size, 0, (size - departures->size) * sizeof *are_gone);
        departures->are_gone = are_gone;
        departures->size = size;
    }
    departures->are_gone[descriptor] = is_gone;
}

enum departures_event departures_next(struct departures *departures, int *descriptor)
{
    uint8_t event[EVENT_SIZE];
    uint16_t kind = 0;
    uint32_t value = 0;
    void *socket = zsock_resolve(departures->monitor);
    if (zmq_recv(socket, event, sizeof event, ZMQ_DONTWAIT) != (int)sizeof event) {
        return DEPARTURES_NONE;
    }
    (void)zmq_recv(socket, NULL, 0, ZMQ_DONTWAIT);
    memcpy(&kind, event, sizeof kind);
    memcpy(&value, event + sizeof kind, sizeof value);
    *descriptor = (int)value;
    note(departures, value, kind == ZMQ_EVENT_DISCONNECTED);
    return kind == ZMQ_EVENT_DISCONNECTED ? DEPARTURES_WENT : DEPARTURES_CAME;
}

bool departures_has_gone(const struct departures *departures, int descriptor)
{
    return descriptor >= 0 && (size_t)descriptor < departures->size && departures->are_gone[descriptor];
}
