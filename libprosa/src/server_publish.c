/* SPDX-License-Identifier: MIT */
#include "server.h"

/* --- PUBLISH ---------------------------------------------------------------------------------- */

/* Sections 5.1 and 6.3: the code of the first check that fails, and its clause. 0: none does. */
static uint16_t check_publish(const struct prosa_server_session *session,
                              const struct prosa_server_slot *slot, const struct prosa_publish *publish,
                              const uint8_t *id, const char **clause)
{
    if (memcmp(publish->author_key, session->client_key, PROSA_KEY_SIZE) != 0 ||
        !prosa_bytes_equal(publish->nick, prosa_server_session_nick(session))) {
        *clause = "MSG-04";
        return PROSA_CODE_WRONG_AUTHOR;
    }
    if (publish->counter > slot->limit) {
        *clause = "FLOW-21";
        return PROSA_CODE_FLOW_VIOLATION;
    }
    if (publish->counter > slot->taken + 1) {
        *clause = "FLOW-24";
        return PROSA_CODE_COUNTER_GAP;
    }
    bool known = slot->ring != NULL && publish->counter <= slot->taken && publish->counter >= slot->ring_from;
    if (known && memcmp(slot->ring[publish->counter % prosa_server_ring_size(slot)].id, id, ID_PREFIX) != 0) {
        *clause = "FLOW-23";
        return PROSA_CODE_COUNTER_REUSE;
    }
    return 0;
}

/* Notes the next counter as taken. False: no memory. */
static bool take_counter(struct prosa_server_session *session, struct prosa_server_slot *slot,
                         const uint8_t *id, size_t size)
{
    if (!prosa_server_make_ring(slot))
        return false;
    slot->taken++;
    struct prosa_server_taken *taken = &slot->ring[slot->taken % prosa_server_ring_size(slot)];
    memcpy(taken->id, id, ID_PREFIX);
    taken->size = (uint32_t)size;
    if (slot->taken - slot->ring_from >= prosa_server_ring_size(slot))
        slot->ring_from = slot->taken - prosa_server_ring_size(slot) + 1;
    session->undecided += (uint32_t)size;
    session->pending++;
    return true;
}

bool prosa_server_on_publish(struct prosa_server_session *session, const struct prosa_frame *frame,
                             const struct prosa_publish *publish, struct prosa_server_event *event,
                             uint64_t now_ms)
{
    struct prosa_server_slot *slot = prosa_server_slot_of(session, publish->room_id);
    const struct prosa_cell *cell = prosa_server_room_cell(slot, ROOM_SERVER_ON_PUBLISH);
    const char *clause = cell->clause;

    prosa_message_id(frame->body, event->id);
    uint16_t code =
        cell->action == DO_FATAL ? cell->code : check_publish(session, slot, publish, event->id, &clause);
    if (code != 0) {
        prosa_server_room_fault(session, frame, code, clause, publish->room_id, publish->counter, now_ms);
        return false;
    }
    if (publish->counter <= slot->taken) { /* again [FLOW-22], or too old to know [FLOW-23] */
        slot->flags |= SLOT_ACK_DUE;
        return false;
    }
    if (!take_counter(session, slot, event->id, frame->octets.size)) {
        prosa_server_session_fail(session, PROSA_ERR_INTERNAL, now_ms);
        return false;
    }
    event->kind = PROSA_SERVER_PUBLISH;
    event->room = slot->room;
    event->publish = *publish;
    event->job = (struct prosa_verify_job){
        .key = prosa_bytes(publish->author_key, PROSA_KEY_SIZE),
        .label = PROSA_LABEL(MESSAGE),
        .message = prosa_author_zone(frame->body),
        .signature = prosa_bytes(publish->author_sig, PROSA_SIGNATURE_SIZE),
    };
    return true;
}

/* One PUBLISH less is pending. NULL: its room is not joined. */
static struct prosa_server_slot *decide(struct prosa_server_session *session, const struct prosa_room *room)
{
    if (session->pending > 0)
        session->pending--;
    if (session->pending == 0)
        session->undecided = 0;
    return prosa_server_slot_of(session, room->room_id);
}

static void forget_undecided(struct prosa_server_session *session, const struct prosa_server_slot *slot,
                             uint64_t counter)
{
    uint32_t size = slot->ring == NULL ? 0 : slot->ring[counter % prosa_server_ring_size(slot)].size;
    session->undecided -= prosa_server_least(size, session->undecided);
}

void prosa_server_session_accepted(struct prosa_server_session *session, struct prosa_room *room,
                                   uint64_t counter, uint64_t room_seq, uint64_t now_ms)
{
    struct prosa_server_slot *slot = decide(session, room);
    (void)now_ms;
    if (slot == NULL || counter <= slot->last)
        return;
    forget_undecided(session, slot, counter);
    slot->last = counter;
    slot->last_seq = room_seq;
    prosa_server_raise_limit(session, slot);
    slot->flags |= SLOT_ACK_DUE;
    /* It came before the PING or the end that waits: so its DELIVER does [LIVE-02]. */
    uint64_t shown = room_seq < slot->limit_seq ? room_seq : slot->limit_seq;
    if (slot->barrier < shown)
        slot->barrier = shown;
}

void prosa_server_session_refused(struct prosa_server_session *session, struct prosa_room *room,
                                  uint64_t counter, enum prosa_status status, uint64_t now_ms)
{
    const char *clause = status == PROSA_ERR_BAD_SIG ? "MSG-03" : NULL;
    const struct prosa_frame frame = {.type = PROSA_FRAME_PUBLISH};
    const struct prosa_server_slot *slot = decide(session, room);
    if (slot != NULL)
        forget_undecided(session, slot, counter);
    prosa_server_recall_end(session);
    prosa_server_room_fault(session, &frame, prosa_status_code(status), clause, room->room_id, counter,
                            now_ms);
}

void prosa_server_session_dropped(struct prosa_server_session *session, struct prosa_room *room,
                                  uint64_t now_ms)
{
    (void)now_ms;
    (void)decide(session, room);
}

/* --- answers in "@host" ----------------------------------------------------------------------- */

void prosa_server_session_answered(struct prosa_server_session *session, struct prosa_room *room,
                                   uint64_t counter, uint64_t room_seq, uint64_t now_ms)
{
    struct prosa_server_slot *slot = prosa_server_slot_of(session, room->room_id);
    (void)now_ms;
    if (slot != NULL && prosa_server_is_sync(slot) && counter == slot->taken)
        slot->answer_seq = room_seq;
}

void prosa_server_session_no_answer(struct prosa_server_session *session, struct prosa_room *room,
                                    uint64_t counter, uint64_t now_ms)
{
    struct prosa_server_slot *slot = prosa_server_slot_of(session, room->room_id);
    struct prosa_fault fault = {
        .code = PROSA_CODE_NO_ANSWER,
        .ref_type = PROSA_FRAME_PUBLISH,
        .has_room_id = true,
        .has_counter = true,
        .clause = "FLOW-29",
        .counter = counter,
    };
    (void)now_ms;
    if (slot == NULL || !prosa_server_speaks(session) ||
        (prosa_server_is_sync(slot) && counter != slot->taken))
        return;
    memcpy(fault.room_id, room->room_id, PROSA_HASH_SIZE);
    prosa_server_queue_error(session, &fault);
    slot->limit = slot->last + slot->granted;
    slot->flags |= SLOT_ACK_DUE;
}

/* --- ACK -------------------------------------------------------------------------------------- */

void prosa_server_on_ack(struct prosa_server_session *session, const struct prosa_frame *frame,
                         const struct prosa_ack *ack, uint64_t now_ms)
{
    struct prosa_server_slot *slot = prosa_server_slot_of(session, ack->room_id);
    const struct prosa_cell *cell = prosa_server_room_cell(slot, ROOM_SERVER_ON_ACK);

    if (cell->action == DO_FATAL) {
        prosa_server_room_fault(session, frame, cell->code, cell->clause, ack->room_id, 0, now_ms);
        return;
    }
    if (ack->seen_seq > slot->cursor) {
        prosa_server_room_fault(session, frame, PROSA_CODE_ACK_TOO_HIGH, "FLOW-13", ack->room_id, 0, now_ms);
        return;
    }
    if (ack->seen_seq > slot->seen)
        slot->seen = ack->seen_seq; /* [FLOW-12] */
    if (ack->limit_seq > slot->limit_seq)
        slot->limit_seq = ack->limit_seq;
    session->progress_ms = now_ms; /* [FLOW-39] */
}
