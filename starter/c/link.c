/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IN_ROOM  ((size_t)PROSA_HEADER_SIZE + PROSA_MAX_FRAME_CEILING)
#define OUT_MOST ((size_t)1 << 18) /* with more than this unsent nothing is read */

void link_open(struct link *link, const struct program *program, int fd, enum prosa_sender peer, uint8_t due)
{
    *link = (struct link){.program = program, .fd = fd, .peer = peer, .due = due};
    link->cap = PROSA_MAX_FRAME_HANDSHAKE;
    link->linger_ms = PROSA_TIMER_LINGER_MS_DEFAULT;
    link->in = malloc(IN_ROOM);
    if (!link->in)
        die(1, "no memory");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

void link_close(struct link *link)
{
    close(link->fd);
    free(link->in);
    free(link->out);
}

short link_events(const struct link *link)
{
    short events = 0;
    if (!link->is_at_end && link->out_size <= OUT_MOST)
        events |= POLLIN;
    if (link->out_size > 0)
        events |= POLLOUT;
    return events;
}

/* --- octets out -------------------------------------------------------------------------- */

static void flush(struct link *link)
{
    while (link->out_size > 0) {
        ssize_t sent = send(link->fd, link->out, link->out_size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (sent < 0) {
            link->out_size = 0; /* nobody takes it any longer; the next read tells how it ended */
            break;
        }
        memmove(link->out, link->out + sent, link->out_size - (size_t)sent);
        link->out_size -= (size_t)sent;
    }
    if (link->is_closing) {
        shutdown(link->fd, SHUT_WR);
        link->is_over = link->is_over || link->is_at_end;
    }
}

void send_octets(struct link *link, struct prosa_bytes octets)
{
    if (link->out_size + octets.size > link->out_room) {
        link->out_room = 2 * (link->out_size + octets.size);
        link->out = realloc(link->out, link->out_room);
        if (!link->out)
            die(1, "no memory");
    }
    memcpy(link->out + link->out_size, octets.at, octets.size);
    link->out_size += octets.size;
    flush(link);
}

void send_frame(struct link *link, uint8_t type, struct body *body)
{
    if (!link->is_closing) /* END-04 */
        send_octets(link, finish(body, type));
}

/* --- the end ----------------------------------------------------------------------------- */

bool refuse(struct link *link, uint16_t code, const char *clause)
{
    link->fault = (struct fault){code, clause};
    return false;
}

void give_up(struct link *link, const char *words)
{
    note("stopped, the connection ends here: %s", words);
    link->is_deaf = true;
    end_in_order(link);
}

static void copy_field(struct body *body, const struct frame *frame, uint16_t tag)
{
    if (frame && frame->row && has(frame, tag))
        put(body, tag, field(frame, tag).at, field(frame, tag).size);
}

void fail(struct link *link, struct fault fault, const struct frame *about, uint8_t ref_type)
{
    static struct body body;
    if (ref_type != PROSA_FRAME_ERROR && ref_type != PROSA_FRAME_BYE) { /* ERR-02, ERR-10 */
        begin(&body);
        copy_field(&body, about, PROSA_TAG_ROOM);
        copy_field(&body, about, PROSA_TAG_ROOM_ID);
        copy_field(&body, about, PROSA_TAG_COUNTER);
        put_number(&body, PROSA_TAG_CODE, fault.code);
        put_text(&body, PROSA_TAG_REASON, code_name(fault.code));
        if (ref_type)
            put_number(&body, PROSA_TAG_REF_TYPE, ref_type);
        put_text(&body, PROSA_TAG_CLAUSE, fault.clause);
        send_frame(link, PROSA_FRAME_ERROR, &body);
    }
    if (!is_fatal(fault.code))
        return;
    if (!link->is_closing)
        link->program->failed(link, fault);
    link->is_deaf = true;
    end_in_order(link);
}

void say_bye(struct link *link, uint16_t code, const char *reason)
{
    static struct body body;
    begin(&body);
    put_number(&body, PROSA_TAG_CODE, code);
    if (reason)
        put_text(&body, PROSA_TAG_REASON, reason);
    send_frame(link, PROSA_FRAME_BYE, &body);
    end_in_order(link);
}

void end_in_order(struct link *link)
{
    if (link->is_closing)
        return;
    link->is_closing = true;
    link->deadline = clock_ms() + link->linger_ms;
    flush(link);
}

/* --- octets in --------------------------------------------------------------------------- */

static bool admit(void *who, uint8_t type, const struct prosa_frame_spec *row, struct fault *fault)
{
    struct link *link = who;
    const char *clause = NULL;
    if (link->due && type != link->due && type != PROSA_FRAME_ERROR && type != PROSA_FRAME_BYE)
        clause = "WIRE-13";
    else if (row && !(row->from & link->peer))
        clause = "WIRE-15";
    else if (!link->due && row && type < PROSA_FRAME_JOIN)
        clause = "AUTH-01";
    if (clause)
        *fault = (struct fault){PROSA_CODE_BAD_STATE, clause};
    return !clause;
}

static bool take(struct link *link, const struct frame *frame)
{
    if (frame->type == PROSA_FRAME_PING) {
        static struct body body;
        begin(&body);
        // TODO 1: give the octets of the PING (PROSA_TAG_OPAQUE, copy_field) back in a PONG. LIVE-01
        give_up(link, "TODO 1 in link.c: answer PING with PONG; read LIVE-01");
        return true;
    }
    return !frame->row || frame->type == PROSA_FRAME_PONG ||
           link->program->take(link, frame); /* WIRE-12, LIVE-09 */
}

/* Take each whole frame; the beginning of another one stays until there is more of it. */
static void take_all(struct link *link)
{
    size_t at = 0;
    while (!link->is_deaf) {
        struct frame frame;
        struct prosa_bytes waiting = prosa_bytes(link->in + at, link->in_size - at);
        enum decoded what = decode(waiting, link->peer, link->cap, admit, link, &frame, &link->fault);
        if (what == PARTIAL)
            break;
        if (what == FAULTY && !link->has_begun && strcmp(link->fault.clause, "WIRE-02") == 0) {
            link->program->failed(link, link->fault); /* WIRE-03: whoever is there speaks another protocol */
            link->is_closing = link->is_deaf = link->is_over = true;
            return;
        }
        link->has_begun = true;
        if (what == FAULTY || !take(link, &frame))
            fail(link, link->fault, what == FAULTY ? NULL : &frame,
                 frame.type); /* what is faulty has no fields yet */
        at += frame.octets.at ? frame.octets.size : 0;
    }
    link->in_size = link->is_deaf ? 0 : link->in_size - at;
    memmove(link->in, link->in + at, link->in_size);
    if (!link->is_deaf && link->program->idle)
        link->program->idle(link);
}

void link_ready(struct link *link, short events)
{
    if (events & POLLOUT)
        flush(link);
    if (!(events & (POLLIN | POLLHUP | POLLERR)) || link->is_over || link->is_at_end)
        return;
    ssize_t got = recv(link->fd, link->in + link->in_size, IN_ROOM - link->in_size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0) {
        link->in_size += (size_t)got;
        take_all(link);
        return;
    }
    link->is_at_end = true;
    link->program->ended(link, got == 0 ? "eof" : "reset");
    end_in_order(link);
    link->is_over = link->is_over || got < 0 || link->out_size == 0;
}

/* --- the system -------------------------------------------------------------------------- */

bool console_read(struct console *console, typed_fn *typed, void *who)
{
    ssize_t got = read(STDIN_FILENO, console->at + console->size, LINE_SIZE - console->size);
    if (got > 0)
        console->size += (size_t)got;
    char *line = console->at, *end;
    size_t left = console->size;
    while ((end = memchr(line, '\n', left)) || (left > 0 && (got <= 0 || left == LINE_SIZE))) {
        size_t size = end ? (size_t)(end - line) : left;
        bool has_return = size > 0 && line[size - 1] == '\r';
        typed(who, prosa_bytes(line, size - has_return));
        size += end ? 1 : 0;
        line += size;
        left -= size;
    }
    memmove(console->at, line, left);
    console->size = left;
    return got > 0 || (got < 0 && errno == EINTR);
}

const char *line_fault(struct prosa_bytes line)
{
    if (line.size == 0)
        return "an empty line";
    uint16_t code = value_fault(field_row(PROSA_TAG_TEXT), line);
    return code == 0 ? NULL : code == PROSA_CODE_BAD_TEXT ? "U+0000, or no UTF-8" : "more than 4096 octets";
}

static uint64_t read_clock(clockid_t which)
{
    struct timespec time;
    clock_gettime(which, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

uint64_t now_ms(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t clock_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int poll_timeout(uint64_t deadline)
{
    uint64_t now = clock_ms();
    return deadline == 0 ? -1 : deadline <= now ? 0 : (int)(deadline - now);
}

size_t unprintable(struct prosa_bytes text, unsigned *character)
{
    unsigned first = text.at[0], second = text.size > 1 ? text.at[1] : 0,
             third = text.size > 2 ? text.at[2] : 0;
    size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : 3;
    if (size > text.size || first >= 0xF0 || (first & 0xC0) == 0x80)
        return 0; /* not one of those, or the middle of a character */
    unsigned c = size == 1   ? first
                 : size == 2 ? (first & 0x1F) << 6 | (second & 0x3F)
                             : (first & 0xF) << 12 | (second & 0x3F) << 6 | (third & 0x3F);
    *character = c;
    bool is_hidden = c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
                     (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069) || c == 0xFEFF;
    return is_hidden ? size : 0;
}

void print_visible(void *stream, struct prosa_bytes text)
{
    while (text.size > 0) {
        unsigned character;
        size_t size = unprintable(text, &character);
        if (size)
            fprintf(stream, "<%04x>", character);
        else
            fputc(text.at[0], stream);
        text = prosa_bytes(text.at + (size ? size : 1), text.size - (size ? size : 1));
    }
}

void note(const char *format, ...)
{
    char words[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(words, sizeof words, format, values);
    va_end(values);
    print_visible(stderr, prosa_bytes_of_string(words));
    fputc('\n', stderr);
}

void die(int code, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(code);
}

const char *setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

void check_level(void)
{
    const char *level = setting("PROSA_LEVEL", "L1");
    if (strcmp(level, "L0") != 0 && strcmp(level, "L1") != 0)
        die(89, "this program has level L1"); /* CON-03 */
}

const char *data_path(const char *name)
{
    static char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", setting("PROSA_DATA", "."), name) >= (int)sizeof path)
        die(2, "PROSA_DATA is too long");
    return path;
}

const char *read_port(void)
{
    const char *port = setting("PROSA_PORT", "65432");
    if (strspn(port, "0123456789") != strlen(port) || strlen(port) > 5 || atoi(port) > 65535)
        die(2, "PROSA_PORT is %s: it is a number from 0 to 65535", port);
    return port;
}
