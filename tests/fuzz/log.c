/* SPDX-License-Identifier: MIT */
/*
 * The log of a server with damage: u8 of the image, u8 of whether signatures are looked at, then damages of
 * 6 octets. The server refuses the log, or nothing of what it reads has changed.
 * There are two images: a log that was closed, and one whose newest part stands in its -wal, as after a
 * crash.
 */
#include "rig.h"

#include "fuzz.h"
#include "logcheck.h"
#include "store_parts.h"

#include <prosa/text.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOMS = 3, ENTRIES = 7, LARGEST = 1 << 19, DAMAGES = 8, DAMAGE = 6, FILES = 3 };

#define PAGE ((size_t)4096)

static const char *const file_names[FILES] = {"log.db", "log.db-wal", "lock"};
static const char *const room_names[ROOMS] = {"dev", "lab", "@host"};

struct image {
    uint8_t *files[FILES];
    size_t sizes[FILES];
};

/* What a server reads. */
struct picture {
    bool has_room[ROOMS];
    struct store_room rooms[ROOMS];
    struct store_author authors[ROOMS];
    uint8_t *entries[ROOMS];
    size_t sizes[ROOMS], ends[ROOMS][ENTRIES + 1], counts[ROOMS];
    struct store_name names[4];
    size_t name_count;
    bool failed; /* something cannot be read, and that was said */
};

static struct rig rig;
static struct image images[2];
static struct picture whole;

/* --- files ------------------------------------------------------------------------------------ */

static const char *path_of(const char *name)
{
    static char path[2048];
    snprintf(path, sizeof path, "%s/%s", rig.folder, name);
    return path;
}

static void take_file(const char *name, uint8_t **octets, size_t *size)
{
    FILE *file = fopen(path_of(name), "rb");
    *octets = malloc(LARGEST);
    PROMISE(*octets != NULL);
    *size = file == NULL ? 0 : fread(*octets, 1, LARGEST, file);
    PROMISE(*size < LARGEST);
    if (file != NULL) {
        fclose(file);
    }
}

static void take_image(struct image *image)
{
    for (size_t i = 0; i < FILES; i++) {
        take_file(file_names[i], &image->files[i], &image->sizes[i]);
    }
    PROMISE(image->sizes[0] > 0 && image->sizes[2] > 0);
}

static void put_image(const struct image *image)
{
    unlink(path_of("log.db-shm"));
    for (size_t i = 0; i < FILES; i++) {
        if (image->sizes[i] == 0 && i == 1) {
            unlink(path_of(file_names[i]));
            continue;
        }
        const int fd = open(path_of(file_names[i]), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        PROMISE(fd >= 0 && write(fd, image->files[i], image->sizes[i]) == (ssize_t)image->sizes[i]);
        close(fd);
    }
}

/* --- pictures --------------------------------------------------------------------------------- */

static void look_at_room(struct picture *picture, size_t i)
{
    struct store_room *room = &picture->rooms[i];
    enum store_found found =
        store_find_room(rig.store, prosa_bytes_of_string(room_names[i]), rig.ada.key, room);
    picture->has_room[i] = found == STORE_FOUND;
    picture->failed = picture->failed || found == STORE_FAILED;
    if (found != STORE_FOUND) {
        return;
    }
    found = store_find_author(rig.store, room->number, rig.ada.key, &picture->authors[i]);
    picture->failed = picture->failed || found == STORE_FAILED;
    found = store_read(rig.store, room->number, room->oldest_seq, ENTRIES, &picture->entries[i],
                       picture->ends[i], &picture->counts[i]);
    picture->sizes[i] = found == STORE_FOUND ? picture->ends[i][picture->counts[i] - 1] : 0;
    picture->failed = picture->failed || found == STORE_FAILED;
}

static void look(struct picture *picture)
{
    int64_t place = 0;
    enum store_found found;
    memset(picture, 0, sizeof *picture);
    for (size_t i = 0; i < ROOMS; i++) {
        look_at_room(picture, i);
    }
    while (picture->name_count < 4 &&
           (found = store_next_name(rig.store, &place, &picture->names[picture->name_count])) != STORE_NONE) {
        picture->failed = picture->failed || found == STORE_FAILED;
        if (found == STORE_FAILED) {
            break;
        }
        picture->name_count++;
    }
}

static void forget(struct picture *picture)
{
    for (size_t i = 0; i < ROOMS; i++) {
        free(picture->entries[i]);
    }
}

/* --- the logs --------------------------------------------------------------------------------- */

static void write_log(void)
{
    PROMISE(store_put_name(rig.store, prosa_bytes_of_string("ada"), rig.ada.key, true) != 0);
    PROMISE(store_put_ban(rig.store, rig.bob.key, true) != 0);
    rig_settle(&rig);
    for (size_t i = 0; i < ROOMS; i++) {
        struct rig_room room = rig_make_room(&rig, room_names[i], (uint8_t)(i + 1));
        for (uint64_t n = 1; n <= ENTRIES; n++) {
            (void)rig_say(&rig, &room, n % 2 == 1 ? &rig.ada : &rig.bob, (n + 1) / 2,
                          "something that was said");
        }
        rig_settle(&rig);
    }
}

static void tidy_up(void)
{
    rig_fini(&rig);
}

static void make_images(void)
{
    rig_init(&rig, NULL);
    (void)atexit(tidy_up);
    rig_open(&rig);
    write_log();
    take_image(&images[1]); /* of a log in use: a crash leaves nothing else */
    look(&whole);
    PROMISE(!whole.failed && whole.name_count == 2);
    rig_close(&rig);
    take_image(&images[0]);
    PROMISE(images[0].sizes[1] == 0 && images[1].sizes[1] > 10 * PAGE);
}

/* --- damage ----------------------------------------------------------------------------------- */

/* One damage; true: it is a single octet, the smallest one that there is. */
static bool damage(struct image *image, struct prosa_reader *reader)
{
    const uint8_t what = prosa_read_u8(reader);
    const uint8_t value = prosa_read_u8(reader);
    const uint32_t number = prosa_read_u32(reader);
    const size_t which = what / 8 % FILES;
    uint8_t *octets = image->files[which];
    size_t *size = &image->sizes[which];
    if (*size == 0) {
        return true;
    }
    const size_t at = number % *size;
    const size_t pages = *size / PAGE;
    const size_t run = *size - at < PAGE ? *size - at : PAGE;
    switch (what % 8) {
    case 0:
        *size = at;
        return false;
    case 1: /* a sector that was never written */
        memset(octets + at / 512 * 512, 0, *size - at / 512 * 512 < 512 ? *size - at / 512 * 512 : 512);
        return false;
    case 2: /* a page in the place of another one */
        if (pages > 0) {
            memmove(octets + at / PAGE % pages * PAGE, octets + value % pages * PAGE, PAGE);
        }
        return false;
    case 3:
        memset(octets + at, value, run < 64 ? run : 64);
        return false;
    default:
        octets[at] ^= value;
        return true;
    }
}

static bool same_room(const struct store_room *a, const struct store_room *b)
{
    return a->number == b->number && a->head_seq == b->head_seq && a->oldest_seq == b->oldest_seq &&
           a->server_time == b->server_time && memcmp(a->epoch, b->epoch, sizeof a->epoch) == 0 &&
           memcmp(a->room_id, b->room_id, sizeof a->room_id) == 0 &&
           memcmp(a->chain, b->chain, sizeof a->chain) == 0 &&
           memcmp(a->pruned_chain, b->pruned_chain, sizeof a->pruned_chain) == 0;
}

/* Nothing is taken for right that is not. One octet is always noticed wherever it matters; several may agree
 * with each other, but not about what hashes cover. */
static void compare(const struct picture *seen, bool everything, bool mark_is_whole)
{
    for (size_t i = 0; i < ROOMS; i++) {
        const struct store_room *room = &whole.rooms[i];
        PROMISE(!everything || seen->failed || seen->has_room[i]);
        if (!seen->has_room[i]) {
            continue;
        }
        PROMISE(memcmp(seen->rooms[i].room_id, room->room_id, sizeof room->room_id) == 0);
        PROMISE(seen->counts[i] <= whole.counts[i]);
        for (size_t n = 0; n < seen->counts[i] && seen->rooms[i].oldest_seq == 1; n++) {
            PROMISE(seen->ends[i][n] == whole.ends[i][n]);
        }
        PROMISE(seen->rooms[i].oldest_seq != 1 || seen->sizes[i] == 0 ||
                memcmp(seen->entries[i], whole.entries[i], seen->sizes[i]) == 0);
        PROMISE(!mark_is_whole || seen->failed || seen->rooms[i].oldest_seq != 1 ||
                seen->counts[i] == ENTRIES);
        if (everything && !seen->failed) {
            PROMISE(same_room(&seen->rooms[i], room));
            PROMISE(memcmp(&seen->authors[i], &whole.authors[i], sizeof whole.authors[i]) == 0);
        }
    }
    if (everything && !seen->failed) {
        PROMISE(seen->name_count == whole.name_count &&
                memcmp(seen->names, whole.names, sizeof whole.names) == 0);
    }
}

/* A sentence for people, on one line of any terminal, whatever stands in the file. */
static bool is_plain(const char *sentence)
{
    struct prosa_bytes rest = prosa_bytes_of_string(sentence);
    uint32_t code_point;
    bool plain = rest.size > 0;
    while (plain && rest.size > 0) {
        plain = prosa_text_next(&rest, &code_point) && !prosa_text_is_unprintable(code_point);
    }
    return plain;
}

/* What prosa-audit does; true: it has nothing to complain about. */
static bool audit(bool signatures)
{
    uint8_t key[PROSA_KEY_SIZE];
    char why[1024] = "";
    struct logcheck check;
    enum logcheck_step step;
    bool good = true;
    sqlite3 *db = database_open(path_of("log.db"), false, key, why, sizeof why);
    if (db == NULL) {
        PROMISE(is_plain(why));
        return false;
    }
    logcheck_init(&check, db, key, signatures);
    for (unsigned i = 0;; i++) {
        PROMISE(i < 10000);
        step = logcheck_next(&check);
        PROMISE((step != LOGCHECK_FAULT && step != LOGCHECK_BROKEN) || is_plain(check.why));
        good = good && (step == LOGCHECK_MORE || step == LOGCHECK_ROOM || step == LOGCHECK_END);
        if (step == LOGCHECK_END || step == LOGCHECK_BROKEN) {
            break;
        }
    }
    logcheck_fini(&check);
    database_close(db);
    return good && memcmp(key, rig.server.key, sizeof key) == 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the form is libFuzzer's */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    make_images();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t copies[FILES][LARGEST];
    struct prosa_reader reader;
    struct picture seen;
    char why[2048] = "";
    prosa_reader_init(&reader, prosa_bytes(data, size));
    const struct image *from = &images[prosa_read_u8(&reader) % 2];
    const uint8_t looks = prosa_read_u8(&reader);
    struct image image = *from;
    for (size_t i = 0; i < FILES; i++) {
        memcpy(copies[i], from->files[i], from->sizes[i]);
        image.files[i] = copies[i];
    }
    size_t count = 0;
    bool small = true;
    for (; count < DAMAGES && reader.left >= DAMAGE; count++) {
        small = damage(&image, &reader) && small;
    }
    const bool mark_is_whole =
        image.sizes[2] == from->sizes[2] && memcmp(copies[2], from->files[2], image.sizes[2]) == 0;
    put_image(&image);
    const bool audited = looks % 4 != 0 || audit(looks % 8 == 0);
    rig.store = store_open(rig.folder, rig.server.key, false, why, sizeof why);
    if (rig.store == NULL) {
        PROMISE(count > 0 && is_plain(why));
        return 0;
    }
    PROMISE(audited || count > 1); /* both read with the same eyes */
    look(&seen);
    compare(&seen, small && count <= 1, mark_is_whole);
    forget(&seen);
    rig_close(&rig);
    return 0;
}

/* Damages keep their form. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    struct dice dice = {seed};
    if (size < 2 || max_size < 2 + DAMAGE || dice_one_in(&dice, 8)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    const size_t count = (size - 2) / DAMAGE;
    size_t at = 2 + DAMAGE * (size_t)dice_below(&dice, count + 1);
    if (count == 0 || (dice_one_in(&dice, 3) && count < DAMAGES && size + DAMAGE <= max_size)) {
        at = 2 + DAMAGE * count;
        size = at + DAMAGE;
    } else if (at + DAMAGE > size) {
        data[dice_below(&dice, 2)] ^= (uint8_t)(1u << dice_below(&dice, 4));
        return size;
    }
    if (size > max_size) {
        return 2;
    }
    data[at] =
        dice_one_in(&dice, 3) ? (uint8_t)dice_below(&dice, 24) : (uint8_t)(dice_one_in(&dice, 2) ? 4 : 12);
    data[at + 1] = (uint8_t)(1u << dice_below(&dice, 8));
    prosa_store_u32(data + at + 2, dice_any(&dice) >> 8);
    return size;
}
