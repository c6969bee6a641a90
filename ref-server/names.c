/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <stdlib.h>

static struct prosa_bytes key_of(const void *name)
{
    return prosa_bytes(((const struct name *)name)->key, PROSA_KEY_SIZE);
}

static struct prosa_bytes nick_of(const void *name)
{
    return prosa_bytes(((const struct name *)name)->nick, ((const struct name *)name)->nick_size);
}

void names_init(struct names *names, const uint8_t seed[static TABLE_SEED_SIZE])
{
    table_init(&names->by_key, key_of, seed);
    table_init(&names->by_nick, nick_of, seed);
}

void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->by_key.cap; i++) {
        free(names->by_key.places[i]);
    }
    table_fini(&names->by_key);
    table_fini(&names->by_nick);
}

size_t names_count(const struct names *names)
{
    return names->by_key.count;
}

static struct name *find_key(const struct names *names, const uint8_t key[static PROSA_KEY_SIZE])
{
    return table_find(&names->by_key, prosa_bytes(key, PROSA_KEY_SIZE));
}

const struct name *names_of_key(const struct names *names, const uint8_t key[static PROSA_KEY_SIZE])
{
    return find_key(names, key);
}

const struct name *names_of_nick(const struct names *names, struct prosa_bytes nick)
{
    return table_find(&names->by_nick, nick);
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
    if (!table_put(&names->by_key, name)) {
        free(name);
        return NULL;
    }
    return name;
}

/* Nothing is known of the key any more. */
static void drop_if_empty(struct names *names, struct name *name)
{
    if (name->nick_size == 0 && !name->banned) {
        table_remove(&names->by_key, key_of(name));
        free(name);
    }
}

bool names_bind(struct names *names, struct prosa_bytes nick, const uint8_t key[static PROSA_KEY_SIZE])
{
    struct name *name = touch(names, key);
    if (name == NULL) {
        return false;
    }
    if (set_nick(name, nick) && table_put(&names->by_nick, name)) {
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
        table_remove(&names->by_nick, nick_of(name));
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
