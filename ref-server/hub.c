/* SPDX-License-Identifier: MIT */
#include "hub.h"

void hub_mark(struct hub *hub, struct conn *conn)
{
    if (list_is_empty(&conn->dirty) && !conn->parted) {
        list_append(&hub->dirty, &conn->dirty);
    }
}

void hub_mark_room(struct hub *hub, struct room *room)
{
    LIST_EACH(at, &room->roster.members)
    {
        const struct member *member = LIST_OF(at, struct member, place);
        hub_mark(hub, member->owner);
    }
}

void hub_say_goodbye(struct hub *hub, struct conn *conn, uint16_t code)
{
    answerer_forget(hub->answerer, conn);
    prosa_server_session_bye(&conn->session, code, hub->loop->now_ms);
    hub_mark(hub, conn);
}

void hub_release_room(struct hub *hub, struct room *room)
{
    room->uses--;
    if (room->uses > 0) {
        return;
    }
    /* What nobody wrote in can be forgotten [MSG-27]; what is on the disk can come back. */
    if (room->durable || room_is_private(room) || room->shared.head_seq == 0) {
        list_remove(&room->due);
        list_remove(&room->grown);
        rooms_remove(&hub->rooms, room);
    }
}

void hub_drop_lanes(struct hub *hub)
{
    LIST_EACH(at, &hub->resting)
    {
        const struct lane *lane = LIST_OF(at, struct lane, resting);
        list_remove(at);
        if (lane->count == 0) {
            conn_drop_lane(lane->owner, &hub->verifier);
        }
    }
}
