/* SPDX-License-Identifier: MIT */
#include "judge.h"

#include <stdlib.h>

bool judge_init(struct judge *judge, uint32_t run, uint32_t readers, uint32_t writers, uint32_t count,
                bool repeats)
{
    const size_t bodies = (size_t)writers * count;
    *judge = (struct judge){
        .run = run, .readers = readers, .writers = writers, .count = count, .repeats = repeats};
    judge->next = calloc((size_t)readers * writers + 1, sizeof *judge->next);
    judge->shown = calloc(bodies + 1, sizeof *judge->shown);
    judge->said_ns = calloc(bodies + 1, sizeof *judge->said_ns);
    judge->place = calloc(bodies + 1, sizeof *judge->place);
    return judge->next != NULL && judge->shown != NULL && judge->said_ns != NULL && judge->place != NULL;
}

void judge_fini(struct judge *judge)
{
    free(judge->next);
    free(judge->shown);
    free(judge->said_ns);
    free(judge->place);
    free(judge->holes);
    tally_fini(&judge->times);
}

void judge_said(struct judge *judge, uint32_t writer, uint64_t place, uint64_t now_ns)
{
    judge->said_ns[(size_t)writer * judge->count + place % judge->count] = now_ns;
}

void judge_altered(struct judge *judge)
{
    judge->faults.altered++;
}

void judge_placed(struct judge *judge, const struct body *body, uint64_t place)
{
    uint64_t *first = &judge->place[(size_t)body->writer * judge->count + body->index];
    if (*first != 0 && *first != place) {
        judge->faults.reordered++;
    }
    *first = place;
}

/* One that was passed over; without memory it counts as lost at once. */
static void open_hole(struct judge *judge, struct judge_hole hole)
{
    if (judge->hole_count == judge->hole_cap) {
        const size_t cap = judge->hole_cap == 0 ? 64 : 2 * judge->hole_cap;
        struct judge_hole *holes = realloc(judge->holes, cap * sizeof *holes);
        if (holes == NULL) {
            judge->faults.lost++;
            return;
        }
        judge->holes = holes;
        judge->hole_cap = cap;
    }
    judge->holes[judge->hole_count++] = hole;
}

/* True: it had been passed over, and is there after all. */
static bool close_hole(struct judge *judge, struct judge_hole hole)
{
    for (size_t i = judge->hole_count; i-- > 0;) {
        const struct judge_hole *other = &judge->holes[i];
        if (other->reader == hole.reader && other->writer == hole.writer && other->place == hole.place) {
            judge->holes[i] = judge->holes[--judge->hole_count];
            return true;
        }
    }
    return false;
}

/* Which message a body must be: the nearest to the one that is next. */
static uint64_t place_of(const struct judge *judge, uint64_t next, uint32_t index)
{
    if (!judge->repeats) {
        return index;
    }
    const uint64_t ahead = (index + judge->count - next % judge->count) % judge->count;
    const bool is_behind = ahead > judge->count / 2 && next + ahead >= judge->count;
    return next + ahead - (is_behind ? judge->count : 0);
}

static void count(struct judge *judge, const struct body *body, uint64_t now_ns)
{
    const size_t at = (size_t)body->writer * judge->count + body->index;
    judge->deliveries++;
    judge->last_ns = now_ns;
    if (++judge->shown[at] == judge->readers) {
        judge->shown[at] = 0;
        judge->whole++;
        if (judge->said_ns[at] > 0 && !tally_add(&judge->times, now_ns - judge->said_ns[at])) {
            judge->faults.lost++; /* a time that cannot be kept is as good as none */
        }
    }
}

bool judge_shown(struct judge *judge, uint32_t reader, struct prosa_bytes octets, uint64_t now_ns,
                 struct body *body)
{
    if (!body_read(octets, body)) {
        judge->faults.altered++;
        return false;
    }
    if (body->run != judge->run) {
        judge->foreign++;
        return false;
    }
    if (body->writer >= judge->writers || body->index >= judge->count) {
        judge->faults.altered++;
        return false;
    }
    uint64_t *next = &judge->next[(size_t)reader * judge->writers + body->writer];
    const uint64_t place = place_of(judge, *next, body->index);
    if (place < *next) {
        const struct judge_hole hole = {reader, body->writer, place};
        if (!close_hole(judge, hole)) {
            judge->faults.doubled++;
            return true;
        }
        judge->faults.reordered++;
    } else {
        for (; *next < place; (*next)++) {
            open_hole(judge, (struct judge_hole){reader, body->writer, *next});
        }
        (*next)++;
    }
    count(judge, body, now_ns);
    return true;
}

struct judge_faults judge_sum(const struct judge *judge, const uint64_t *said)
{
    struct judge_faults sum = judge->faults;
    sum.lost += judge->hole_count;
    for (uint32_t reader = 0; reader < judge->readers; reader++) {
        for (uint32_t writer = 0; writer < judge->writers; writer++) {
            const uint64_t progress = judge_progress(judge, reader, writer);
            sum.lost += said[writer] > progress ? said[writer] - progress : 0;
        }
    }
    return sum;
}
