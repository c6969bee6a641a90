/* SPDX-License-Identifier: MIT */
#include <prosa/status.h>

#include "check.h"

/* Every code that an ERROR carries has its status, with the registry's number, name and text. */
static void test_statuses_are_the_registry_s_codes(void)
{
    for (size_t i = 0; i < PROSA_CODES_COUNT; i++) {
        const struct prosa_code_spec *row = &prosa_registry_codes[i];
        enum prosa_status status = (enum prosa_status) - (int)row->code;
        CHECK(prosa_status_code(status) == row->code);
        CHECK(strcmp(prosa_status_name(status), row->name) == 0);
        CHECK(strcmp(prosa_status_text(status), row->text) == 0);
        CHECK(strcmp(prosa_code_name(row->code), row->name) == 0);
    }
    CHECK(prosa_status_code(PROSA_ERR_BAD_FRAME) == PROSA_CODE_BAD_FRAME);
    CHECK(prosa_status_code(PROSA_ERR_INTERNAL) == PROSA_CODE_INTERNAL);
}

static void test_local_statuses_are_not_told(void)
{
    CHECK(prosa_status_code(PROSA_OK) == 0);
    CHECK(prosa_status_code(PROSA_PARTIAL) == 0);
    CHECK(prosa_status_code(PROSA_ERR_NO_SPACE) == PROSA_CODE_INTERNAL);
    CHECK(prosa_status_code(PROSA_ERR_CRYPTO) == PROSA_CODE_INTERNAL);
    CHECK(prosa_status_code(PROSA_ERR_CALL) == PROSA_CODE_INTERNAL);
}

static void test_every_status_has_a_name_and_a_text(void)
{
    static const enum prosa_status all[] = {PROSA_OK,           PROSA_PARTIAL,    PROSA_IGNORED, PROSA_END,
                                            PROSA_ERR_NO_SPACE, PROSA_ERR_CRYPTO, PROSA_ERR_CALL};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        CHECK(strcmp(prosa_status_name(all[i]), "UNKNOWN") != 0);
        CHECK(strlen(prosa_status_text(all[i])) > 3);
    }
    CHECK(strcmp(prosa_status_name((enum prosa_status) - 0x7777), "UNKNOWN") == 0);
    CHECK(prosa_code_name(0x7777) == NULL);
}

/* Codes are handled by class, known or not. */
static void test_classes_decide_what_closes(void)
{
    CHECK(prosa_code_class(PROSA_CODE_NO_ROOM) == PROSA_CLASS_REFUSED);
    CHECK(prosa_code_closes(PROSA_CODE_BAD_FRAME));
    CHECK(prosa_code_closes(0x03FF));
    CHECK(!prosa_code_closes(PROSA_CODE_NO_ROOM));
    CHECK(!prosa_code_closes(0x04FF));
    CHECK(!prosa_code_closes(PROSA_CODE_NO_ANSWER));
    CHECK(prosa_code_closes(PROSA_CODE_SHUTDOWN));
    CHECK(prosa_code_closes(0x7701));
}

int main(void)
{
    test_statuses_are_the_registry_s_codes();
    test_local_statuses_are_not_told();
    test_every_status_has_a_name_and_a_text();
    test_classes_decide_what_closes();
    return check_result();
}
