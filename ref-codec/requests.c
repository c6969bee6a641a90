/* SPDX-License-Identifier: MIT */
#include "requests.h"

#include <prosa/prosa.h>

#include <stdbool.h>
#include <stdio.h>

/* --- words to values ---------------------------------------------------------------------------- */

static int hex_digit(uint8_t octet)
{
    if (octet >= '0' && octet <= '9')
        return octet - '0';
    if (octet >= 'a' && octet <= 'f')
        return octet - 'a' + 10;
    return -1;
}

/* Lower-case hexadecimal, or "-" for none; decoded in place. */
static bool to_octets(struct word word, struct prosa_bytes *octets)
{
    *octets = prosa_bytes(word.at, 0);
    if (word.size == 1 && word.at[0] == '-')
        return true;
    if (word.size == 0 || word.size % 2 != 0)
        return false;
    for (size_t i = 0; i < word.size; i += 2) {
        int high = hex_digit(word.at[i]);
        int low = hex_digit(word.at[i + 1]);
        if (high < 0 || low < 0)
            return false;
        word.at[i / 2] = (uint8_t)(high << 4 | low);
    }
    octets->size = word.size / 2;
    return true;
}

static bool to_octets_of_size(struct word word, size_t size, struct prosa_bytes *octets)
{
    return to_octets(word, octets) && octets->size == size;
}

static bool to_number(struct word word, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < word.size; i++) {
        unsigned digit = (unsigned)word.at[i] - '0';
        if (digit > 9 || *number > (UINT64_MAX - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    return word.size > 0;
}

/* A JOIN takes it. */
static bool is_room(struct word word)
{
    uint8_t octets[128];
    size_t size = 0;
    const struct prosa_message message = {
        .type = PROSA_FRAME_JOIN,
        .join = {.room = prosa_bytes(word.at, word.size),
                 .send_window = 1,
                 .recv_window = PROSA_MIN_RECV_WINDOW},
    };
    return prosa_message_encode(&message, prosa_bytes(NULL, 0), octets, sizeof octets, &size) == PROSA_OK;
}

static bool word_is(struct word word, const char *text)
{
    return prosa_bytes_equal(prosa_bytes(word.at, word.size), prosa_bytes_of_string(text));
}

/* One whole good frame, and nothing after it. */
static bool to_frame(struct word word, struct prosa_frame *frame, struct prosa_message *message)
{
    struct prosa_bytes octets;

    return to_octets(word, &octets) &&
           prosa_frame_parse(octets, PROSA_MAX_FRAME_CEILING, frame) == PROSA_OK &&
           frame->octets.size == octets.size &&
           prosa_message_decode(frame, PROSA_FROM_CLIENT, message) == PROSA_OK;
}

static bool to_frame_of_type(struct word word, uint8_t type, struct prosa_frame *frame,
                             struct prosa_message *message)
{
    return to_frame(word, frame, message) && frame->type == type;
}

/* --- values to JSON ----------------------------------------------------------------------------- */

static void print_hex(const char *name, struct prosa_bytes octets)
{
    printf("\"%s\":\"", name);
    for (size_t i = 0; i < octets.size; i++)
        printf("%02x", octets.at[i]);
    putchar('"');
}

static void print_verdict(const char *name, enum prosa_status status)
{
    printf("\"%s\":\"%s\"", name, status == PROSA_OK ? "valid" : "invalid");
}

/* `text`, the comma between two members included, e.g. print_hash("{", "hash", h, "}\n"). */
static void print_hash(const char *before, const char *name, const uint8_t hash[static PROSA_HASH_SIZE],
                       const char *after)
{
    fputs(before, stdout);
    print_hex(name, prosa_bytes(hash, PROSA_HASH_SIZE));
    fputs(after, stdout);
}

/* Six characters an octet is the most that a projection needs, and a little for names. */
static char projection[PROSA_MAX_FRAME_CEILING * 6 + 4096];

static void print_projection(const char *verdict, const struct prosa_frame *frame)
{
    size_t needed = prosa_json_frame(frame, projection, sizeof projection);
    printf("{\"verdict\":\"%s\",\"consumed\":%zu,\"frame\":%s", verdict, frame->octets.size,
           needed < sizeof projection ? projection : "null");
}

/* --- requests ----------------------------------------------------------------------------------- */

/* Each gets its words after the first, as many as the table allows, and prints one line. False:
 * the words are not of the form asked for, and nothing was printed. */

static void print_decoded(const struct prosa_frame *frame, const struct prosa_message *message)
{
    static uint8_t encoded[PROSA_HEADER_SIZE + PROSA_MAX_FRAME_CEILING];
    size_t size = 0;
    enum prosa_status status = prosa_message_encode(message, message->body, encoded, sizeof encoded, &size);

    print_projection("frame", frame);
    putchar(',');
    print_hex("encoded", prosa_bytes(encoded, status == PROSA_OK ? size : 0));
    if (frame->type == PROSA_FRAME_DELIVER)
        printf(",\"displayable\":%s", message->displayable ? "true" : "false");
    fputs("}\n", stdout);
}

static bool answer_decode(struct word *args, size_t count)
{
    struct prosa_bytes octets;
    struct prosa_frame frame;
    struct prosa_message message;
    uint64_t cap;
    (void)count;

    enum prosa_sender from = word_is(args[0], "client") ? PROSA_FROM_CLIENT : PROSA_FROM_SERVER;
    if (from == PROSA_FROM_SERVER && !word_is(args[0], "server"))
        return false;
    if (!to_number(args[1], &cap) || cap > PROSA_MAX_FRAME_CEILING || !to_octets(args[2], &octets))
        return false;

    enum prosa_status status = prosa_frame_parse(octets, (size_t)cap, &frame);
    if (status == PROSA_IGNORED) {
        print_projection("ignored", &frame);
        fputs("}\n", stdout);
        return true;
    }
    if (status == PROSA_OK)
        status = prosa_message_decode(&frame, from, &message);
    if (status == PROSA_OK)
        print_decoded(&frame, &message);
    else if (status == PROSA_PARTIAL)
        fputs("{\"verdict\":\"partial\"}\n", stdout);
    else
        printf("{\"verdict\":\"error\",\"error\":\"%s\"}\n", prosa_status_name(status));
    return true;
}

static void print_only_verdict(enum prosa_status status)
{
    putchar('{');
    print_verdict("verdict", status);
    fputs("}\n", stdout);
}

static bool answer_key(struct word *args, size_t count)
{
    struct prosa_bytes key;
    (void)count;

    if (!to_octets(args[0], &key))
        return false;
    print_only_verdict(prosa_key_check(key));
    return true;
}

static bool answer_verify(struct word *args, size_t count)
{
    struct prosa_bytes key, sig, message;
    (void)count;

    if (!to_octets(args[0], &key) || !to_octets(args[1], &sig) || !to_octets(args[2], &message))
        return false;
    enum prosa_status status = prosa_verify(key, prosa_bytes(NULL, 0), message, sig);
    if (status == PROSA_ERR_CALL)
        return false;
    print_only_verdict(status);
    return true;
}

static bool answer_sign(struct word *args, size_t count)
{
    struct prosa_bytes seed, message;
    struct prosa_keypair keypair;
    uint8_t sig[PROSA_SIGNATURE_SIZE];
    (void)count;

    if (!to_octets_of_size(args[0], PROSA_SEED_SIZE, &seed) || !to_octets(args[1], &message))
        return false;
    prosa_keypair_from_seed(&keypair, seed.at);
    bool good = prosa_sign(&keypair, prosa_bytes(NULL, 0), message, sig) == PROSA_OK;
    if (good) {
        print_hash("{", "key", keypair.key, ",");
        print_hex("signature", prosa_bytes(sig, sizeof sig));
        fputs("}\n", stdout);
    }
    prosa_keypair_wipe(&keypair);
    return good;
}

static bool answer_message(struct word *args, size_t count)
{
    struct prosa_frame frame;
    struct prosa_message message;
    uint8_t id[PROSA_HASH_SIZE];
    (void)count;

    if (!to_frame(args[0], &frame, &message))
        return false;
    bool publish = frame.type == PROSA_FRAME_PUBLISH;
    if (!publish && frame.type != PROSA_FRAME_DELIVER)
        return false;
    const uint8_t *key = publish ? message.publish.author_key : message.deliver.author_key;
    const uint8_t *sig = publish ? message.publish.author_sig : message.deliver.author_sig;
    putchar('{');
    print_verdict("verdict", prosa_author_verify(key, frame.body, sig));
    putchar(',');
    print_hex("author_zone", prosa_author_zone(frame.body));
    prosa_message_id(frame.body, id);
    print_hash(",", "id", id, "}\n");
    return true;
}

static bool answer_room_id(struct word *args, size_t count)
{
    struct prosa_bytes server_key, epoch, client_key = {NULL, 0};
    uint8_t room_id[PROSA_HASH_SIZE];

    if (!to_octets_of_size(args[0], PROSA_KEY_SIZE, &server_key) ||
        !to_octets_of_size(args[1], PROSA_EPOCH_SIZE, &epoch) || !is_room(args[2]))
        return false;
    if ((count == 4) != word_is(args[2], "@host"))
        return false;
    if (count == 4 && !to_octets_of_size(args[3], PROSA_KEY_SIZE, &client_key))
        return false;
    prosa_room_id(server_key.at, epoch.at, prosa_bytes(args[2].at, args[2].size), client_key.at, room_id);
    print_hash("{", "room_id", room_id, "}\n");
    return true;
}

static bool answer_handshake(struct word *args, size_t count)
{
    struct prosa_frame hello, challenge, auth;
    struct prosa_message hello_message, challenge_message, auth_message;
    struct prosa_sha256 hash;
    uint8_t th1[PROSA_HASH_SIZE], th2[PROSA_HASH_SIZE];

    if (!to_frame_of_type(args[0], PROSA_FRAME_HELLO, &hello, &hello_message) ||
        !to_frame_of_type(args[1], PROSA_FRAME_CHALLENGE, &challenge, &challenge_message))
        return false;
    if (count == 3 && !to_frame_of_type(args[2], PROSA_FRAME_AUTH, &auth, &auth_message))
        return false;
    prosa_sha256_init(&hash);
    prosa_sha256_add(&hash, hello.octets);
    prosa_transcript_th1(&hash, challenge.octets, th1);
    prosa_transcript_th2(&hash, challenge.octets, th2);
    print_hash("{", "th1", th1, ",");
    print_hash("", "th2", th2, ",");
    print_verdict("server_auth",
                  prosa_challenge_verify(challenge_message.challenge.server_key, &hash, challenge.octets));
    if (count == 3) {
        putchar(',');
        print_verdict("client_auth", prosa_auth_verify(hello_message.hello.client_key, th2, auth.octets));
    }
    fputs("}\n", stdout);
    return true;
}

static bool answer_chain_start(struct word *args, size_t count)
{
    struct prosa_bytes room_id;
    uint8_t hash[PROSA_HASH_SIZE];
    (void)count;

    if (!to_octets_of_size(args[0], PROSA_HASH_SIZE, &room_id))
        return false;
    prosa_chain_start(room_id.at, hash);
    print_hash("{", "hash", hash, "}\n");
    return true;
}

static bool answer_chain(struct word *args, size_t count)
{
    struct prosa_bytes previous, id;
    uint64_t room_seq, server_time;
    uint8_t hash[PROSA_HASH_SIZE];
    (void)count;

    if (!to_octets_of_size(args[0], PROSA_HASH_SIZE, &previous) || !to_number(args[1], &room_seq) ||
        !to_number(args[2], &server_time) || !to_octets_of_size(args[3], PROSA_HASH_SIZE, &id))
        return false;
    prosa_chain_next(previous.at, room_seq, server_time, id.at, hash);
    print_hash("{", "hash", hash, "}\n");
    return true;
}

static bool answer_checkpoint(struct word *args, size_t count)
{
    struct prosa_bytes key;
    struct prosa_frame frame;
    struct prosa_message message;
    (void)count;

    if (!to_octets(args[0], &key) || !to_frame_of_type(args[1], PROSA_FRAME_CHECKPOINT, &frame, &message))
        return false;
    print_only_verdict(key.size == PROSA_KEY_SIZE ? prosa_checkpoint_verify(key.at, frame.octets)
                                                  : PROSA_ERR_BAD_KEY); /* [KEY-01] */
    return true;
}

static const struct request {
    const char *name;
    size_t least, most; /* words after the name */
    bool (*answer)(struct word *args, size_t count);
} requests[] = {
    {"decode", 3, 3, answer_decode},       {"key", 1, 1, answer_key},
    {"verify", 3, 3, answer_verify},       {"sign", 2, 2, answer_sign},
    {"message", 1, 1, answer_message},     {"room-id", 3, 4, answer_room_id},
    {"handshake", 2, 3, answer_handshake}, {"chain-start", 1, 1, answer_chain_start},
    {"chain", 4, 4, answer_chain},         {"checkpoint", 2, 2, answer_checkpoint},
};

void request_answer(struct word *words, size_t count)
{
    for (size_t i = 0; count > 0 && i < sizeof requests / sizeof requests[0]; i++) {
        const struct request *request = &requests[i];
        if (!word_is(words[0], request->name))
            continue;
        if (count - 1 >= request->least && count - 1 <= request->most &&
            request->answer(words + 1, count - 1))
            return;
    }
    fputs("{\"verdict\":\"unsupported\"}\n", stdout);
}
