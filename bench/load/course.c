/* SPDX-License-Identifier: MIT */
#include "course.h"

#include "clock.h"
#include "report.h"

#define NS_A_SECOND UINT64_C(1000000000)
#define NS_A_MS     UINT64_C(1000000)

/* How long the last step took each member. */
static bool sum_steps(struct load *load, struct tally_summary *sum)
{
    struct tally times = {0};
    bool is_good = true;
    for (uint32_t i = 0; is_good && i < load->member_count; i++) {
        is_good = tally_add(&times, (uint64_t)load->members[i].step_us * 1000);
    }
    *sum = tally_sum(&times);
    tally_fini(&times);
    return is_good || load_fail(load, "load", "no memory");
}

/* A step that is done by all, and told; then the pause. */
static bool finish(struct load *load, const char *event, const struct span *span)
{
    struct tally_summary each;
    if (!sum_steps(load, &each)) {
        return false;
    }
    report_step(load, event, span, &each);
    return !load->plan->pauses || load->plan->seconds > 0 || load_pause(load); /* a flood has its own end */
}

bool course_gather(struct load *load)
{
    struct span span = span_begin(load);
    if (!load_arrive(load) || !finish(load, "present", &span)) {
        return false;
    }
    span = span_begin(load);
    return load_join(load) && finish(load, "joined", &span);
}

/* --- stream --- */

/* So many of all messages should have been said by now; each writer in turn. */
static void pace(struct load *load, uint64_t began_ns)
{
    const struct plan *plan = load->plan;
    const uint64_t due = (clock_now_ns() - began_ns) * plan->rate / NS_A_SECOND + 1;
    for (uint32_t i = 0; i < plan->writers; i++) {
        load->speeches[i].due = due / plan->writers + (i < due % plan->writers ? 1 : 0);
    }
    load_speak_all(load);
    loop_set_deadline(&load->loop, &load->beat, (began_ns + due * NS_A_SECOND / plan->rate) / NS_A_MS + 1);
}

static uint64_t latest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Nobody was shown anything for too long, or nobody is left. */
static bool is_hopeless(const struct load *load, uint64_t began_ns)
{
    const uint64_t since_ns = latest(began_ns, load->judge.last_ns);
    return load->gone == load->member_count ||
           clock_now_ns() - since_ns > load->plan->patience_s * NS_A_SECOND;
}

/* Until `whole` messages were shown to all, or there is no hope. */
static bool run_until(struct load *load, uint64_t whole, uint64_t began_ns, bool is_paced)
{
    while (load->judge.whole < whole && !is_hopeless(load, began_ns)) {
        if (is_paced && (load->has_beaten || load->beat.deadline_ms == LOOP_NEVER)) {
            pace(load, began_ns);
        } else if (load->beat.deadline_ms == LOOP_NEVER) {
            loop_set_deadline(&load->loop, &load->beat, clock_now_ms() + 1000);
        }
        if (!load_step(load)) {
            return false;
        }
        if (load->plan->together) {
            load_speak_all(load); /* the last reader may have been shown something, who is no writer */
        }
    }
    loop_set_deadline(&load->loop, &load->beat, LOOP_NEVER);
    return true;
}

bool course_stream(struct load *load)
{
    const struct plan *plan = load->plan;
    if (!course_gather(load) || !load_prepare(load)) {
        return false;
    }
    const struct span span = span_begin(load);
    load->is_measured = true;
    load_speak_all(load);
    if (!run_until(load, (uint64_t)plan->writers * plan->posts, span.self.at_ns, plan->rate > 0)) {
        return false;
    }
    report_done(load, &span, load->judge.last_ns);
    return true;
}

/* --- flood --- */

/* Whoever was sent away comes again, and is no reader any more: it has missed something. */
static bool bring_back(struct load *load)
{
    for (uint32_t i = 0; i < load->plan->writers; i++) {
        struct member *member = load->speeches[i].member;
        if (member->stage == MEMBER_GONE) {
            member->reader = MEMBER_NOBODY;
            load->gone--;
            load->returned++;
            if (!member_arrive(member)) {
                return false;
            }
        } else if (member->stage == MEMBER_PRESENT && !member_join(member)) {
            return false;
        }
    }
    return true;
}

static bool has_more(const struct load *load)
{
    for (uint32_t i = 0; i < load->plan->writers; i++) {
        const struct speech *speech = &load->speeches[i];
        if (speech->sent < speech->total * speech->stride) {
            return true;
        }
    }
    return false;
}

static bool flood(struct load *load, uint64_t end_ns)
{
    load_speak_all(load);
    while (!load->has_input && clock_now_ns() < end_ns && has_more(load)) {
        if (load->beat.deadline_ms == LOOP_NEVER) {
            loop_set_deadline(&load->loop, &load->beat, clock_now_ms() + 100);
        }
        if ((load->plan->over > 0 && !bring_back(load)) || !load_step(load)) {
            return false;
        }
    }
    return true;
}

/* No message is begun any more; what is out is waited for. */
static bool drain(struct load *load)
{
    uint64_t whole = 0;
    for (uint32_t i = 0; i < load->plan->writers; i++) {
        struct speech *speech = &load->speeches[i];
        speech->due = (speech->sent + speech->stride - 1) / speech->stride;
        whole += speech->due;
    }
    return load->plan->over > 0 || run_until(load, whole, clock_now_ns(), false);
}

bool course_flood(struct load *load)
{
    const struct plan *plan = load->plan;
    if (!course_gather(load) || !load_prepare(load)) {
        return false;
    }
    report_word("flooding");
    load->has_input = load->input_has_ended;
    const struct span span = span_begin(load);
    load->is_measured = true;
    if (!flood(load, span.self.at_ns + plan->seconds * NS_A_SECOND) || !drain(load)) {
        return false;
    }
    report_done(load, &span, clock_now_ns());
    return true;
}

/* --- replay and arrive --- */

bool course_replay(struct load *load)
{
    if (!load_arrive(load)) {
        return false;
    }
    const struct span span = span_begin(load);
    load->is_measured = true;
    if (!load_join(load) ||
        !run_until(load, (uint64_t)load->plan->writers * load->plan->posts, span.self.at_ns, false)) {
        return false;
    }
    report_done(load, &span, load->judge.last_ns);
    return true;
}

bool course_arrive(struct load *load)
{
    const struct span span = span_begin(load);
    struct tally_summary each;
    uint32_t next = 0, first = 0; /* those before `first` have left */
    while (load->present < load->member_count) {
        while (next < load->member_count && load->arriving < load->plan->at_once) {
            if (!member_arrive(&load->members[next++])) {
                return false;
            }
        }
        if (!load_step(load)) {
            return false;
        }
        for (uint32_t i = first; i < next; i++) {
            if (load->members[i].stage == MEMBER_PRESENT) {
                member_leave(&load->members[i]);
            }
            first += i == first && load->members[i].stage == MEMBER_AWAY ? 1 : 0;
        }
    }
    if (!sum_steps(load, &each)) {
        return false;
    }
    report_step(load, "arrived", &span, &each);
    return true;
}
