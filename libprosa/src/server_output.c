/* SPDX-License-Identifier: MIT */
#include "server.h"

enum { COALESCE_ABOVE = 4096 }; /* octets of pending output beyond which ACKs wait for each other */

static const uint16_t own_octets = UINT16_MAX; /* owner of the slice that is no entry */

/* --- what becomes due ------------------------------------------------------------------------- */

void prosa_server_queue_ack(struct prosa_server_session *session, struct prosa_server_slot *slot)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_ACK,
        .ack =
            {
                .room_id = slot->room->room_id,
                .has_limit_counter = true,
                .has_acked_counter = true,
                .has_acked_seq = true,
                .limit_counter = slot->limit,
                .acked_counter = slot->last,
                .acked_seq = slot->last_seq,
            },
    };
    slot->flags &= (uint8_t)~SLOT_ACK_DUE;
    prosa_server_queue(session, &message);
}

void prosa_server_raise_limit(const struct prosa_server_session *session, struct prosa_server_slot *slot)
{
    if (session->config->credit_held || prosa_server_is_sync(slot))
        return;
    if (slot->limit < slot->last + slot->granted)
        slot->flags |= SLOT_ACK_DUE;
    slot->limit = slot->last + slot->granted; /* [FLOW-11] [FLOW-32] */
}

static void queue_acks(struct prosa_server_session *session)
{
    for (size_t i = 0; i < session->slot_count; i++) {
        struct prosa_server_slot *slot = &session->slots[i];
        prosa_server_raise_limit(session, slot);                         /* when it was held back */
        if (slot->answer_seq != 0 && slot->cursor >= slot->answer_seq) { /* [FLOW-28] */
            slot->answer_seq = 0;
            slot->limit = slot->last + slot->granted;
            slot->flags |= SLOT_ACK_DUE;
        }
        if ((slot->flags & SLOT_ACK_DUE) != 0)
            prosa_server_queue_ack(session, slot);
    }
}

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void prosa_server_set_barriers(struct prosa_server_session *session)
{
    for (size_t i = 0; i < session->slot_count; i++) {
        struct prosa_server_slot *slot = &session->slots[i];
        slot->barrier = lower(slot->room->head_seq, slot->limit_seq);
    }
}

/* Everything that was visible has gone out [LIVE-03]. */
static bool barriers_passed(const struct prosa_server_session *session)
{
    for (size_t i = 0; i < session->slot_count; i++) {
        const struct prosa_server_slot *slot = &session->slots[i];
        bool checkpoint = (slot->flags & (SLOT_CHECKPOINT_DUE | SLOT_BOUNDARY_DUE)) != 0;
        if (slot->cursor < slot->barrier || slot->hold != PROSA_NEVER || checkpoint)
            return false;
    }
    return true;
}

static void queue_pong(struct prosa_server_session *session)
{
    const struct prosa_message message = {
        .type = PROSA_FRAME_PONG,
        .pong = {.opaque = prosa_bytes(session->opaque, session->opaque_size)},
    };
    queue_acks(session);
    prosa_server_clear(session, FLAG_PONG_DUE);
    prosa_server_queue(session, &message);
}

/* A CHECKPOINT of each room goes before a BYE [AUD-04]. True: some were asked for just now. */
static bool state_heads(struct prosa_server_session *session)
{
    if (prosa_server_has(session, FLAG_END_STATED | FLAG_END_ERROR) ||
        (session->features & PROSA_FEATURE_AUDIT) == 0)
        return false;
    prosa_server_set(session, FLAG_END_STATED);
    for (size_t i = 0; i < session->slot_count; i++)
        session->slots[i].flags |= SLOT_CHECKPOINT_DUE;
    return session->slot_count > 0;
}

static void queue_end(struct prosa_server_session *session)
{
    const struct prosa_fault plain = {.code = session->end_code};
    bool answer = prosa_server_has(session, FLAG_FROM_PEER);
    const struct prosa_message bye = {
        .type = PROSA_FRAME_BYE,
        .bye = {.code = answer ? PROSA_CODE_NORMAL : session->end_code},
    };

    queue_acks(session);
    prosa_server_clear(session, FLAG_END_DUE);
    if (!prosa_server_has(session, FLAG_END_ERROR))
        prosa_server_queue(session, &bye);
    else
        prosa_server_queue_error(session, session->words != NULL ? &session->words->fault : &plain);
}

void prosa_server_settle(struct prosa_server_session *session)
{
    if (!prosa_server_speaks(session))
        return;
    if (prosa_buffer_size(&session->out) < COALESCE_ABOVE)
        queue_acks(session);
    if (prosa_server_has(session, FLAG_PONG_DUE) && session->pending == 0 && barriers_passed(session))
        queue_pong(session);
    if (!prosa_server_has(session, FLAG_END_DUE))
        return;
    if (prosa_server_has(session, FLAG_END_DECIDED) && session->pending > 0)
        return;
    if (prosa_server_has(session, FLAG_END_DELIVERED) && (!barriers_passed(session) || state_heads(session)))
        return;
    queue_end(session);
}

/* --- frames that the caller made -------------------------------------------------------------- */

enum prosa_status prosa_server_session_member(struct prosa_server_session *session, struct prosa_room *room,
                                              struct prosa_bytes octets, uint64_t at_seq, uint64_t now_ms)
{
    struct prosa_server_slot *slot = prosa_server_slot_of(session, room->room_id);
    (void)now_ms;
    if (slot == NULL || !prosa_server_speaks(session))
        return PROSA_END;
    if (prosa_buffer_size(&session->out) + octets.size > session->config->limits.output_limit) {
        slot->hold = lower(slot->hold, at_seq);
        return PROSA_PARTIAL;
    }
    slot->hold = PROSA_NEVER;
    if (!prosa_buffer_append(&session->out, octets))
        prosa_server_over(session, PROSA_ENDING_ERROR, PROSA_CODE_INTERNAL);
    return PROSA_OK;
}

void prosa_server_let_go(struct prosa_server_session *session)
{
    for (size_t i = 0; i < session->slot_count; i++)
        session->slots[i].hold = PROSA_NEVER;
}

bool prosa_server_ask_checkpoint(struct prosa_server_session *session, struct prosa_server_event *event)
{
    if (!prosa_server_speaks(session))
        return false;
    for (size_t i = 0; i < session->slot_count; i++) {
        struct prosa_server_slot *slot = &session->slots[i];
        if ((slot->flags & (SLOT_CHECKPOINT_DUE | SLOT_BOUNDARY_DUE)) == 0 ||
            (slot->flags & SLOT_CHECKPOINT_ASKED) != 0)
            continue;
        slot->flags |= SLOT_CHECKPOINT_ASKED;
        bool boundary = (slot->flags & SLOT_BOUNDARY_DUE) != 0;
        *event = (struct prosa_server_event){
            .kind = PROSA_SERVER_CHECKPOINT,
            .room = slot->room,
            .seq = boundary ? slot->room->oldest_seq - 1 : slot->room->head_seq,
        };
        return true;
    }
    return false;
}

void prosa_server_session_checkpoint(struct prosa_server_session *session, struct prosa_room *room,
                                     struct prosa_bytes octets, uint64_t now_ms)
{
    struct prosa_server_slot *slot = prosa_server_slot_of(session, room->room_id);
    (void)now_ms;
    if (slot == NULL || !prosa_server_speaks(session) || (slot->flags & SLOT_CHECKPOINT_ASKED) == 0)
        return;
    bool boundary = (slot->flags & SLOT_BOUNDARY_DUE) != 0;
    slot->flags &= (uint8_t) ~(SLOT_CHECKPOINT_ASKED | (boundary ? SLOT_BOUNDARY_DUE : SLOT_CHECKPOINT_DUE));
    if (!prosa_buffer_append(&session->out, octets))
        prosa_server_over(session, PROSA_ENDING_ERROR, PROSA_CODE_INTERNAL);
}

/* --- batches ---------------------------------------------------------------------------------- */

static bool owes(const struct prosa_server_session *session)
{
    if (prosa_buffer_size(&session->out) > 0)
        return true;
    for (size_t i = 0; i < session->slot_count; i++)
        if (session->slots[i].room->head_seq > session->slots[i].cursor)
            return true;
    return false;
}

/* T_slow runs from the moment that something is owed [FLOW-39]. */
static void watch_progress(struct prosa_server_session *session, uint64_t now_ms)
{
    bool owed = owes(session);
    if (owed && !prosa_server_has(session, FLAG_OWED))
        session->progress_ms = now_ms;
    prosa_server_clear(session, FLAG_OWED);
    if (owed)
        prosa_server_set(session, FLAG_OWED);
}

/* The next entry is not kept any more. */
static bool is_overtaken(const struct prosa_server_slot *slot)
{
    return slot->cursor + 1 < slot->room->oldest_seq;
}

/* A cursor that pruning overtook ends the session [FLOW-40]; one that ends waits for it no longer. */
static void watch_pruning(struct prosa_server_session *session, uint64_t now_ms)
{
    bool overtaken = false;
    for (size_t i = 0; i < session->slot_count; i++)
        overtaken = overtaken || is_overtaken(&session->slots[i]);
    if (!overtaken)
        return;
    if (session->state == SERVER_READY)
        prosa_server_goodbye(session, PROSA_CODE_SLOW_CONSUMER, 0, now_ms);
    else
        prosa_server_clear(session, FLAG_END_DELIVERED);
}

void prosa_server_session_batch(struct prosa_server_session *session, struct prosa_batch *batch,
                                uint64_t now_ms)
{
    batch->count = batch->octets = 0;
    batch->seq = 1;
    batch->last = 0;
    batch->left = 0;
    if (session->state == SERVER_CLOSED)
        return;
    watch_pruning(session, now_ms);
    prosa_server_settle(session);
    watch_progress(session, now_ms);
    if (prosa_buffer_size(&session->out) > 0) {
        batch->slices[0] = prosa_buffer_view(&session->out);
        batch->owner[0] = own_octets;
        batch->octets = batch->slices[0].size;
        batch->count = 1;
    }
    if (!prosa_server_speaks(session))
        return;
    batch->left = session->slot_count;
    batch->slot = session->turn;
}

/* Behind which a CHECKPOINT goes next: the same for all members, so that one signature serves them. */
static uint64_t next_stop(uint64_t cursor)
{
    return (cursor / PROSA_CHECKPOINT_INTERVAL + 1) * PROSA_CHECKPOINT_INTERVAL;
}

/* The last entry that may follow the cursor now [FLOW-18] [MEM-02] [AUD-04]. */
static uint64_t permitted(const struct prosa_server_session *session, const struct prosa_server_slot *slot)
{
    if (is_overtaken(slot))
        return 0;
    uint64_t last = lower(slot->room->head_seq, lower(slot->limit_seq, slot->hold));
    if ((session->features & PROSA_FEATURE_AUDIT) == 0)
        return last;
    if ((slot->flags & (SLOT_CHECKPOINT_DUE | SLOT_BOUNDARY_DUE)) != 0)
        return 0;
    return lower(last, slot->cursor < slot->replay_end ? slot->replay_end : next_stop(slot->cursor));
}

bool prosa_server_session_want(struct prosa_server_session *session, struct prosa_batch *batch,
                               struct prosa_room **room, uint64_t *room_seq)
{
    if (batch->count == PROSA_BATCH_SLICES || batch->octets >= PROSA_BATCH_OCTETS)
        return false;
    while (batch->seq > batch->last) {
        if (batch->left == 0)
            return false;
        batch->left--;
        batch->slot = (uint16_t)(batch->slot + 1 < session->slot_count ? batch->slot + 1 : 0);
        const struct prosa_server_slot *slot = &session->slots[batch->slot];
        batch->seq = slot->cursor + 1;
        batch->last = permitted(session, slot);
    }
    *room = session->slots[batch->slot].room;
    *room_seq = batch->seq;
    return true;
}

void prosa_server_session_lend(struct prosa_batch *batch, struct prosa_bytes deliver)
{
    batch->slices[batch->count] = deliver;
    batch->owner[batch->count] = batch->slot;
    batch->count++;
    batch->octets += deliver.size;
    batch->seq++;
}

/* One DELIVER has gone out, or its rest is in the output. */
static void advance(struct prosa_server_session *session, struct prosa_server_slot *slot)
{
    slot->cursor++;
    bool replayed = slot->cursor == slot->replay_end;
    bool stops = slot->cursor > slot->replay_end && slot->cursor % PROSA_CHECKPOINT_INTERVAL == 0;
    if ((session->features & PROSA_FEATURE_AUDIT) != 0 && (replayed || stops))
        slot->flags |= SLOT_CHECKPOINT_DUE; /* [AUD-04] */
}

void prosa_server_session_sent(struct prosa_server_session *session, const struct prosa_batch *batch,
                               size_t octets, uint64_t now_ms)
{
    if (octets > 0)
        session->progress_ms = now_ms;
    for (size_t i = 0; i < batch->count && octets > 0; i++) {
        struct prosa_bytes slice = batch->slices[i];
        size_t taken = octets < slice.size ? octets : slice.size;
        octets -= taken;
        if (batch->owner[i] == own_octets) {
            prosa_buffer_consume(&session->out, taken);
            continue;
        }
        advance(session, &session->slots[batch->owner[i]]);
        session->turn = batch->owner[i];
        if (taken < slice.size &&
            !prosa_buffer_append(&session->out, prosa_bytes(slice.at + taken, slice.size - taken)))
            prosa_server_over(session, PROSA_ENDING_ERROR, PROSA_CODE_INTERNAL);
    }
    prosa_buffer_release(&session->out);
    prosa_server_settle(session);
    watch_progress(session, now_ms);
}
