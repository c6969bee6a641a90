/* SPDX-License-Identifier: MIT */
/*
 * publish: the way of a message from its author into the log of a room and to the members, while
 * links break and programs are killed: PUBLISH, commit, ACK, DELIVER, credit, JOIN after a loss.
 * Frames are numbers here: no octets, no keys, no time. README.md says what is left out, and why
 * that hides nothing.
 *
 * The good model fulfils every property at the end of this file. Each WRONG_ macro breaks one
 * clause, and the property that stands for the clause notices it.
 */

/* ---- The size of the world: spin -D... ------------------------------------------------------- */

#ifndef CLIENTS
#define CLIENTS 2 /* the first WRITERS of them publish, those from FIRST_READER on are shown the log */
#endif
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef FIRST_READER
#define FIRST_READER 1
#endif
#ifndef MESSAGES
#define MESSAGES 3 /* of each writer */
#endif
#ifndef WINDOW
#define WINDOW 2 /* granted_window of each JOIN */
#endif
#ifndef CREDIT
#define CREDIT 2 /* recv_window of each JOIN */
#endif
#ifndef PIPE
#define PIPE 2 /* frames that a connection holds in each direction */
#endif
#ifndef FAULTS
#define FAULTS 2 /* links cut, programs killed, ACKs forged: at most so many in one run */
#endif

#ifdef WRONG_GAP_TAKEN
#define WRONG_RESEND_FROM_ACK /* somebody has to leave one out */
#endif

#define LINKS (2 * CLIENTS) /* the connection that a client has, and one that the server still believes in */
#define OWNER(link) ((link) / 2)
#define OTHER(link) ((link) ^ 1)
#define WRITES(client) ((client) < WRITERS)
#define READS(client) ((client) >= FIRST_READER)
#define ALL (WRITERS * MESSAGES)
#define ID(client, number) ((client) * MESSAGES + (number)) /* of the number-th line that a person typed */
#define LOG (2 * ALL) /* room for what wrong variants write twice */

mtype = { JOIN, PUBLISH, SEEN, JOINED, ACK, CHECKPOINT, DELIVER, ERROR, BYE };
/* up:   JOIN after_seq -, PUBLISH counter id, SEEN (a client's ACK) limit_seq -
 * down: JOINED last_counter start_seq, ACK acked_counter limit_counter, CHECKPOINT counter -,
 *       DELIVER room_seq id, ERROR - -, BYE - - */
chan up[LINKS] = [PIPE] of { mtype, byte, byte };
chan down[LINKS] = [PIPE] of { mtype, byte, byte };
#define HAS_ROOM(pipe) (len(pipe) < PIPE)
bool client_end[LINKS], server_end[LINKS]; /* who holds its end of the connection */

/* ---- What each program knows ----------------------------------------------------------------- */

/* A client. What is marked * is on its disk and survives a kill. Its spool holds line n under
 * counter n from before the first transmission [RES-07], so it needs no variable. */
mtype = { OFFLINE, JOINING, IN };
mtype phase[CLIENTS] = OFFLINE;
byte link_of[CLIENTS];
byte sent[CLIENTS];    /* highest counter sent in this JOIN */
byte acked[CLIENTS];   /* acked_counter; * where a wrong variant goes by it */
byte limit[CLIENTS];   /* limit_counter */
byte covered[CLIENTS]; /* own counter that a signed CHECKPOINT covers [AUD-06] */
byte seen[CLIENTS];    /* * room_seq of the last entry in its log */
byte credit[CLIENTS];  /* limit_seq that it has told */

/* The server's session on a link. A kill takes it all. */
mtype = { NEW, WAITING, READY };
mtype stage[LINKS] = NEW;
byte after[LINKS];       /* after_seq of the JOIN */
byte taken[LINKS];       /* counter of the last PUBLISH given to the store */
byte told[LINKS];        /* acked_counter told */
byte stated[LINKS];      /* counter that the last CHECKPOINT covers */
byte cursor[LINKS];      /* room_seq of the last DELIVER */
byte limit_seq[LINKS];   /* credit for DELIVER */
byte replay_end[LINKS];  /* head_seq at JOIN; used by a wrong variant alone */

/* The store. The queue is what PUBLISHes wait in; a kill takes it. The log is on the disk [RES-09]. */
chan queue = [2 * WINDOW * WRITERS] of { byte, byte, byte }; /* author, counter, id */
byte waiting[CLIENTS]; /* how many of each author are in the queue */
byte log[LOG + 1];     /* id of each entry; room_seq counts from 1 [MSG-12] */
byte head;             /* head_seq */
byte last[CLIENTS];    /* last_counter of each author */

/* Ghosts: what nobody in the protocol knows, for the properties. */
byte promised[CLIENTS]; /* highest ACK that was ever sent to an author */
bool doubled, gap, disorder, refused;

/* ---- Connections ----------------------------------------------------------------------------- */

inline drain(pipe)
{
    do
    :: pipe?_, _, _
    :: empty(pipe) -> break
    od
}

/* The server's end is closed. What it has sent may still arrive; what it has not read is lost. */
inline hang_up(l)
{
    printf("the server hangs up link %d\n", l);
    server_end[l] = false;
    stage[l] = NEW;
    after[l] = 0; taken[l] = 0; told[l] = 0; stated[l] = 0;
    cursor[l] = 0; limit_seq[l] = 0; replay_end[l] = 0;
    drain(up[l]);
    if
    :: client_end[l]
    :: else -> drain(down[l])
    fi
}

/* The client's end is closed. What it has sent may still arrive, or a part of it: the server can
 * hang up at any moment from now on. All but the disk is forgotten, as if it were killed: JOINED
 * tells the rest anew. */
inline leave(c)
{
    printf("client %d leaves link %d\n", c, link_of[c]);
    client_end[link_of[c]] = false;
    drain(down[link_of[c]]);
    if
    :: server_end[link_of[c]]
    :: else -> drain(up[link_of[c]])
    fi
    phase[c] = OFFLINE;
    link_of[c] = 0; sent[c] = 0; limit[c] = 0; credit[c] = 0;
#if !defined(WRONG_RESEND_FROM_ACK) && !defined(WRONG_NEW_COUNTER)
    acked[c] = 0;
#endif
}

/* ---- The client ------------------------------------------------------------------------------ */

#ifdef FORGED_ACKS
#define IS_ACKED(c) (covered[c] == MESSAGES) /* copies are kept until a signature covers them [AUD-06] */
#else
#define IS_ACKED(c) (acked[c] == MESSAGES)
#endif
#define IS_DONE(c) ((!WRITES(c) || IS_ACKED(c)) && (!READS(c) || seen[c] == ALL))

#if defined(WRONG_CREDIT_LEAK)
#define CREDIT_IS_DUE(c) false /* [FLOW-17] */
#else
/* The laziest client that conforms: half of recv_window is used up, a half rounded up [FLOW-17]. */
#define CREDIT_IS_DUE(c) (READS(c) && seen[c] + CREDIT >= credit[c] + (CREDIT + 1) / 2)
#endif

#ifdef WRONG_NEW_COUNTER
/* What has no ACK is signed once more, under the next counter [RES-08]. */
#define LINE(c) (sent[c] + 1 - moved)
#else
#define LINE(c) (sent[c] + 1)
#endif

#ifdef WRONG_BEYOND_LIMIT
#define MAY_SEND(c) true
#else
#define MAY_SEND(c) (sent[c] < limit[c]) /* [FLOW-20] */
#endif
#define MAY_PUBLISH(c) (WRITES(c) && phase[c] == IN && LINE(c) <= MESSAGES && MAY_SEND(c))

#ifdef WRONG_WRITE_ONLY
#define MAY_READ(c) (!MAY_PUBLISH(c)) /* nothing is read while there is something to write [FLOW-41] */
#else
#define MAY_READ(c) true
#endif

inline on_joined(c, last_counter, start_seq)
{
    printf("client %d reads JOINED last_counter %d, start_seq %d\n", c, last_counter, start_seq);
    phase[c] = IN;
#if defined(WRONG_NEW_COUNTER)
    moved = last_counter - acked[c];
    sent[c] = last_counter;
#elif defined(WRONG_RESEND_FROM_ACK)
    sent[c] = (acked[c] > last_counter -> acked[c] : last_counter); /* the ACK is believed [RES-08] */
    acked[c] = sent[c];
#else
    sent[c] = last_counter; /* on from last_counter + 1 [RES-08]; an ACK seen before counts for nothing */
    acked[c] = last_counter;
#endif
    limit[c] = last_counter + WINDOW; /* [FLOW-05] */
    credit[c] = start_seq + CREDIT - 1; /* [FLOW-07] */
    disorder = disorder || (READS(c) && start_seq != seen[c] + 1);
}

inline on_ack(c, acked_counter, limit_counter)
{
    printf("client %d reads ACK acked_counter %d, limit_counter %d\n", c, acked_counter, limit_counter);
    acked[c] = (acked_counter > acked[c] -> acked_counter : acked[c]); /* maxima [FLOW-12] */
    limit[c] = (limit_counter > limit[c] -> limit_counter : limit[c]);
}

/* [MSG-17], [FLOW-19], and the entry is the one in the log [FLOW-43]. */
inline on_deliver(c, room_seq, id)
{
    printf("client %d reads DELIVER room_seq %d: line %d\n", c, room_seq, id);
    refused = refused || room_seq > credit[c];
    disorder = disorder || room_seq != seen[c] + 1 || (room_seq <= head && id != log[room_seq]);
    seen[c] = room_seq;
}

proctype client(byte me)
{
    byte number, other;
#ifdef WRONG_NEW_COUNTER
    byte moved;
#endif
    do
    :: atomic { /* a fresh handshake and JOIN; the first JOIN begins with all there is [RES-04] */
        phase[me] == OFFLINE && !IS_DONE(me) ->
        if
        :: !client_end[2 * me] && !server_end[2 * me] -> link_of[me] = 2 * me
        :: else ->
            !client_end[2 * me + 1] && !server_end[2 * me + 1] -> link_of[me] = 2 * me + 1
        fi;
        client_end[link_of[me]] = true;
        server_end[link_of[me]] = true;
        printf("client %d connects by link %d, JOIN after_seq %d\n", me, link_of[me], seen[me]);
        up[link_of[me]]!JOIN, seen[me], 0;
        phase[me] = JOINING
    }
    :: atomic {
        phase[me] != OFFLINE && MAY_READ(me) && nempty(down[link_of[me]]) ->
        if
        :: down[link_of[me]]?JOINED, number, other -> on_joined(me, number, other)
        :: down[link_of[me]]?ACK, number, other -> on_ack(me, number, other)
        :: down[link_of[me]]?CHECKPOINT, number, _ -> covered[me] = number
        :: down[link_of[me]]?DELIVER, number, other -> on_deliver(me, number, other)
        :: down[link_of[me]]?ERROR, _, _ -> leave(me) /* class 03: it may come again (7.2) */
        :: down[link_of[me]]?BYE, _, _ -> leave(me) /* REPLACED: its person starts it again [RES-13] */
        fi;
        number = 0; other = 0
    }
    :: atomic {
        MAY_PUBLISH(me) && HAS_ROOM(up[link_of[me]]) ->
        sent[me]++;
        printf("client %d sends PUBLISH %d: line %d\n", me, sent[me], ID(me, LINE(me) - 1));
        up[link_of[me]]!PUBLISH, sent[me], ID(me, LINE(me) - 1)
    }
    :: atomic {
        phase[me] == IN && CREDIT_IS_DUE(me) && HAS_ROOM(up[link_of[me]]) ->
        credit[me] = seen[me] + CREDIT;
        printf("client %d sends ACK limit_seq %d\n", me, credit[me]);
        up[link_of[me]]!SEEN, credit[me], 0
    }
    :: atomic { /* end of file or a reset: what was on the way may be lost */
        phase[me] != OFFLINE && !server_end[link_of[me]] -> leave(me)
    }
    :: atomic { IS_DONE(me) -> break }
    od
}

/* ---- The server ------------------------------------------------------------------------------ */

#ifdef WRONG_ACK_BEFORE_COMMIT
#define ACKABLE(l) taken[l]
#else
#define ACKABLE(l) last[OWNER(l)] /* [FLOW-09] */
#endif

#ifdef WRONG_NO_WAIT
#define OLD_IS_SETTLED(l) true /* [END-14] */
#else
#define OLD_IS_SETTLED(l) (waiting[OWNER(l)] == 0)
#endif

#define LIMIT(l) (ACKABLE(l) + WINDOW) /* [FLOW-11] */
#ifdef WRONG_WINDOW_STUCK
#define RAISED(l) 0 /* [FLOW-25] */
#else
#define RAISED(l) LIMIT(l)
#endif

#ifdef WRONG_SHOW_BEFORE_COMMIT
#define SHOWN (head + len(queue)) /* [FLOW-26] */
#else
#define SHOWN head
#endif

#ifdef WRONG_GAP_TAKEN
#define GAPS_PASS true /* [FLOW-24]: a forged ACK makes a hole */
#else
#define GAPS_PASS false
#endif

/* A fault that the server finds: ERROR as far as the connection takes it, then the end [ERR-01]. */
inline refuse(l)
{
    printf("the server refuses what it read from link %d\n", l);
    refused = true;
    if
    :: client_end[l] && HAS_ROOM(down[l]) -> down[l]!ERROR, 0, 0
    :: else
    fi;
    hang_up(l)
}

/* Section 6.3. A frame is read and given to the store in one step: what is read but not verified yet
 * is as good as unread. */
inline on_publish(l, counter, id)
{
    if
    :: counter > LIMIT(l) -> refuse(l) /* [FLOW-21] */
    :: else ->
        if
        :: counter <= taken[l] -> told[l] = (told[l] > 0 -> told[l] - 1 : 0) /* ACK again [FLOW-22] */
        :: counter > taken[l] + 1 && !GAPS_PASS -> refuse(l) /* [FLOW-24] */
        :: counter > taken[l] && (GAPS_PASS || counter == taken[l] + 1) -> /* [FLOW-25] */
            printf("the server takes PUBLISH %d from link %d: line %d\n", counter, l, id);
            taken[l] = counter;
            waiting[OWNER(l)]++;
            queue!OWNER(l), counter, id
        fi
    fi
}

/* A new session of this client's key: the old one is read no more [END-14]. */
inline end_other(l)
{
    if
    :: server_end[OTHER(l)] && stage[OTHER(l)] != NEW ->
        if
        :: client_end[OTHER(l)] && HAS_ROOM(down[OTHER(l)]) -> down[OTHER(l)]!BYE, 0, 0
        :: else
        fi;
        hang_up(OTHER(l))
    :: else
    fi
}

proctype session(byte l)
{
    byte number, id;

end: /* a server may wait for ever; a client that does is stuck */
    do
    :: atomic { /* the handshake's AUTH and the JOIN behind it */
        stage[l] == NEW && up[l]?[JOIN] ->
        up[l]?JOIN, after[l], _;
#ifndef WRONG_OLD_READS_ON
        end_other(l);
#endif
        stage[l] = WAITING
    }
    :: atomic { /* WELCOME and JOINED wait for what the old session gave to the store [END-14] */
        stage[l] == WAITING && OLD_IS_SETTLED(l) && HAS_ROOM(down[l]) ->
        printf("the server sends JOINED to link %d: last_counter %d\n", l, last[OWNER(l)]);
        stage[l] = READY;
        taken[l] = last[OWNER(l)];
        told[l] = last[OWNER(l)];
        cursor[l] = after[l]; /* start_seq = after_seq + 1 [RES-01] */
        after[l] = 0;
        limit_seq[l] = cursor[l] + CREDIT; /* [FLOW-07] */
#ifdef WRONG_SKIP_AFTER_REPLAY
        replay_end[l] = head;
#endif
        down[l]!JOINED, last[OWNER(l)], cursor[l] + 1
    }
    :: atomic { /* not while output is pending [FLOW-36] */
        stage[l] == READY && nempty(up[l]) && HAS_ROOM(down[l]) && len(queue) < 2 * WINDOW * WRITERS ->
        if
        :: up[l]?PUBLISH, number, id -> on_publish(l, number, id)
        :: up[l]?SEEN, number, _ -> limit_seq[l] = (number > limit_seq[l] -> number : limit_seq[l])
        fi;
        number = 0; id = 0
    }
    :: atomic { /* one ACK for many messages [FLOW-16] */
        stage[l] == READY && WRITES(OWNER(l)) && HAS_ROOM(down[l]) && told[l] < ACKABLE(l) ->
        told[l] = ACKABLE(l);
        printf("the server sends ACK to link %d: acked_counter %d\n", l, told[l]);
        promised[OWNER(l)] = (told[l] > promised[OWNER(l)] -> told[l] : promised[OWNER(l)]);
        down[l]!ACK, told[l], RAISED(l)
    }
#ifdef FORGED_ACKS
    :: atomic { /* of the durable head, signed; the author knows which of its counters that covers [AUD-04] */
        stage[l] == READY && WRITES(OWNER(l)) && HAS_ROOM(down[l]) && stated[l] < last[OWNER(l)] ->
        stated[l] = last[OWNER(l)];
        down[l]!CHECKPOINT, stated[l], 0
    }
#endif
    :: atomic { /* replay and live are one cursor over the log [RES-01] [FLOW-18] */
        stage[l] == READY && READS(OWNER(l)) && HAS_ROOM(down[l]) && cursor[l] < SHOWN && cursor[l] < limit_seq[l] ->
#ifdef WRONG_SKIP_AFTER_REPLAY
        if
        :: cursor[l] == replay_end[l] -> cursor[l] = head - 1 /* live: what came during the replay is skipped */
        :: else
        fi;
#endif
        cursor[l]++;
        down[l]!DELIVER, cursor[l], log[cursor[l]]
    }
    :: atomic { server_end[l] && !client_end[l] -> hang_up(l) } /* it notices that the peer vanished [END-17] */
    od
}

/* One writer thread: commits in the order of the queue. A group commit is several of these steps
 * with nothing between them. */
proctype store()
{
    byte author, counter, id, at;

end:
    do
    :: atomic {
        nempty(queue) && head < LOG ->
        queue?author, counter, id;
        waiting[author]--;
        for (at : 1 .. head) {
            doubled = doubled || log[at] == id
        }
        gap = gap || counter != last[author] + 1;
        last[author] = counter;
        head++;
        log[head] = id;
        printf("the store commits line %d as room_seq %d: counter %d of client %d\n", id, head, counter, author);
        author = 0; counter = 0; id = 0; at = 0
    }
    od
}

/* ---- What goes wrong ------------------------------------------------------------------------- */

proctype trouble()
{
    byte left = FAULTS, i;

    do
    :: atomic {
        left > 0 ->
        left--;
        select(i : 0 .. LINKS - 1);
        if
        :: client_end[i] -> leave(OWNER(i)) /* the client is killed, or gives the link up */
        :: server_end[i] -> hang_up(i)      /* the server gives the link up, or is told of a reset */
#ifdef FORGED_ACKS
        :: client_end[i] && WRITES(OWNER(i)) && HAS_ROOM(down[i]) && phase[OWNER(i)] == IN ->
            printf("somebody forges an ACK of %d for client %d\n", sent[OWNER(i)], OWNER(i));
            down[i]!ACK, sent[OWNER(i)], 0 /* somebody on the path; not above what was sent [FLOW-14] */
#endif
        :: true ->
            printf("the server is killed and starts again\n");
            do
            :: queue?_, _, _
            :: empty(queue) -> break
            od;
            for (i : 0 .. CLIENTS - 1) {
                waiting[i] = 0
            }
            for (i : 0 .. LINKS - 1) {
                if
                :: server_end[i] -> hang_up(i)
                :: else
                fi
            }
        fi;
        i = 0
    }
    :: break /* nothing more goes wrong */
    od
}

init
{
    byte i;
    atomic {
        for (i : 0 .. CLIENTS - 1) {
            run client(i)
        }
        for (i : 0 .. LINKS - 1) {
            run session(i)
        }
        run store();
        run trouble();
        i = 0
    }
}

/* ---- Properties: section 8.3 and its clauses ------------------------------------------------- */

/* Of one client, or of the first and the last: two are enough for any size here. */
#if WRITERS == 1
#define FOR_WRITERS(holds) (holds(0))
#else
#define FOR_WRITERS(holds) (holds(0) && holds(WRITERS - 1))
#endif
#if FIRST_READER == CLIENTS - 1
#define FOR_READERS(holds) (holds(FIRST_READER))
#else
#define FOR_READERS(holds) (holds(FIRST_READER) && holds(CLIENTS - 1))
#endif
#define KEPT(c) (promised[c] <= last[c])
#define FITS(c) (sent[c] <= acked[c] + WINDOW && waiting[c] <= WINDOW)
#define REAL(c) (seen[c] <= head)
#define SOMETIME_ACKED(c) (<> IS_ACKED(c))
#define SOMETIME_SEEN(c) (<> (seen[c] == ALL))

/* Nothing is twice in the log [RES-10] [FLOW-22]. */
ltl at_most_once { [] !doubled }
/* An author's counters have no gap [MSG-06] [FLOW-24]. */
ltl contiguous { [] !gap }
/* What was acknowledged is committed, and no kill takes it back [FLOW-09]. */
ltl acked_is_committed { [] FOR_WRITERS(KEPT) }
/* At most the granted window is in flight [FLOW-11] [FLOW-20]. */
ltl within_window { [] FOR_WRITERS(FITS) }
/* Nobody saw what is not committed [FLOW-26]. */
ltl only_committed { [] FOR_READERS(REAL) }
/* Each log is a prefix of the one order [FLOW-43] [MSG-17] [RES-01]. */
ltl one_order { [] !disorder }
/* No program that conforms earns an ERROR [MSG-08] [FLOW-19] [FLOW-21]. */
ltl no_refusal { [] !refused }
/* All of the above at once. */
ltl safe { [] (!doubled && !gap && FOR_WRITERS(KEPT) && FOR_WRITERS(FITS) && FOR_READERS(REAL) && !disorder && !refused) }
/* Whatever went wrong: in the end everything is acknowledged to its author [MSG-08] [RES-08] ... */
ltl all_acked { FOR_WRITERS(SOMETIME_ACKED) }
/* ... and is in the log of every member, in order [RES-10] [FLOW-25]. */
ltl all_delivered { FOR_READERS(SOMETIME_SEEN) }
