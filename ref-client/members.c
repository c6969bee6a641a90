/* SPDX-License-Identifier: MIT */
#include "members.h"

#include <stdlib.h>

void members_clear(struct members *members)
{
    free(members->list);
    free(members->authors);
    memset(members, 0, sizeof *members);
}

static struct member *find_key(const struct members *members, const uint8_t *key)
{
    for (size_t i = 0; i < members->listed; i++) {
        if (memcmp(members->list[i].key, key, PROSA_KEY_SIZE) == 0) {
            return &members->list[i];
        }
    }
    return NULL;
}

static void add(struct members *members, const struct prosa_member *member)
{
    if (find_key(members, member->member_key) != NULL) {
        return;
    }
    members->count++;
    if (members->list == NULL) {
        members->list = calloc(MEMBERS_LIMIT, sizeof *members->list);
    }
    if (members->list == NULL || members->listed == MEMBERS_LIMIT) {
        return; /* counted all the same */
    }
    struct member *added = &members->list[members->listed++];
    *added = (struct member){.nick = ""};
    memcpy(added->key, member->member_key, PROSA_KEY_SIZE);
    memcpy(added->nick, member->nick.at, member->nick.size); /* at most 32 octets on the wire */
}

static void remove_key(struct members *members, const uint8_t *key)
{
    struct member *gone = find_key(members, key);
    members->count -= members->count > 0 ? 1 : 0;
    if (gone != NULL) {
        const struct member *end = members->list + members->listed--;
        memmove(gone, gone + 1, (size_t)(end - (gone + 1)) * sizeof *gone);
    }
}

void members_take(struct members *members, const struct prosa_member *member)
{
    switch (member->event) {
    case PROSA_EVENT_HERE:
    case PROSA_EVENT_JOINED:
        add(members, member);
        break;
    case PROSA_EVENT_LEFT:
        remove_key(members, member->member_key);
        break;
    case PROSA_EVENT_RESYNC:
        members->listed = 0;
        members->count = 0;
        break;
    case PROSA_EVENT_COUNT: /* names are not told any more [MEM-05] */
        members->listed = 0;
        members->count = member->count;
        break;
    default:
        break;
    }
}

const struct member *members_find(const struct members *members, struct prosa_bytes nick)
{
    for (size_t i = 0; i < members->listed; i++) {
        if (prosa_bytes_equal(prosa_bytes_of_string(members->list[i].nick), nick)) {
            return &members->list[i];
        }
    }
    return NULL;
}

static struct author *find_author(const struct members *members, const uint8_t *key)
{
    for (size_t i = 0; i < members->known; i++) {
        if (memcmp(members->authors[i].key, key, PROSA_KEY_SIZE) == 0) {
            return &members->authors[i];
        }
    }
    return NULL;
}

uint64_t members_heard(struct members *members, const uint8_t key[static PROSA_KEY_SIZE], uint64_t counter)
{
    struct author *author = find_author(members, key);
    if (author != NULL) {
        const uint64_t due = author->counter + 1;
        author->counter = counter;
        return due;
    }
    if (members->authors == NULL) {
        members->authors = calloc(AUTHORS_LIMIT, sizeof *members->authors);
    }
    if (members->authors == NULL) {
        return 0;
    }
    if (members->known < AUTHORS_LIMIT) {
        author = &members->authors[members->known++];
    } else {
        author = &members->authors[members->oldest];
        members->oldest = (members->oldest + 1) % AUTHORS_LIMIT;
    }
    memcpy(author->key, key, PROSA_KEY_SIZE);
    author->counter = counter;
    return 0;
}
