/* SPDX-License-Identifier: MIT */
#include "descriptors.h"

#include "strangers.h"

#include <sys/resource.h>

/* Those of the server itself: log, key, threads, console, listeners, scrapers, a program that answers. */
#define OWN_DESCRIPTORS ((rlim_t)32)

/* Strangers have this part at most, where there are few. */
#define STRANGERS_SHARE 4u

static rlim_t raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return RLIM_INFINITY;
    }
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

void descriptors_share(struct settings *settings)
{
    const rlim_t limit = raise_limit();
    if (limit == RLIM_INFINITY) {
        return;
    }
    const size_t places = (size_t)(limit > 2 * OWN_DESCRIPTORS ? limit - OWN_DESCRIPTORS : limit / 2);
    const size_t share = places / STRANGERS_SHARE + 1;
    settings->max_strangers = share < STRANGERS_MAX ? share : STRANGERS_MAX;
    const size_t clients = places - (places > settings->max_strangers ? settings->max_strangers : 0);
    if (settings->max_clients > clients) {
        log_event(LOG_LEVEL_WARN, "few-descriptors", "limit=%llu max-clients=%zu instead=%zu",
                  (unsigned long long)limit, settings->max_clients, clients);
    }
    if (settings->max_clients == 0 || settings->max_clients > clients) {
        settings->max_clients = clients;
    }
}
