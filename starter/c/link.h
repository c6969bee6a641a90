/* SPDX-License-Identifier: MIT
 *
 * link: one end of a connection, and what both programs need of the system. Nothing here waits: a program
 * polls, and calls link_ready for what has happened.
 */
#ifndef LINK_H
#define LINK_H

#include "wire.h"

struct link;

/* What a program adds. `take` gives back what `refuse` gives, or true. */
struct program {
    bool (*take)(struct link *link, const struct frame *frame);
    void (*failed)(struct link *link,
                   struct fault fault);                /* a fault of the peer was answered with an ERROR */
    void (*ended)(struct link *link, const char *how); /* "eof" or "reset" */
    void (*idle)(struct link *link);                   /* all that came is taken; or NULL */
};

struct link {
    const struct program *program;
    int fd;
    enum prosa_sender peer;
    uint8_t due; /* the type that has to come before READY, then 0 */
    size_t cap;  /* WIRE-07; max_frame from READY on (WIRE-08) */
    uint64_t linger_ms;
    uint64_t deadline;  /* when nobody waits any longer; 0: not yet */
    bool is_closing;    /* BYE or a fatal ERROR is sent, or all is over */
    bool is_deaf;       /* what still comes is discarded (ERR-06) */
    bool has_begun;     /* a whole frame has come */
    bool is_at_end;     /* the peer sends nothing any longer */
    bool is_over;       /* the program closes it */
    struct fault fault; /* what `refuse` has kept */
    size_t in_size, out_size, out_room;
    uint8_t *in, *out;
};

void link_open(struct link *link, const struct program *program, int fd, enum prosa_sender peer, uint8_t due);
void link_close(struct link *link);
short link_events(const struct link *link); /* for poll */
void link_ready(struct link *link, short events);

/* false, so that a handler can end with it: the frame at hand is refused with this code. */
bool refuse(struct link *link, uint16_t code, const char *clause);
/* Something is left to write here: the connection ends. */
void give_up(struct link *link, const char *words);

void send_octets(struct link *link, struct prosa_bytes octets);
void send_frame(struct link *link, uint8_t type, struct body *body);
/* ERROR; `about` is the frame that it names, or NULL. A fatal one ends the session. */
void fail(struct link *link, struct fault fault, const struct frame *about, uint8_t ref_type);
void say_bye(struct link *link, uint16_t code, const char *reason);
/* END-01: shut the sending side, read on until end of file, or for linger_ms. */
void end_in_order(struct link *link);

/* --- the system --- */

#define LINE_SIZE 65536

/* Lines that come in pieces. Only a line feed ends one (CON-08). */
struct console {
    size_t size;
    char at[LINE_SIZE];
};
typedef void typed_fn(void *who, struct prosa_bytes line);
bool console_read(struct console *console, typed_fn *typed, void *who); /* false at end of file */
const char *line_fault(struct prosa_bytes line); /* why it cannot be the text of a message, or NULL */

uint64_t now_ms(void);   /* the clock of the wall, for messages */
uint64_t clock_ms(void); /* a clock that nobody sets, for deadlines */
int poll_timeout(uint64_t deadline);

/* Text for people on a stream, with a visible stand-in for what must not be printed (MSG-19). */
void print_visible(void *stream, struct prosa_bytes text);
/* The octets at the beginning of a text that must not be printed, 0 for none; and the character that they
 * are. */
size_t unprintable(struct prosa_bytes text, unsigned *character);
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void die(int code, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
const char *setting(const char *name, const char *otherwise);
void check_level(void);
const char *data_path(const char *name);
const char *read_port(void);

#endif
