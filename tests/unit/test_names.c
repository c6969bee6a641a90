/* SPDX-License-Identifier: MIT */
#include "names.h"

#include "check.h"

static struct names names;
static const uint8_t ada_key[PROSA_KEY_SIZE] = {1};
static const uint8_t bob_key[PROSA_KEY_SIZE] = {2};
static const uint8_t seed[TABLE_SEED_SIZE] = {3};

static struct prosa_bytes nick(const char *text)
{
    return prosa_bytes_of_string(text);
}

static void test_one_nick_one_key(void)
{
    names_init(&names, seed);
    PROSA_CLAUSE("ID-06");
    CHECK(names_of_key(&names, ada_key) == NULL && names_of_nick(&names, nick("ada")) == NULL);
    CHECK(names_bind(&names, nick("ada"), ada_key));
    CHECK(names_of_key(&names, ada_key) == names_of_nick(&names, nick("ada")));
    CHECK(names_of_key(&names, ada_key)->nick_size == 3);
    CHECK(names_of_nick(&names, nick("ad")) == NULL && names_of_nick(&names, nick("adaa")) == NULL);
    CHECK(names_of_nick(&names, nick("")) == NULL);
    CHECK(names_bind(&names, nick("a-name-of-thirty-two-octets-00000"), bob_key) == false);
    CHECK(names_of_key(&names, bob_key) == NULL && names_count(&names) == 1);
    CHECK(names_bind(&names, nick("a-name-of-thirty-two-octets-0000"), bob_key));
    CHECK(names_count(&names) == 2);
    names_fini(&names);
}

static void test_unbind_frees_both(void)
{
    names_init(&names, seed);
    CHECK(names_bind(&names, nick("ada"), ada_key));
    PROSA_CLAUSE("ID-11");
    names_unbind(&names, bob_key); /* nobody */
    CHECK(names_count(&names) == 1);
    names_unbind(&names, ada_key);
    CHECK(names_count(&names) == 0 && names_of_nick(&names, nick("ada")) == NULL);
    CHECK(names_bind(&names, nick("ada"), bob_key) && names_bind(&names, nick("eve"), ada_key));
    CHECK(memcmp(names_of_nick(&names, nick("ada"))->key, bob_key, PROSA_KEY_SIZE) == 0);
    names_fini(&names);
}

static void test_a_ban_outlives_the_name(void)
{
    names_init(&names, seed);
    PROSA_CLAUSE("ID-08");
    CHECK(names_bind(&names, nick("ada"), ada_key) && names_ban(&names, ada_key, true));
    names_unbind(&names, ada_key);
    CHECK(names_of_key(&names, ada_key) != NULL && names_of_key(&names, ada_key)->banned);
    CHECK(names_ban(&names, ada_key, false) && names_of_key(&names, ada_key) == NULL);
    CHECK(names_ban(&names, bob_key, false) && names_count(&names) == 0);
    CHECK(names_ban(&names, bob_key, true) && names_of_key(&names, bob_key)->nick_size == 0);
    CHECK(names_bind(&names, nick("bob"), bob_key) && names_count(&names) == 1);
    CHECK(names_of_nick(&names, nick("bob")) == names_of_key(&names, bob_key));
    CHECK(names_of_key(&names, bob_key)->banned);
    names_fini(&names);
}

int main(void)
{
    test_one_nick_one_key();
    test_unbind_frees_both();
    test_a_ban_outlives_the_name();
    return check_result();
}
