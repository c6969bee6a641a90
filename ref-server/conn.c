/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Octets that one send gives to the socket; who reads faster than the log is read would hold the loop. */
#define CONN_SEND_SIZE (4 * (size_t)PROSA_BATCH_OCTETS)

struct conn *conn_new(struct loop *loop, int kind, const struct newcomer *newcomer,
                      const struct prosa_server_config *config)
{
    uint8_t nonce[PROSA_NONCE_SIZE];
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        close(newcomer->fd);
        return NULL;
    }
    entropy_fill(nonce, sizeof nonce);
    if (prosa_server_session_init(&conn->session, config, nonce, loop->now_ms) != PROSA_OK) {
        free(conn);
        close(newcomer->fd);
        return NULL;
    }
    conn->source.kind = kind;
    conn->source.owner = conn;
    if (loop_add(loop, &conn->source, newcomer->fd, LOOP_READ) != 0) {
        prosa_server_session_fini(&conn->session);
        free(conn);
        close(newcomer->fd);
        return NULL;
    }
    conn->from = newcomer->from;
    list_init(&conn->place);
    list_init(&conn->dirty);
    return conn;
}

struct conn_words conn_describe(const struct conn *conn)
{
    struct conn_words words = {.nick = "-", .key_suffix = "-"};
    const struct prosa_bytes nick = prosa_server_session_nick(&conn->session);
    endpoint_format(&conn->from, words.address);
    if (nick.size > 0) {
        memcpy(words.nick, nick.at, nick.size);
        words.nick[nick.size] = '\0';
        key_suffix_format(prosa_server_session_client_key(&conn->session), words.key_suffix);
    }
    return words;
}

struct verify_task *conn_task(struct conn *conn, const struct prosa_server_event *event)
{
    if (conn->lane == NULL) {
        conn->lane = malloc(sizeof *conn->lane);
        if (conn->lane == NULL) {
            return NULL;
        }
        lane_init(conn->lane, conn);
    }
    return verify_task_new(event->octets, event->body, &event->job);
}

static void free_lane(struct conn *conn)
{
    if (conn->lane != NULL) {
        list_remove(&conn->lane->resting);
        lane_fini(conn->lane);
        free(conn->lane);
        conn->lane = NULL;
    }
}

void conn_drop_tasks(struct conn *conn, struct verifier *verifier)
{
    if (conn->lane != NULL) {
        verifier_drop(verifier, conn->lane);
    }
}

void conn_drop_lane(struct conn *conn, struct verifier *verifier)
{
    conn_drop_tasks(conn, verifier);
    free_lane(conn);
}

void conn_part(struct conn *conn, struct loop *loop, bool reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    loop_remove(loop, &conn->source);
    if (reset) {
        (void)setsockopt(conn->source.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    close(conn->source.fd);
    conn->parted = true;
}

void conn_free(struct conn *conn)
{
    prosa_server_session_fini(&conn->session);
    free_lane(conn);
    free(conn);
}

size_t conn_receive(struct conn *conn, uint64_t now_ms)
{
    uint8_t *at;
    const size_t space = conn->eof ? 0 : prosa_server_session_recv_space(&conn->session, &at);
    conn->thirsty = space == 0;
    if (space == 0) {
        return 0;
    }
    const ssize_t n = recv(conn->source.fd, at, space, 0);
    if (n > 0) {
        prosa_server_session_recv_commit(&conn->session, (size_t)n, now_ms);
    } else if (n == 0 && !conn->failed) {
        conn->eof = true;
        prosa_server_session_recv_eof(&conn->session, now_ms);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        conn->eof = true;
        prosa_server_session_recv_reset(&conn->session, now_ms);
    }
    return n > 0 ? (size_t)n : 0;
}

static struct prosa_bytes find_entry(const struct room *room, struct pages *pages, uint64_t room_seq)
{
    const struct prosa_bytes entry = room_entry(room, room_seq);
    return entry.size > 0 || pages == NULL ? entry : pages_entry(pages, room->number, room_seq);
}

/* Whoever is owed the entry is told INTERNAL, and comes again. */
static void tell_unreadable(const struct room *room, uint64_t room_seq)
{
    log_flood(LOG_LEVEL_ERROR, "log-unreadable", "table=entries room=%.*s room_seq=%llu",
              (int)room->shared.name_size, (const char *)room->shared.name, (unsigned long long)room_seq);
}

/* The session's octets and the entries that it wants. False: an entry cannot be read. */
static bool fill(struct conn *conn, struct pages *pages, struct prosa_batch *batch, uint64_t now_ms)
{
    struct prosa_room *room;
    uint64_t room_seq;
    prosa_server_session_batch(&conn->session, batch, now_ms);
    while (prosa_server_session_want(&conn->session, batch, &room, &room_seq)) {
        const struct prosa_bytes entry = find_entry(room_of(room), pages, room_seq);
        if (entry.size == 0) {
            tell_unreadable(room_of(room), room_seq);
            return false;
        }
        prosa_server_session_lend(batch, entry);
    }
    return true;
}

static ssize_t write_batch(int fd, const struct prosa_batch *batch)
{
    struct iovec parts[PROSA_BATCH_SLICES];
    const uint8_t *end = NULL;
    int count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct prosa_bytes slice = batch->slices[i];
        if (slice.at == end) {
            parts[count - 1].iov_len += slice.size; /* entries of a room stand side by side */
        } else {
            parts[count++] = (struct iovec){.iov_base = (void *)slice.at, .iov_len = slice.size};
        }
        end = slice.at + slice.size;
    }
    return writev(fd, parts, count);
}

size_t conn_send(struct conn *conn, struct pages *pages, uint64_t now_ms)
{
    struct prosa_batch batch;
    size_t progress = 0;
    conn->blocked = false;
    while (!conn->blocked) {
        const bool readable = fill(conn, pages, &batch, now_ms);
        if (batch.octets == 0) {
            prosa_server_session_sent(&conn->session, &batch, 0, now_ms);
            if (readable || conn->unreadable) {
                return progress;
            }
            conn->unreadable = true;
            prosa_server_session_fail(&conn->session, PROSA_ERR_INTERNAL, now_ms);
            continue; /* which says so */
        }
        const ssize_t n = conn->failed ? 0 : write_batch(conn->source.fd, &batch);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            conn->failed = true;
        }
        const size_t taken = n > 0 ? (size_t)n : 0;
        prosa_server_session_sent(&conn->session, &batch, taken, now_ms);
        progress += taken;
        conn->blocked = taken < batch.octets || progress >= CONN_SEND_SIZE;
    }
    return progress;
}

void conn_shut(struct conn *conn)
{
    if (shutdown(conn->source.fd, SHUT_WR) != 0) {
        conn->failed = true;
    }
}

static void look_for_space(struct conn *conn)
{
    uint8_t *at;
    if (conn->thirsty && !conn->eof) {
        conn->thirsty = prosa_server_session_recv_space(&conn->session, &at) == 0;
    }
}

bool conn_give_up(struct conn *conn, uint64_t now_ms)
{
    look_for_space(conn);
    if (!conn->failed || !conn->thirsty || conn->eof) {
        return false;
    }
    conn->eof = true;
    prosa_server_session_recv_reset(&conn->session, now_ms);
    return true;
}

void conn_rest(struct conn *conn, struct loop *loop)
{
    look_for_space(conn);
    const unsigned reads = conn->eof || conn->thirsty ? 0 : LOOP_READ;
    const unsigned writes = conn->blocked && !conn->failed ? LOOP_WRITE : 0;
    loop_set_interest(loop, &conn->source, reads | writes);
    loop_set_deadline(loop, &conn->source, prosa_server_session_deadline_ms(&conn->session));
}
