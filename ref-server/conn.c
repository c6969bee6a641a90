/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct conn *conn_new(struct loop *loop, int kind, int fd, const struct prosa_server_config *config)
{
    uint8_t nonce[PROSA_NONCE_SIZE];
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        close(fd);
        return NULL;
    }
    entropy_fill(nonce, sizeof nonce);
    if (prosa_server_session_init(&conn->session, config, nonce, loop->now_ms) != PROSA_OK) {
        free(conn);
        close(fd);
        return NULL;
    }
    conn->source.kind = kind;
    conn->source.owner = conn;
    if (loop_add(loop, &conn->source, fd, LOOP_READ) != 0) {
        prosa_server_session_fini(&conn->session);
        free(conn);
        close(fd);
        return NULL;
    }
    list_init(&conn->place);
    list_init(&conn->dirty);
    return conn;
}

void conn_free(struct conn *conn, struct loop *loop, bool reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    loop_remove(loop, &conn->source);
    if (reset) {
        (void)setsockopt(conn->source.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    close(conn->source.fd);
    prosa_server_session_fini(&conn->session);
    room_free(conn->host);
    free(conn);
}

void conn_receive(struct conn *conn, uint64_t now_ms)
{
    uint8_t *at;
    const size_t space = conn->eof ? 0 : prosa_server_session_recv_space(&conn->session, &at);
    conn->thirsty = space == 0;
    if (space == 0) {
        return;
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
}

/* The session's octets and the entries that it wants. */
static void fill(struct conn *conn, struct prosa_batch *batch, uint64_t now_ms)
{
    struct prosa_room *room;
    uint64_t room_seq;
    prosa_server_session_batch(&conn->session, batch, now_ms);
    while (prosa_server_session_want(&conn->session, batch, &room, &room_seq)) {
        prosa_server_session_lend(batch, room_entry(room_of(room), room_seq));
    }
}

static ssize_t write_batch(int fd, const struct prosa_batch *batch)
{
    struct iovec parts[PROSA_BATCH_SLICES];
    for (size_t i = 0; i < batch->count; i++) {
        parts[i].iov_base = (void *)batch->slices[i].at;
        parts[i].iov_len = batch->slices[i].size;
    }
    return writev(fd, parts, (int)batch->count);
}

bool conn_send(struct conn *conn, uint64_t now_ms)
{
    struct prosa_batch batch;
    bool progress = false;
    conn->blocked = false;
    while (!conn->blocked) {
        fill(conn, &batch, now_ms);
        if (batch.octets == 0) {
            prosa_server_session_sent(&conn->session, &batch, 0, now_ms);
            return progress;
        }
        const ssize_t n = conn->failed ? 0 : write_batch(conn->source.fd, &batch);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            conn->failed = true;
        }
        const size_t taken = n > 0 ? (size_t)n : 0;
        prosa_server_session_sent(&conn->session, &batch, taken, now_ms);
        conn->blocked = taken < batch.octets;
        progress = progress || taken > 0;
    }
    return progress;
}

void conn_shut(struct conn *conn)
{
    if (shutdown(conn->source.fd, SHUT_WR) != 0) {
        conn->failed = true;
    }
}

void conn_rest(struct conn *conn, struct loop *loop)
{
    uint8_t *at;
    if (conn->thirsty && !conn->eof) {
        conn->thirsty = prosa_server_session_recv_space(&conn->session, &at) == 0;
    }
    const unsigned reads = conn->eof || conn->thirsty ? 0 : LOOP_READ;
    const unsigned writes = conn->blocked && !conn->failed ? LOOP_WRITE : 0;
    loop_set_interest(loop, &conn->source, reads | writes);
    loop_set_deadline(loop, &conn->source, prosa_server_session_deadline_ms(&conn->session));
}
