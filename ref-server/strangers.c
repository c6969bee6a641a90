/* SPDX-License-Identifier: MIT */
#include "strangers.h"

/* Places of one address when more than half of them are taken. */
#define STRANGERS_OF_ONE 8u

static size_t places(const struct hub *hub)
{
    return hub->settings->max_strangers > 0 ? hub->settings->max_strangers : STRANGERS_MAX;
}

static bool is_exempt(const struct hub *hub, const struct endpoint *from)
{
    char address[ADDRESS_TEXT_SIZE];
    endpoint_format(from, address);
    const bool brackets = address[0] == '[';
    const char *host = address + (brackets ? 1 : 0);
    return settings_list_has(hub->settings->exempt, prosa_bytes(host, strcspn(host, brackets ? "]" : ":")));
}

/* One address has its share of the places already [LIM-05]. */
static bool is_crowd(const struct hub *hub, const struct newcomer *newcomer)
{
    size_t count = 0;
    if (hub->settings->level < 4 || 2 * hub->stats.strangers < places(hub)) {
        return false;
    }
    LIST_EACH(at, &hub->strangers)
    {
        const struct conn *conn = LIST_OF(at, struct conn, place);
        count += endpoint_is_near(&conn->from, &newcomer->from) ? 1 : 0;
    }
    return count >= STRANGERS_OF_ONE && !is_exempt(hub, &newcomer->from);
}

/* The oldest one that has said nothing, or NULL. */
static struct conn *find_silent(const struct hub *hub)
{
    LIST_EACH(at, &hub->strangers)
    {
        struct conn *conn = LIST_OF(at, struct conn, place);
        if (!prosa_server_session_saw_hello(&conn->session)) {
            return conn;
        }
    }
    return NULL;
}

const char *strangers_judge(const struct hub *hub, const struct newcomer *newcomer, struct conn **evicted)
{
    *evicted = NULL;
    if (is_crowd(hub, newcomer)) {
        return "too-many-of-one-address";
    }
    if (hub->stats.strangers < places(hub)) {
        return NULL;
    }
    *evicted = find_silent(hub);
    return *evicted != NULL ? NULL : "too-many-strangers";
}
