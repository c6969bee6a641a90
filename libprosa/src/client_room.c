/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <prosa/json.h>

#include <assert.h>
#include <stdlib.h>

/* The PING behind a LEAVE of "@host": its PONG shows that the room is left [MEM-07]. */
static const struct prosa_bytes leaving = {(const uint8_t *)"leave @host", 11};
static const struct prosa_bytes alive = {(const uint8_t *)"alive", 5};
static const uint8_t grease[] = {0x1A, 0x1B, 0x00, 0x04, 'o', 'd', 'd', '!'}; /* [WIRE-27] */

static struct prosa_bytes room_name(const struct prosa_client_slot *slot)
{
    return prosa_bytes(slot->room.name, slot->room.name_size);
}

static bool is_host(struct prosa_bytes name)
{
    return prosa_bytes_equal(name, prosa_bytes_of_string("@host"));
}

/* --- slots ------------------------------------------------------------------------------------ */

struct prosa_client_slot *prosa_client_slot_of(const struct prosa_client_session *session,
                                               const uint8_t *room_id)
{
    for (size_t i = 0; i < session->slot_count; i++) {
        struct prosa_client_slot *slot = &session->slots[i];
        if (slot->state != ROOM_CLIENT_JOINING && memcmp(slot->room.room_id, room_id, PROSA_HASH_SIZE) == 0)
            return slot;
    }
    return NULL;
}

static struct prosa_client_slot *slot_of_name(const struct prosa_client_session *session,
                                              struct prosa_bytes name)
{
    for (size_t i = 0; i < session->slot_count; i++)
        if (prosa_bytes_equal(room_name(&session->slots[i]), name))
            return &session->slots[i];
    return NULL;
}

/* NULL: not joined, or not any more. */
static struct prosa_client_slot *joined_slot(const struct prosa_client_session *session,
                                             struct prosa_bytes name)
{
    struct prosa_client_slot *slot = slot_of_name(session, name);
    return slot != NULL && slot->state == ROOM_CLIENT_IN ? slot : NULL;
}

static void remove_slot(struct prosa_client_session *session, struct prosa_client_slot *slot)
{
    *slot = session->slots[--session->slot_count];
}

static const struct prosa_cell *room_cell(const struct prosa_client_slot *slot,
                                          enum prosa_room_client_input input)
{
    return &prosa_room_client_cells[input][slot == NULL ? ROOM_CLIENT_OUT : slot->state];
}

const struct prosa_client_room *prosa_client_session_room(const struct prosa_client_session *session,
                                                          struct prosa_bytes name)
{
    const struct prosa_client_slot *slot = joined_slot(session, name);
    return slot == NULL ? NULL : &slot->room;
}

void prosa_client_room_fault(struct prosa_client_session *session, const struct prosa_frame *frame,
                             uint16_t code, const char *clause, const uint8_t *room_id, uint64_t counter,
                             uint64_t now_ms)
{
    struct prosa_fault fault = {
        .code = code,
        .ref_type = frame->type,
        .has_room_id = room_id != NULL,
        .has_counter = counter != 0,
        .clause = clause,
        .counter = counter,
    };
    if (room_id != NULL)
        memcpy(fault.room_id, room_id, PROSA_HASH_SIZE);
    prosa_client_fatal(session, &fault, now_ms);
}

/* --- JOIN ------------------------------------------------------------------------------------- */

/* False: no memory. */
static bool reserve_slot(struct prosa_client_session *session)
{
    if (session->slot_count < session->slot_cap)
        return true;
    uint16_t cap = prosa_slots_grown(session->slot_cap, UINT16_MAX);
    struct prosa_client_slot *slots = realloc(session->slots, cap * sizeof *slots);
    if (slots == NULL)
        return false;
    session->slots = slots;
    session->slot_cap = cap;
    return true;
}

static void add_slot(struct prosa_client_session *session, const struct prosa_client_join *join)
{
    struct prosa_client_slot *slot = &session->slots[session->slot_count++];
    *slot = (struct prosa_client_slot){
        .state = prosa_room_client_cells[ROOM_CLIENT_ON_WANT_JOIN][ROOM_CLIENT_OUT].next,
        .room = {.name_size = (uint8_t)join->room.size, .recv_window = join->recv_window},
        .has_after_seq = join->has_after_seq,
        .has_epoch = join->has_after_seq && join->epoch != NULL,
        .has_chain = join->has_after_seq && join->chain != NULL,
        .after_seq = join->after_seq,
    };
    memcpy(slot->room.name, join->room.at, join->room.size);
    if (join->epoch != NULL)
        memcpy(slot->epoch, join->epoch, PROSA_EPOCH_SIZE);
    if (join->chain != NULL)
        memcpy(slot->room.chain, join->chain, PROSA_HASH_SIZE);
}

enum prosa_status prosa_client_session_join(struct prosa_client_session *session,
                                            const struct prosa_client_join *join)
{
    bool has_epoch = join->has_after_seq && join->epoch != NULL;
    const struct prosa_message message = {
        .type = PROSA_FRAME_JOIN,
        .join =
            {
                .room = join->room,
                .has_epoch = has_epoch,
                .epoch = join->epoch,
                .send_window = join->send_window,
                .recv_window = join->recv_window,
                .has_after_seq = join->has_after_seq,
                .after_seq = join->after_seq,
            },
    };
    if (session->state != CLIENT_READY || slot_of_name(session, join->room) != NULL)
        return PROSA_ERR_CALL; /* [FLOW-02] */
    if (session->slot_count == UINT16_MAX)
        return PROSA_ERR_NO_SPACE; /* no server has more [FLOW-03] */
    if (join->has_after_seq && join->after_seq != 0 && !has_epoch)
        return PROSA_ERR_CALL; /* [RES-04] */
    /* Before the JOIN goes out: its answer needs the slot. */
    if (!reserve_slot(session))
        return PROSA_ERR_NO_SPACE;
    enum prosa_status status = prosa_buffer_message(&session->out, &message, prosa_bytes(NULL, 0));
    if (status == PROSA_OK)
        add_slot(session, join);
    return status;
}

/* History that the client does not have and will not get [RES-03]. */
static bool lost_history(const struct prosa_client_slot *slot, const struct prosa_joined *joined,
                         bool same_epoch)
{
    if (!slot->has_after_seq)
        return false;
    if (slot->has_epoch && !same_epoch)
        return true;
    return joined->start_seq != slot->after_seq + 1;
}

static void fill_room(struct prosa_client_slot *slot, const struct prosa_joined *joined)
{
    struct prosa_client_room *room = &slot->room;
    memcpy(room->room_id, joined->room_id, PROSA_HASH_SIZE);
    memcpy(room->epoch, joined->epoch, PROSA_EPOCH_SIZE);
    room->granted_window = joined->granted_window;
    room->sent_counter = room->acked_counter = joined->last_counter;
    room->limit_counter = joined->limit_counter;
    room->head_seq = joined->head_seq;
    room->start_seq = joined->start_seq;
    room->seen_seq = slot->acked_seq = joined->start_seq - 1;
    slot->limit_seq = room->seen_seq + room->recv_window; /* [FLOW-07] */
}

bool prosa_client_on_joined(struct prosa_client_session *session, const struct prosa_frame *frame,
                            const struct prosa_joined *joined, struct prosa_client_event *event,
                            uint64_t now_ms)
{
    struct prosa_client_slot *slot = slot_of_name(session, joined->room);
    const struct prosa_cell *cell = room_cell(slot, ROOM_CLIENT_ON_JOINED);
    uint8_t room_id[PROSA_HASH_SIZE];

    if (cell->action == DO_FATAL) {
        prosa_client_room_fault(session, frame, cell->code, cell->clause, joined->room_id, 0, now_ms);
        return false;
    }
    assert(slot != NULL); /* whoever is out of the room has had a fatal cell */
    prosa_room_id(session->server_key, joined->epoch, joined->room, session->config->keypair.key, room_id);
    if (memcmp(room_id, joined->room_id, PROSA_HASH_SIZE) != 0) {
        prosa_client_room_fault(session, frame, PROSA_CODE_WRONG_ROOM, "MSG-23", joined->room_id, 0, now_ms);
        return false;
    }
    bool same_epoch = slot->has_epoch && memcmp(slot->epoch, joined->epoch, PROSA_EPOCH_SIZE) == 0;
    slot->state = cell->next;
    fill_room(slot, joined);
    prosa_client_chain_begin(session, slot, same_epoch);
    event->kind = PROSA_CLIENT_JOINED;
    event->room = &slot->room;
    event->same_epoch = same_epoch;
    event->lost_history = lost_history(slot, joined, same_epoch);
    event->joined = *joined;
    return true;
}

bool prosa_client_on_error(struct prosa_client_session *session, const struct prosa_error *error,
                           struct prosa_client_event *event)
{
    struct prosa_client_slot *slot = error->has_room ? slot_of_name(session, error->room) : NULL;
    bool refused = slot != NULL && prosa_code_class(error->code) == PROSA_CLASS_REFUSED &&
                   room_cell(slot, ROOM_CLIENT_ON_ERROR_04)->action == DO_REFUSE;

    event->kind = refused ? PROSA_CLIENT_REFUSED : PROSA_CLIENT_ERROR;
    event->error = *error;
    if (refused) {
        remove_slot(session, slot);
    } else if (error->has_room_id) {
        slot = prosa_client_slot_of(session, error->room_id);
        event->room = slot == NULL ? NULL : &slot->room;
    }
    return true;
}

/* --- LEAVE ------------------------------------------------------------------------------------ */

enum prosa_status prosa_client_session_leave(struct prosa_client_session *session, struct prosa_bytes room)
{
    struct prosa_client_slot *slot = joined_slot(session, room);
    const struct prosa_message ping = {.type = PROSA_FRAME_PING, .ping = {.opaque = leaving}};

    if (session->state != CLIENT_READY || slot == NULL)
        return PROSA_ERR_CALL; /* [MEM-08] */
    const struct prosa_message leave = {.type = PROSA_FRAME_LEAVE, .leave = {.room_id = slot->room.room_id}};
    slot->state = room_cell(slot, ROOM_CLIENT_ON_WANT_LEAVE)->next;
    prosa_client_queue(session, &leave, prosa_bytes(NULL, 0));
    if (is_host(room))
        prosa_client_queue(session, &ping, prosa_bytes(NULL, 0));
    return PROSA_OK;
}

/* The room is gone after this event: it is kept apart until the next call. */
static bool left(struct prosa_client_session *session, struct prosa_client_slot *slot,
                 struct prosa_client_event *event)
{
    struct prosa_client_slot gone = *slot;
    struct prosa_client_slot *last = &session->slots[session->slot_count - 1];

    remove_slot(session, slot);
    *last = gone; /* behind the others, in memory that is still ours */
    event->kind = PROSA_CLIENT_LEFT;
    event->room = &last->room;
    return true;
}

enum prosa_status prosa_client_session_ping(struct prosa_client_session *session, struct prosa_bytes opaque)
{
    const struct prosa_message ping = {.type = PROSA_FRAME_PING, .ping = {.opaque = opaque}};

    if (session->state != CLIENT_READY)
        return PROSA_ERR_CALL;
    return prosa_buffer_message(&session->out, &ping, prosa_bytes(NULL, 0));
}

bool prosa_client_on_pong(struct prosa_client_session *session, const struct prosa_ping *pong,
                          struct prosa_client_event *event)
{
    struct prosa_client_slot *host = slot_of_name(session, prosa_bytes_of_string("@host"));

    if (prosa_bytes_equal(pong->opaque, alive))
        return false;
    if (prosa_bytes_equal(pong->opaque, leaving))
        return host != NULL && host->state == ROOM_CLIENT_LEAVING && left(session, host, event);
    event->kind = PROSA_CLIENT_PONG;
    event->pong = *pong;
    return true;
}

bool prosa_client_on_member(struct prosa_client_session *session, const struct prosa_frame *frame,
                            const struct prosa_member *member, struct prosa_client_event *event,
                            uint64_t now_ms)
{
    struct prosa_client_slot *slot = prosa_client_slot_of(session, member->room_id);
    const struct prosa_cell *cell = room_cell(slot, ROOM_CLIENT_ON_MEMBER);

    if (member->event < PROSA_EVENT_HERE || member->event > PROSA_EVENT_COUNT)
        return false; /* section 3.6: obeys no rule and is ignored */
    if (cell->action == DO_FATAL) {
        prosa_client_room_fault(session, frame, cell->code, cell->clause, member->room_id, 0, now_ms);
        return false;
    }
    assert(slot != NULL); /* whoever is out of the room has had a fatal cell */
    bool me = member->event == PROSA_EVENT_LEFT &&
              memcmp(member->member_key, session->config->keypair.key, PROSA_KEY_SIZE) == 0;
    if (me && slot->state == ROOM_CLIENT_LEAVING)
        return left(session, slot, event);
    event->kind = PROSA_CLIENT_MEMBER;
    event->room = &slot->room;
    event->member = *member;
    return true;
}

/* --- PUBLISH and ACK -------------------------------------------------------------------------- */

enum prosa_status prosa_client_session_compose(const struct prosa_client_session *session,
                                               struct prosa_bytes room, const struct prosa_client_text *text,
                                               uint8_t *out, size_t cap, size_t *size)
{
    static const uint8_t unsigned_yet[PROSA_SIGNATURE_SIZE];
    const struct prosa_client_config *config = session->config;
    const struct prosa_client_slot *slot = joined_slot(session, room);

    if (slot == NULL)
        return PROSA_ERR_CALL;
    if (!prosa_text_is_valid(text->text))
        return PROSA_ERR_BAD_TEXT;
    const struct prosa_message message = {
        .type = PROSA_FRAME_PUBLISH,
        .publish =
            {
                .nick = config->nick,
                .has_display = config->display.size > 0,
                .display = config->display,
                .room_id = slot->room.room_id,
                .author_key = config->keypair.key,
                .counter = text->counter,
                .sent_at = text->sent_at,
                .text = text->text,
                .has_reply_to = text->reply_to != NULL,
                .reply_to = text->reply_to,
                .author_sig = unsigned_yet,
            },
    };
    struct prosa_bytes extra = prosa_bytes(grease, config->grease ? sizeof grease : 0);
    enum prosa_status status = prosa_message_encode(&message, extra, out, cap, size);
    return status == PROSA_OK ? prosa_publish_sign(&config->keypair, out, *size) : status;
}

enum prosa_status prosa_client_session_send(struct prosa_client_session *session, struct prosa_bytes room,
                                            struct prosa_bytes publish)
{
    struct prosa_client_slot *slot = joined_slot(session, room);
    struct prosa_message message;
    struct prosa_frame frame;
    enum prosa_status status;

    if (session->state != CLIENT_READY || slot == NULL)
        return PROSA_ERR_CALL;
    if (prosa_find_frame(publish, session->limits.max_frame, &frame, &status) != PROSA_FOUND_FRAME ||
        frame.type != PROSA_FRAME_PUBLISH || frame.octets.size != publish.size ||
        prosa_message_decode(&frame, PROSA_FROM_CLIENT, &message) != PROSA_OK)
        return PROSA_ERR_CALL;
    if (memcmp(message.publish.room_id, slot->room.room_id, PROSA_HASH_SIZE) != 0 ||
        message.publish.counter != slot->room.sent_counter + 1)
        return PROSA_ERR_CALL;
    if (message.publish.counter > slot->room.limit_counter)
        return PROSA_PARTIAL; /* [FLOW-20] */
    if (!prosa_buffer_append(&session->out, publish))
        return PROSA_ERR_NO_SPACE;
    slot->room.sent_counter++;
    return PROSA_OK;
}

bool prosa_client_on_ack(struct prosa_client_session *session, const struct prosa_frame *frame,
                         const struct prosa_ack *ack, struct prosa_client_event *event, uint64_t now_ms)
{
    struct prosa_client_slot *slot = prosa_client_slot_of(session, ack->room_id);
    const struct prosa_cell *cell = room_cell(slot, ROOM_CLIENT_ON_ACK);

    if (cell->action == DO_FATAL) {
        prosa_client_room_fault(session, frame, cell->code, cell->clause, ack->room_id, 0, now_ms);
        return false;
    }
    assert(slot != NULL); /* whoever is out of the room has had a fatal cell */
    struct prosa_client_room *room = &slot->room;
    if (ack->acked_counter > room->sent_counter) {
        prosa_client_room_fault(session, frame, PROSA_CODE_ACK_TOO_HIGH, "FLOW-14", ack->room_id,
                                ack->acked_counter, now_ms);
        return false;
    }
    if (ack->acked_counter <= room->acked_counter && ack->limit_counter <= room->limit_counter)
        return false; /* [FLOW-12] */
    if (ack->acked_counter > room->acked_counter)
        room->acked_counter = ack->acked_counter;
    if (ack->limit_counter > room->limit_counter)
        room->limit_counter = ack->limit_counter;
    event->kind = PROSA_CLIENT_ACKED;
    event->room = room;
    event->acked_counter = room->acked_counter;
    event->acked_seq = ack->acked_counter == room->acked_counter ? ack->acked_seq : 0;
    return true;
}

/* --- DELIVER ---------------------------------------------------------------------------------- */

static void queue_ack(struct prosa_client_session *session, struct prosa_client_slot *slot)
{
    slot->acked_seq = slot->room.seen_seq;
    slot->limit_seq = slot->room.seen_seq + slot->room.recv_window;
    const struct prosa_message message = {
        .type = PROSA_FRAME_ACK,
        .ack =
            {
                .room_id = slot->room.room_id,
                .has_seen_seq = true,
                .has_limit_seq = true,
                .seen_seq = slot->acked_seq,
                .limit_seq = slot->limit_seq,
            },
    };
    prosa_client_queue(session, &message, prosa_bytes(NULL, 0));
}

void prosa_client_acknowledge(struct prosa_client_session *session, bool all)
{
    for (size_t i = 0; i < session->slot_count && session->state == CLIENT_READY; i++) {
        struct prosa_client_slot *slot = &session->slots[i];
        uint64_t used = slot->room.seen_seq - slot->acked_seq;
        bool half = used * 2 >= slot->room.recv_window; /* [FLOW-17] */
        if (slot->state == ROOM_CLIENT_IN && used > 0 && (all || half))
            queue_ack(session, slot);
    }
}

/* [MSG-17] [FLOW-19]: the code of the fault, or 0. */
static uint16_t check_order(const struct prosa_client_slot *slot, uint64_t room_seq, const char **clause)
{
    assert(slot != NULL); /* whoever is out of the room has had a fatal cell */
    if (room_seq != slot->room.seen_seq + 1) {
        *clause = "MSG-17";
        return PROSA_CODE_SEQ_GAP;
    }
    if (room_seq > slot->limit_seq) {
        *clause = "FLOW-19";
        return PROSA_CODE_FLOW_VIOLATION;
    }
    return 0;
}

bool prosa_client_on_deliver(struct prosa_client_session *session, const struct prosa_frame *frame,
                             const struct prosa_message *message, struct prosa_client_event *event,
                             uint64_t now_ms)
{
    const struct prosa_deliver *deliver = &message->deliver;
    struct prosa_client_slot *slot = prosa_client_slot_of(session, deliver->room_id);
    const struct prosa_cell *cell = room_cell(slot, ROOM_CLIENT_ON_DELIVER);
    const char *clause = cell->clause;

    if (cell->action == DO_IGNORE)
        return false; /* [MSG-18] */
    uint16_t code = cell->action == DO_FATAL ? cell->code : check_order(slot, deliver->room_seq, &clause);
    if (code != 0) {
        prosa_client_room_fault(session, frame, code, clause, deliver->room_id, deliver->counter, now_ms);
        return false;
    }
    prosa_message_id(frame->body, session->id);
    if ((session->features & PROSA_FEATURE_AUDIT) != 0 &&
        !prosa_client_chain_take(slot, deliver, session->id)) {
        prosa_client_conflict(session, slot, frame->octets, deliver->room_seq, event, now_ms);
        return true;
    }
    slot->room.seen_seq = deliver->room_seq;
    event->status = PROSA_OK;
    if (!message->displayable)
        event->status = PROSA_ERR_UNSUPPORTED; /* [MSG-14] */
    else if (prosa_author_verify(deliver->author_key, frame->body, deliver->author_sig) != PROSA_OK)
        event->status = PROSA_ERR_BAD_SIG; /* [MSG-16] */
    event->kind = event->status == PROSA_OK ? PROSA_CLIENT_MESSAGE : PROSA_CLIENT_UNSHOWN;
    event->room = &slot->room;
    event->seq = deliver->room_seq;
    event->id = session->id;
    event->own = memcmp(deliver->author_key, session->config->keypair.key, PROSA_KEY_SIZE) == 0;
    event->deliver = *deliver;
    return true;
}
