/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <assert.h>
#include <stdlib.h>

static const struct prosa_bytes host_room = {(const uint8_t *)"@host", 5};

static struct prosa_bytes room_name(const struct prosa_room *room)
{
    return prosa_bytes(room->name, room->name_size);
}

void prosa_room_init(struct prosa_room *room, const uint8_t server_key[static PROSA_KEY_SIZE],
                     const uint8_t epoch[static PROSA_EPOCH_SIZE], struct prosa_bytes name,
                     const uint8_t *client_key)
{
    *room = (struct prosa_room){.name_size = (uint8_t)name.size, .oldest_seq = 1};
    memcpy(room->name, name.at, name.size);
    memcpy(room->epoch, epoch, PROSA_EPOCH_SIZE);
    prosa_room_id(server_key, epoch, name, client_key, room->room_id);
}

/* --- slots ------------------------------------------------------------------------------------ */

struct prosa_server_slot *prosa_server_slot_of(const struct prosa_server_session *session,
                                               const uint8_t *room_id)
{
    if (prosa_server_has(session, FLAG_ENDED))
        return NULL; /* the caller may have freed the rooms */
    for (size_t i = 0; i < session->slot_count; i++)
        if (memcmp(session->slots[i].room->room_id, room_id, PROSA_HASH_SIZE) == 0)
            return &session->slots[i];
    return NULL;
}

static struct prosa_server_slot *slot_of_name(const struct prosa_server_session *session,
                                              struct prosa_bytes name)
{
    for (size_t i = 0; i < session->slot_count; i++)
        if (prosa_bytes_equal(room_name(session->slots[i].room), name))
            return &session->slots[i];
    return NULL;
}

/* NULL: no memory. The slot is zero. */
static struct prosa_server_slot *add_slot(struct prosa_server_session *session)
{
    if (session->slot_count == session->slot_cap) {
        uint16_t cap = prosa_slots_grown(session->slot_cap, (uint16_t)session->config->limits.max_rooms);
        struct prosa_server_slot *slots = realloc(session->slots, cap * sizeof *slots);
        if (slots == NULL)
            return NULL;
        session->slots = slots;
        session->slot_cap = cap;
    }
    struct prosa_server_slot *slot = &session->slots[session->slot_count++];
    *slot = (struct prosa_server_slot){.hold = PROSA_NEVER};
    return slot;
}

static void remove_slot(struct prosa_server_session *session, struct prosa_server_slot *slot)
{
    free(slot->ring);
    *slot = session->slots[--session->slot_count];
    session->turn = 0;
}

void prosa_server_slots_free(struct prosa_server_session *session)
{
    for (size_t i = 0; i < session->slot_count; i++)
        free(session->slots[i].ring);
    free(session->slots);
}

size_t prosa_server_slots_memory(const struct prosa_server_session *session)
{
    size_t size = session->slot_cap * sizeof *session->slots;
    for (size_t i = 0; i < session->slot_count; i++)
        if (session->slots[i].ring != NULL)
            size += prosa_server_ring_size(&session->slots[i]) * sizeof *session->slots[i].ring;
    return size;
}

const struct prosa_cell *prosa_server_room_cell(const struct prosa_server_slot *slot,
                                                enum prosa_room_server_input input)
{
    if (slot == NULL)
        return &prosa_room_server_cells[input][ROOM_SERVER_OUT];
    bool live = slot->cursor >= slot->replay_end;
    return &prosa_room_server_cells[input][live ? ROOM_SERVER_LIVE : ROOM_SERVER_REPLAY];
}

void prosa_server_room_fault(struct prosa_server_session *session, const struct prosa_frame *frame,
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
    prosa_server_fatal(session, &fault, now_ms);
}

/* --- JOIN ------------------------------------------------------------------------------------- */

static void refuse_join(struct prosa_server_session *session, struct prosa_bytes room, uint16_t code,
                        const char *clause)
{
    struct prosa_fault fault = {
        .code = code, .ref_type = PROSA_FRAME_JOIN, .room_size = (uint8_t)room.size, .clause = clause};
    memcpy(fault.room, room.at, room.size);
    prosa_server_queue_error(session, &fault);
}

bool prosa_server_on_join(struct prosa_server_session *session, const struct prosa_frame *frame,
                          const struct prosa_join *join, struct prosa_server_event *event, uint64_t now_ms)
{
    const struct prosa_server_slot *slot = slot_of_name(session, join->room);
    const struct prosa_cell *cell = prosa_server_room_cell(slot, ROOM_SERVER_ON_JOIN);

    if (cell->action == DO_FATAL) {
        assert(slot != NULL); /* whoever is out of the room may join it */
        prosa_server_room_fault(session, frame, cell->code, cell->clause, slot->room->room_id, 0, now_ms);
        return false;
    }
    if (join->after_seq != 0 && !join->has_epoch) {
        prosa_server_room_fault(session, frame, PROSA_CODE_BAD_FRAME, "RES-05", NULL, 0, now_ms);
        return false;
    }
    if (session->slot_count >= session->config->limits.max_rooms) {
        refuse_join(session, join->room, PROSA_CODE_TOO_MANY_ROOMS, "FLOW-03");
        return false;
    }
    if (join->room.at[0] == '@' && !prosa_bytes_equal(join->room, host_room)) {
        refuse_join(session, join->room, PROSA_CODE_NO_ROOM, "MSG-25");
        return false;
    }
    session->waiting = WAIT_JOINED;
    event->kind = PROSA_SERVER_JOIN;
    event->join = *join;
    return true;
}

/* The JOIN that waits for its answer stands at the start of the input. False: none waits. */
static bool waiting_join(const struct prosa_server_session *session, struct prosa_message *message)
{
    struct prosa_frame frame;
    enum prosa_status status;
    if (session->waiting != WAIT_JOINED)
        return false;
    if (prosa_find_frame(prosa_buffer_view(&session->in), PROSA_MAX_FRAME_CEILING, &frame, &status) !=
        PROSA_FOUND_FRAME)
        return false;
    return prosa_message_decode(&frame, PROSA_FROM_CLIENT, message) == PROSA_OK;
}

static void forget_join(struct prosa_server_session *session, const struct prosa_message *message)
{
    session->waiting = WAIT_NOTHING;
    prosa_buffer_consume(&session->in, PROSA_HEADER_SIZE + message->body.size);
}

void prosa_server_session_refuse_join(struct prosa_server_session *session, enum prosa_status status,
                                      uint64_t now_ms)
{
    struct prosa_message message;
    (void)now_ms;
    if (!waiting_join(session, &message))
        return;
    refuse_join(session, message.join.room, prosa_status_code(status), NULL);
    forget_join(session, &message);
}

/* The room_seq of the first DELIVER [FLOW-06] [RES-01] [RES-02] [RES-06]. */
static uint64_t start_of(const struct prosa_server_session *session, const struct prosa_join *join,
                         const struct prosa_room *room)
{
    if (!join->has_after_seq || (session->features & PROSA_FEATURE_RESUME) == 0)
        return room->head_seq + 1;
    bool same_epoch = join->has_epoch && memcmp(join->epoch, room->epoch, PROSA_EPOCH_SIZE) == 0;
    if (!same_epoch || join->after_seq > room->head_seq)
        return room->oldest_seq;
    return join->after_seq + 1 > room->oldest_seq ? join->after_seq + 1 : room->oldest_seq;
}

bool prosa_server_make_ring(struct prosa_server_slot *slot)
{
    if (slot->ring == NULL)
        slot->ring = calloc(prosa_server_ring_size(slot), sizeof *slot->ring);
    return slot->ring != NULL;
}

/* Takes over the ids of messages of earlier sessions [FLOW-23]. */
static bool recall_ids(struct prosa_server_slot *slot, const struct prosa_join_answer *answer)
{
    size_t count =
        answer->id_count < prosa_server_ring_size(slot) ? answer->id_count : prosa_server_ring_size(slot);
    if (count > answer->last_counter)
        count = (size_t)answer->last_counter;
    slot->ring_from = answer->last_counter - count + 1;
    if (count == 0)
        return true;
    if (!prosa_server_make_ring(slot))
        return false;
    for (size_t i = 0; i < count; i++)
        memcpy(slot->ring[(slot->ring_from + i) % prosa_server_ring_size(slot)].id,
               answer->ids[answer->id_count - count + i], ID_PREFIX);
    return true;
}

static void queue_joined(struct prosa_server_session *session, const struct prosa_server_slot *slot,
                         uint64_t start_seq)
{
    const struct prosa_room *room = slot->room;
    const struct prosa_message message = {
        .type = PROSA_FRAME_JOINED,
        .joined =
            {
                .room = room_name(room),
                .room_id = room->room_id,
                .epoch = room->epoch,
                .granted_window = slot->granted,
                .last_counter = slot->last,
                .limit_counter = slot->limit,
                .head_seq = room->head_seq,
                .oldest_seq = room->oldest_seq,
                .start_seq = start_seq,
            },
    };
    prosa_server_queue(session, &message);
}

bool prosa_server_session_joined(struct prosa_server_session *session, const struct prosa_join_answer *answer,
                                 uint64_t now_ms)
{
    struct prosa_message message;
    struct prosa_room *room = answer->room;
    if (!waiting_join(session, &message))
        return false;
    struct prosa_server_slot *slot = add_slot(session);
    if (slot == NULL) {
        prosa_server_session_fail(session, PROSA_ERR_INTERNAL, now_ms);
        return false;
    }
    uint64_t start = start_of(session, &message.join, room);
    uint32_t window = answer->window == 0 ? 1 : answer->window;
    slot->room = room;
    slot->granted = prosa_server_least(
        window, prosa_server_least(message.join.send_window, session->config->limits.max_window));
    slot->taken = slot->last = answer->last_counter;
    slot->last_seq = answer->last_seq;
    slot->limit = slot->last + slot->granted; /* [FLOW-05] */
    slot->cursor = slot->seen = start - 1;
    slot->limit_seq = start - 1 + message.join.recv_window; /* [FLOW-07] */
    slot->replay_end = room->head_seq;
    if (!recall_ids(slot, answer)) {
        remove_slot(session, slot);
        prosa_server_session_fail(session, PROSA_ERR_INTERNAL, now_ms);
        return false;
    }
    if ((session->features & PROSA_FEATURE_AUDIT) != 0) {
        bool boundary = start == room->oldest_seq && start > 1 && start <= room->head_seq; /* [AUD-07] */
        slot->flags = (uint8_t)(SLOT_CHECKPOINT_DUE | (boundary ? SLOT_BOUNDARY_DUE : 0));
    }
    queue_joined(session, slot, start);
    forget_join(session, &message);
    return true;
}

/* --- LEAVE ------------------------------------------------------------------------------------ */

bool prosa_server_on_leave(struct prosa_server_session *session, const struct prosa_frame *frame,
                           const struct prosa_leave *leave, struct prosa_server_event *event, uint64_t now_ms)
{
    struct prosa_server_slot *slot = prosa_server_slot_of(session, leave->room_id);
    const struct prosa_cell *cell = prosa_server_room_cell(slot, ROOM_SERVER_ON_LEAVE);

    if (cell->action == DO_FATAL) {
        prosa_server_room_fault(session, frame, cell->code, cell->clause, leave->room_id, 0, now_ms);
        return false;
    }
    assert(slot != NULL); /* whoever is out of the room has had a fatal cell */
    if ((slot->flags & SLOT_ACK_DUE) != 0)
        prosa_server_queue_ack(session, slot);
    event->kind = PROSA_SERVER_LEAVE;
    event->room = slot->room;
    if (slot->room->name[0] != '@') { /* [MEM-06] [MEM-07] */
        const struct prosa_message message = {
            .type = PROSA_FRAME_MEMBER,
            .member =
                {
                    .has_nick = true,
                    .nick = prosa_server_session_nick(session),
                    .room_id = slot->room->room_id,
                    .event = PROSA_EVENT_LEFT,
                    .has_member_key = true,
                    .member_key = session->client_key,
                    .at_seq = slot->room->head_seq,
                },
        };
        prosa_server_queue(session, &message);
    }
    remove_slot(session, slot);
    return true;
}
