/* SPDX-License-Identifier: MIT */
#include "pages.h"

#include "list.h"

#include <prosa/server_session.h>

#include <stdlib.h>

/* A page ends where a multiple of this does, so that readers of one place find the pages of each other. */
#define PAGE_ENTRIES 64u

/* Octets in all pages, above which the oldest makes way; those that may be lent stay all the same: each
 * has at most STORE_READ_OCTETS and one entry. */
#define PAGES_OCTETS ((size_t)16 << 20)

#define BUCKETS 1024u

struct page {
    struct list age;   /* the one that was not looked at for longest comes first */
    struct page *next; /* in its bucket */
    int64_t room;
    uint64_t first_seq;
    uint64_t used; /* number of the last request for it */
    size_t count, size;
    uint8_t *octets;
    size_t ends[PAGE_ENTRIES];
};

struct pages {
    struct store *store;
    struct page *buckets[BUCKETS];
    struct page *last; /* the one that was looked at last, or NULL */
    struct list ages;
    size_t octets;
    uint64_t requests;
};

struct pages *pages_new(struct store *store)
{
    struct pages *pages = calloc(1, sizeof *pages);
    if (pages != NULL) {
        pages->store = store;
        list_init(&pages->ages);
    }
    return pages;
}

static struct page **bucket_of(struct pages *pages, int64_t room, uint64_t room_seq)
{
    const uint64_t place = (uint64_t)room * UINT64_C(0x9e3779b97f4a7c15) + (room_seq - 1) / PAGE_ENTRIES;
    return &pages->buckets[place % BUCKETS];
}

static size_t weight_of(const struct page *page)
{
    return sizeof *page + page->size;
}

static void drop(struct pages *pages, struct page *page)
{
    struct page **link = bucket_of(pages, page->room, page->first_seq);
    while (*link != page) {
        link = &(*link)->next;
    }
    *link = page->next;
    list_remove(&page->age);
    pages->octets -= weight_of(page);
    pages->last = NULL;
    free(page->octets);
    free(page);
}

void pages_free(struct pages *pages)
{
    if (pages == NULL) {
        return;
    }
    LIST_EACH(node, &pages->ages)
    {
        drop(pages, LIST_OF(node, struct page, age));
    }
    free(pages);
}

static bool has(const struct page *page, int64_t room, uint64_t room_seq)
{
    return page->room == room && room_seq >= page->first_seq && room_seq - page->first_seq < page->count;
}

static void make_way(struct pages *pages)
{
    LIST_EACH(node, &pages->ages)
    {
        struct page *oldest = LIST_OF(node, struct page, age);
        if (pages->octets <= PAGES_OCTETS || pages->requests - oldest->used <= PROSA_BATCH_SLICES) {
            return;
        }
        drop(pages, oldest);
    }
}

/* NULL: it cannot be read. */
static struct page *load(struct pages *pages, int64_t room, uint64_t room_seq)
{
    struct page *page = malloc(sizeof *page);
    if (page == NULL) {
        return NULL;
    }
    *page = (struct page){.room = room, .first_seq = room_seq};
    const size_t count = PAGE_ENTRIES - (size_t)((room_seq - 1) % PAGE_ENTRIES);
    if (store_read(pages->store, room, room_seq, count, &page->octets, page->ends, &page->count) !=
        STORE_FOUND) {
        free(page);
        return NULL;
    }
    page->size = page->ends[page->count - 1];
    struct page **bucket = bucket_of(pages, room, room_seq);
    page->next = *bucket;
    *bucket = page;
    list_append(&pages->ages, &page->age);
    pages->octets += weight_of(page);
    return page;
}

static struct page *find(struct pages *pages, int64_t room, uint64_t room_seq)
{
    struct page *page = pages->last;
    if (page != NULL && has(page, room, room_seq)) {
        return page;
    }
    page = *bucket_of(pages, room, room_seq);
    while (page != NULL && !has(page, room, room_seq)) {
        page = page->next;
    }
    return page;
}

struct prosa_bytes pages_entry(struct pages *pages, int64_t room, uint64_t room_seq)
{
    struct page *page = room_seq > 0 ? find(pages, room, room_seq) : NULL;
    pages->requests++;
    if (page == NULL) {
        make_way(pages);
        page = room_seq > 0 ? load(pages, room, room_seq) : NULL;
        if (page == NULL) {
            return prosa_bytes(NULL, 0);
        }
    } else if (page != pages->last) {
        list_remove(&page->age);
        list_append(&pages->ages, &page->age);
    }
    page->used = pages->requests;
    pages->last = page;
    const size_t place = (size_t)(room_seq - page->first_seq);
    const size_t start = place > 0 ? page->ends[place - 1] : 0;
    return prosa_bytes(page->octets + start, page->ends[place] - start);
}

void pages_forget(struct pages *pages, int64_t room, uint64_t oldest_seq)
{
    LIST_EACH(node, &pages->ages)
    {
        struct page *page = LIST_OF(node, struct page, age);
        if (page->room == room && page->first_seq + page->count <= oldest_seq) {
            drop(pages, page);
        }
    }
}

size_t pages_octets(const struct pages *pages)
{
    return pages->octets;
}
