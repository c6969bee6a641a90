/* SPDX-License-Identifier: MIT */
#include "names.h"

#include "sizes.h"

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

/* Of this key, with room for the nick. NULL: no memory. */
static struct name *name_new(const uint8_t key[static PROSA_KEY_SIZE], struct prosa_bytes nick)
{
    struct name *name = malloc(sizeof *name + nick.size);
    if (name != NULL) {
        *name = (struct name){.nick_size = (uint8_t)nick.size};
        memcpy(name->key, key, PROSA_KEY_SIZE);
        if (nick.size > 0) {
            memcpy(name->nick, nick.at, nick.size);
        }
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
    struct name *before = find_key(names, key); /* nothing but a ban, if that */
    struct name *name = nick.size > 0 && nick.size < NICK_SIZE ? name_new(key, nick) : NULL;
    if (name == NULL || !table_put(&names->by_nick, name)) {
        free(name);
        return false;
    }
    name->banned = before != NULL && before->banned;
    if (!table_put(&names->by_key, name)) {
        table_remove(&names->by_nick, nick);
        free(name);
        return false;
    }
    free(before);
    return true;
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
    struct name *name = find_key(names, key);
    if (name != NULL) {
        name->banned = banned;
        drop_if_empty(names, name);
        return true;
    }
    if (!banned) {
        return true;
    }
    name = name_new(key, prosa_bytes(NULL, 0));
    if (name == NULL || !table_put(&names->by_key, name)) {
        free(name);
        return false;
    }
    name->banned = true;
    return true;
}
