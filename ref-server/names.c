/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <search.h>
#include <stdlib.h>

static int compare_keys(const void *a, const void *b)
{
    return memcmp(((const struct name *)a)->key, ((const struct name *)b)->key, PROSA_KEY_SIZE);
}

static int compare_nicks(const void *a, const void *b)
{
    const struct name *one = a;
    const struct name *other = b;
    if (one->nick_size != other->nick_size) {
        return one->nick_size < other->nick_size ? -1 : 1;
    }
    return memcmp(one->nick, other->nick, one->nick_size);
}

void names_init(struct names *names)
{
    *names = (struct names){0};
}

static void keep(void *unused)
{
    (void)unused;
}

void names_fini(struct names *names)
{
    tdestroy(names->by_nick, keep);
    tdestroy(names->by_key, free);
    names_init(names);
}

static struct name *find_key(const struct names *names, const uint8_t key[static PROSA_KEY_SIZE])
{
    struct name wanted;
    memcpy(wanted.key, key, PROSA_KEY_SIZE);
    struct name *const *found = tfind(&wanted, &names->by_key, compare_keys);
    return found != NULL ? *found : NULL;
}

const struct name *names_of_key(const struct names *names, const uint8_t key[static PROSA_KEY_SIZE])
{
    return find_key(names, key);
}

static bool set_nick(struct name *name, struct prosa_bytes nick)
{
    if (nick.size == 0 || nick.size > sizeof name->nick) {
        return false;
    }
    memcpy(name->nick, nick.at, nick.size);
    name->nick_size = (uint8_t)nick.size;
    return true;
}

const struct name *names_of_nick(const struct names *names, struct prosa_bytes nick)
{
    struct name wanted;
    if (!set_nick(&wanted, nick)) {
        return NULL;
    }
    struct name *const *found = tfind(&wanted, &names->by_nick, compare_nicks);
    return found != NULL ? *found : NULL;
}

/* The entry of this key, made at need; NULL: no memory. */
static struct name *touch(struct names *names, const uint8_t key[static PROSA_KEY_SIZE])
{
    struct name *name = find_key(names, key);
    if (name != NULL) {
        return name;
    }
    name = calloc(1, sizeof *name);
    if (name == NULL) {
        return NULL;
    }
    memcpy(name->key, key, PROSA_KEY_SIZE);
    if (tsearch(name, &names->by_key, compare_keys) == NULL) {
        free(name);
        return NULL;
    }
    names->count++;
    return name;
}

/* Nothing is known of the key any more. */
static void drop_if_empty(struct names *names, struct name *name)
{
    if (name->nick_size == 0 && !name->banned) {
        tdelete(name, &names->by_key, compare_keys);
        names->count--;
        free(name);
    }
}

bool names_bind(struct names *names, struct prosa_bytes nick, const uint8_t key[static PROSA_KEY_SIZE])
{
    struct name *name = touch(names, key);
    if (name == NULL) {
        return false;
    }
    if (set_nick(name, nick) && tsearch(name, &names->by_nick, compare_nicks) != NULL) {
        return true;
    }
    name->nick_size = 0;
    drop_if_empty(names, name);
    return false;
}

void names_unbind(struct names *names, const uint8_t key[static PROSA_KEY_SIZE])
{
    struct name *name = find_key(names, key);
    if (name != NULL && name->nick_size > 0) {
        tdelete(name, &names->by_nick, compare_nicks);
        name->nick_size = 0;
        drop_if_empty(names, name);
    }
}

bool names_ban(struct names *names, const uint8_t key[static PROSA_KEY_SIZE], bool banned)
{
    struct name *name = banned ? touch(names, key) : find_key(names, key);
    if (name == NULL) {
        return !banned;
    }
    name->banned = banned;
    drop_if_empty(names, name);
    return true;
}
