/* SPDX-License-Identifier: MIT */
#include "script.h"

enum { STEPS = 400, CALL_OCTETS = 6 };

struct steps {
    struct script_step at[STEPS];
    size_t count;
};

bool script_next(struct prosa_reader *reader, struct script_step *step)
{
    if (reader->left < SCRIPT_STEP) {
        return false;
    }
    step->kind = prosa_read_u8(reader);
    step->how = prosa_read_u8(reader);
    const size_t size = prosa_read_u16(reader);
    step->octets = prosa_read_bytes(reader, size < reader->left ? size : reader->left);
    return true;
}

static void split(struct prosa_bytes script, struct steps *steps)
{
    struct prosa_reader reader;
    steps->count = 0;
    prosa_reader_init(&reader, script);
    (void)prosa_read_bytes(&reader, SCRIPT_HEAD);
    while (steps->count < STEPS - 1 && script_next(&reader, &steps->at[steps->count])) {
        steps->count++;
    }
}

/* Steps that do not fit are left out. */
static size_t join(const uint8_t head[static SCRIPT_HEAD], const struct steps *steps, uint8_t *out,
                   size_t cap)
{
    struct prosa_writer writer;
    prosa_writer_init(&writer, out, cap);
    prosa_write_bytes(&writer, prosa_bytes(head, SCRIPT_HEAD));
    for (size_t i = 0; i < steps->count; i++) {
        const struct script_step *step = &steps->at[i];
        if (cap - writer.size < SCRIPT_STEP + step->octets.size) {
            continue;
        }
        prosa_write_u8(&writer, step->kind);
        prosa_write_u8(&writer, step->how);
        prosa_write_u16(&writer, (uint16_t)step->octets.size);
        prosa_write_bytes(&writer, step->octets);
    }
    return writer.size;
}

static void insert(struct steps *steps, size_t at, struct script_step step)
{
    if (steps->count == STEPS) {
        return;
    }
    memmove(steps->at + at + 1, steps->at + at, (steps->count - at) * sizeof steps->at[0]);
    steps->at[at] = step;
    steps->count++;
}

static void leave_out(struct steps *steps, size_t at)
{
    memmove(steps->at + at, steps->at + at + 1, (steps->count - at - 1) * sizeof steps->at[0]);
    steps->count--;
}

static uint8_t any_how(struct dice *dice)
{
    uint8_t how = SCRIPT_FIT_ALL;
    if (dice_one_in(dice, 4)) {
        how ^= (uint8_t)(1u << dice_below(dice, 4));
    }
    if (dice_one_in(dice, 8)) {
        how |= dice_one_in(dice, 2) ? SCRIPT_IN_PIECES : SCRIPT_WITH_NEXT;
    }
    return how;
}

static struct script_step make_call(struct dice *dice, uint8_t calls, uint8_t *memory)
{
    for (size_t i = 0; i < CALL_OCTETS; i++) {
        memory[i] = dice_one_in(dice, 2) ? (uint8_t)dice_below(dice, 4) : (uint8_t)dice_any(dice);
    }
    return (struct script_step){.kind = (uint8_t)(SCRIPT_CALLS + dice_below(dice, calls)),
                                .how = (uint8_t)dice_any(dice),
                                .octets = prosa_bytes(memory, CALL_OCTETS)};
}

static struct script_step make_step(struct dice *dice, enum prosa_sender from, uint8_t calls, uint8_t *memory)
{
    if (dice_one_in(dice, 3)) {
        return make_call(dice, calls, memory);
    }
    const size_t size = frames_make(dice, from, memory);
    return (struct script_step){.how = any_how(dice), .octets = prosa_bytes(memory, size)};
}

static void change_step(struct dice *dice, struct script_step *step, uint8_t calls,
                        uint8_t memory[static FRAMES_ROOM])
{
    if (step->kind >= SCRIPT_CALLS) {
        *step = make_call(dice, calls, memory);
        return;
    }
    if (dice_one_in(dice, 4)) {
        step->how = any_how(dice);
        return;
    }
    const size_t size = step->octets.size < FRAMES_ROOM ? step->octets.size : FRAMES_ROOM;
    memcpy(memory, step->octets.at, size);
    step->octets = prosa_bytes(memory, frames_change(dice, memory, size, FRAMES_ROOM));
}

size_t script_mutate(uint8_t *data, size_t size, size_t max_size, unsigned int seed, enum prosa_sender from,
                     uint8_t calls)
{
    static uint8_t memory[FRAMES_ROOM];
    static uint8_t old[1 << 17];
    static struct steps steps;
    struct dice dice = {seed};
    if (max_size < SCRIPT_HEAD || size > sizeof old) {
        return size;
    }
    uint8_t head[SCRIPT_HEAD] = {0};
    memcpy(head, data, size < SCRIPT_HEAD ? size : SCRIPT_HEAD);
    memcpy(old, data, size);
    split(prosa_bytes(old, size), &steps);
    const size_t at = steps.count == 0 ? 0 : dice_below(&dice, steps.count);
    const uint32_t action = steps.count == 0 ? 0 : dice_below(&dice, 12);
    if (action <= 3) {
        insert(&steps, dice_below(&dice, steps.count + 1), make_step(&dice, from, calls, memory));
    } else if (action == 4) {
        leave_out(&steps, at);
    } else if (action == 5) {
        insert(&steps, dice_below(&dice, steps.count + 1), steps.at[at]);
    } else if (action == 6) {
        const struct script_step moved = steps.at[at];
        leave_out(&steps, at);
        insert(&steps, dice_below(&dice, steps.count + 1), moved);
    } else if (action == 7 && dice_one_in(&dice, 4)) {
        head[dice_below(&dice, SCRIPT_HEAD)] = (uint8_t)dice_any(&dice);
    } else {
        change_step(&dice, &steps.at[at], calls, memory);
    }
    return join(head, &steps, data, max_size);
}

size_t script_cross(struct prosa_bytes a, struct prosa_bytes b, uint8_t *out, size_t cap, unsigned int seed)
{
    static struct steps first;
    static struct steps second;
    struct dice dice = {seed};
    uint8_t head[SCRIPT_HEAD] = {0};
    if (cap < SCRIPT_HEAD) {
        return 0;
    }
    memcpy(head, a.at, a.size < SCRIPT_HEAD ? a.size : SCRIPT_HEAD);
    split(a, &first);
    split(b, &second);
    first.count = dice_below(&dice, first.count + 1);
    for (size_t i = dice_below(&dice, second.count + 1); i < second.count && first.count < STEPS; i++) {
        first.at[first.count++] = second.at[i];
    }
    return join(head, &first, out, cap);
}
