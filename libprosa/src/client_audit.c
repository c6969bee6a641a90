/* SPDX-License-Identifier: MIT */
#include "client.h"

void prosa_client_chain_begin(const struct prosa_client_session *session, struct prosa_client_slot *slot,
                              bool same_epoch)
{
    struct prosa_client_room *room = &slot->room;
    bool goes_on = same_epoch && slot->has_chain && room->seen_seq == slot->after_seq;

    room->chain_known = (session->features & PROSA_FEATURE_AUDIT) != 0 && (goes_on || room->seen_seq == 0);
    if (room->chain_known && room->seen_seq == 0)
        prosa_chain_start(room->room_id, room->chain);
}

bool prosa_client_chain_take(struct prosa_client_slot *slot, const struct prosa_deliver *deliver,
                             const uint8_t id[static PROSA_HASH_SIZE])
{
    struct prosa_client_room *room = &slot->room;

    if (!deliver->has_prev_hash) /* [AUD-02] */
        return false;
    if (room->chain_known && memcmp(room->chain, deliver->prev_hash, PROSA_HASH_SIZE) != 0)
        return false;
    prosa_chain_next(deliver->prev_hash, deliver->room_seq, deliver->server_time, id, room->chain);
    room->chain_known = true;
    return true;
}

void prosa_client_conflict(struct prosa_client_session *session, const struct prosa_client_slot *slot,
                           struct prosa_bytes octets, uint64_t seq, struct prosa_client_event *event,
                           uint64_t now_ms)
{
    struct prosa_fault fault = {.code = PROSA_CODE_FORK, .has_room_id = true, .clause = "AUD-05"};

    memcpy(fault.room_id, slot->room.room_id, PROSA_HASH_SIZE);
    prosa_client_fatal(session, &fault, now_ms);
    *event = (struct prosa_client_event){
        .kind = PROSA_CLIENT_CONFLICT, .room = &slot->room, .octets = octets, .seq = seq};
}

/* The chain stands where the CHECKPOINT says: compare. A chain that was not known begins here. */
static bool agree(struct prosa_client_slot *slot, uint64_t seq, const uint8_t *chain)
{
    struct prosa_client_room *room = &slot->room;

    if (!room->chain_known) {
        memcpy(room->chain, chain, PROSA_HASH_SIZE);
        room->chain_known = true;
    }
    if (memcmp(room->chain, chain, PROSA_HASH_SIZE) != 0)
        return false;
    slot->covered_seq = seq;
    memcpy(slot->covered_chain, chain, PROSA_HASH_SIZE);
    return true;
}

/* Keeps a CHECKPOINT that is ahead; the farthest gives way when there are too many. False: another
 * one with the same seq says something else. */
static bool keep(struct prosa_client_slot *slot, const struct prosa_frame *frame,
                 const struct prosa_checkpoint *checkpoint)
{
    size_t at = slot->kept_count;
    for (size_t i = 0; i < slot->kept_count; i++)
        if (slot->kept[i].seq == checkpoint->seq)
            return memcmp(slot->kept[i].chain, checkpoint->chain, PROSA_HASH_SIZE) == 0;
    if (at == KEPT_CHECKPOINTS) {
        at = 0;
        for (size_t i = 1; i < KEPT_CHECKPOINTS; i++)
            at = slot->kept[i].seq > slot->kept[at].seq ? i : at;
    } else {
        slot->kept_count++;
    }
    struct prosa_client_checkpoint *kept = &slot->kept[at];
    *kept = (struct prosa_client_checkpoint){.seq = checkpoint->seq};
    memcpy(kept->chain, checkpoint->chain, PROSA_HASH_SIZE);
    if (frame->octets.size <= CHECKPOINT_OCTETS) {
        kept->size = (uint16_t)frame->octets.size;
        memcpy(kept->octets, frame->octets.at, frame->octets.size);
    }
    return true;
}

static void say_covered(const struct prosa_client_slot *slot, struct prosa_bytes octets,
                        struct prosa_client_event *event)
{
    *event = (struct prosa_client_event){
        .kind = PROSA_CLIENT_COVERED, .room = &slot->room, .octets = octets, .seq = slot->covered_seq};
}

bool prosa_client_on_checkpoint(struct prosa_client_session *session, const struct prosa_frame *frame,
                                const struct prosa_checkpoint *checkpoint, struct prosa_client_event *event,
                                uint64_t now_ms)
{
    struct prosa_client_slot *slot = prosa_client_slot_of(session, checkpoint->room_id);
    bool good = true;

    if ((session->features & PROSA_FEATURE_AUDIT) == 0)
        return false;
    if (slot == NULL) {
        prosa_client_room_fault(session, frame, PROSA_CODE_WRONG_ROOM, "AUD-04", checkpoint->room_id, 0,
                                now_ms);
        return false;
    }
    if (prosa_checkpoint_verify(session->server_key, frame->octets) != PROSA_OK) {
        prosa_client_room_fault(session, frame, PROSA_CODE_BAD_SIG, "AUD-03", checkpoint->room_id, 0, now_ms);
        return false;
    }
    if (slot->state != ROOM_CLIENT_IN)
        return false;
    if (checkpoint->seq > slot->room.seen_seq)
        good = keep(slot, frame, checkpoint);
    else if (checkpoint->seq == slot->room.seen_seq)
        good = agree(slot, checkpoint->seq, checkpoint->chain);
    else if (checkpoint->seq == slot->covered_seq)
        good = memcmp(slot->covered_chain, checkpoint->chain, PROSA_HASH_SIZE) == 0;
    if (!good) {
        prosa_client_conflict(session, slot, frame->octets, checkpoint->seq, event, now_ms);
        return true;
    }
    if (checkpoint->seq != slot->room.seen_seq)
        return false;
    say_covered(slot, frame->octets, event);
    return true;
}

/* Takes the i-th kept CHECKPOINT, whose place the chain has reached. */
static void reach(struct prosa_client_session *session, struct prosa_client_slot *slot, size_t i,
                  struct prosa_client_event *event, uint64_t now_ms)
{
    struct prosa_client_checkpoint *kept = &slot->kept[i];
    struct prosa_client_checkpoint *last = &slot->kept[--slot->kept_count];
    struct prosa_client_checkpoint reached = *kept;

    *kept = *last;
    *last = reached; /* behind the others: the event may borrow it */
    struct prosa_bytes octets = prosa_bytes(last->octets, last->size);
    if (agree(slot, reached.seq, reached.chain))
        say_covered(slot, octets, event);
    else
        prosa_client_conflict(session, slot, octets, reached.seq, event, now_ms);
}

bool prosa_client_chain_reached(struct prosa_client_session *session, struct prosa_client_event *event,
                                uint64_t now_ms)
{
    if ((session->features & PROSA_FEATURE_AUDIT) == 0 || prosa_client_has(session, CLIENT_DISCARD))
        return false;
    for (size_t s = 0; s < session->slot_count; s++) {
        struct prosa_client_slot *slot = &session->slots[s];
        for (size_t i = 0; i < slot->kept_count; i++)
            if (slot->kept[i].seq == slot->room.seen_seq) {
                reach(session, slot, i, event, now_ms);
                return true;
            }
    }
    return false;
}
