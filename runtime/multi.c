/* Multi-pools: which member gets a task. The argument is in docs/multipool.md; what concerns all members at once is
 * in runtime/multi_all.c. */
#include "multi.h"

#include "base/status.h"
#include "cpu.h"
#include "multi_parts.h"
#include "worker.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

enum {
    LINES_PER_CORE = 4, /* lines that submitters are spread over: more, so that those that run at a time rarely share one */
    LINES_MAX = 64,
    CHOICES_MAX = 32 /* for which one look at the members is good */
};

/* What `offer` and `spawn` of tp_pool_ops take for the class that a pool gives to tasks of none. */
#define CLASS_DEFAULT UINT_MAX

/* -- opening ------------------------------------------------------------------------------------ */

static bool is_usable(const struct tp_multi_member *member, size_t payload_bytes)
{
    const struct tp_pool_ops *ops = member->ops;
    return ops && member->pool && ops->payload_bytes == payload_bytes && ops->submit && ops->submit_batch &&
           ops->join_all && ops->close && ops->free && ops->counts;
}

/* Both the overload policy and whether the capacity is limited stay as they are while a pool lives. */
static bool is_frank(const struct tp_multi_member *member)
{
    if (!member->ops->settings)
        return false;
    struct tp_pool_settings settings;
    member->ops->settings(member->pool, &settings);
    return settings.overload == TP_OVERLOAD_REJECT || settings.capacity == UINT64_MAX;
}

static void add_member(struct tp_multi *multi, const struct tp_multi_member *member)
{
    const struct tp_pool_ops *ops = member->ops;
    uint32_t n_classes = ops->submit_class && ops->n_classes > 0 ? ops->n_classes : 1;
    multi->n_classes = n_classes < multi->n_classes ? n_classes : multi->n_classes;
    multi->can_spawn = multi->can_spawn && ops->spawn;
    multi->is_counting = multi->is_counting || !ops->flow;
    multi->members[multi->n_members++] = (struct tp_multi_pool){ops, member->pool, is_frank(member)};
    multi->is_swift = multi->is_swift && ops->flow && (ops->offer || multi->members[multi->n_members - 1].is_frank);
}

int tp_multi_open(struct tp_multi **out, const struct tp_multi_member *members, size_t n, enum tp_balance balance)
{
    if (n < 1 || n > TP_MULTI_MEMBERS_MAX || (balance != TP_BALANCE_ROUND_ROBIN && balance != TP_BALANCE_LEAST_TASKS))
        return TP_EINVAL;
    for (size_t i = 0; i < n; i++)
        if (!is_usable(&members[i], members[0].ops ? members[0].ops->payload_bytes : 0))
            return TP_EINVAL;
    struct tp_multi *multi = malloc(sizeof *multi + n * sizeof multi->members[0]);
    if (!multi)
        return TP_ENOMEM;
    *multi = (struct tp_multi){.n_lines = 1, .n_classes = UINT32_MAX, .can_spawn = true, .is_swift = true, .balance = balance, .payload_bytes = members[0].ops->payload_bytes};
    uint64_t n_wanted = (uint64_t)LINES_PER_CORE * tp_cpu_count();
    while (multi->n_lines < n_wanted && multi->n_lines < LINES_MAX)
        multi->n_lines *= 2;
    multi->lines = aligned_alloc(alignof(struct tp_multi_line), multi->n_lines * sizeof multi->lines[0]);
    if (!multi->lines) {
        free(multi);
        return TP_ENOMEM;
    }
    for (uint32_t i = 0; i < multi->n_lines; i++) {
        tp_atomic_init(&multi->lines[i].n_accepted, 0);
        tp_atomic_init(&multi->lines[i].n_choices, 0);
        tp_atomic_init(&multi->lines[i].tick, 0);
    }
    for (size_t i = 0; i < n; i++)
        add_member(multi, &members[i]);
    tp__multi_rewind(multi);
    *out = multi;
    return 0;
}

/* -- the choice --------------------------------------------------------------------------------- */

static struct tp_multi_line *line_of_caller(struct tp_multi *multi)
{
    return &multi->lines[tp_thread_index() & (multi->n_lines - 1)];
}

/* The member so many turns, fewer than there are members, behind another. */
static uint32_t member_behind(const struct tp_multi *multi, uint32_t at, size_t n_turns)
{
    size_t next = at + n_turns;
    return (uint32_t)(next < multi->n_members ? next : next - multi->n_members);
}

/* Takes n turns. Returns the member of the first. */
static uint32_t take_turns(const struct tp_multi *multi, struct tp_multi_line *line, size_t n)
{
    /* Relaxed, in two steps: threads that share a line may take the same turn, and it is no less fair for the rest.
     * A thread that has it to itself is exactly even. No division for a single turn. */
    uint32_t turn = tp_load_rlx(&line->turn);
    tp_store_rlx(&line->turn, member_behind(multi, turn, n < multi->n_members ? n : n % multi->n_members));
    return turn;
}

/* Tasks in flight. */
static uint64_t load_of(const struct tp_multi_pool *member)
{
    if (member->ops->flow) {
        uint64_t n_accepted, n_over;
        member->ops->flow(member->pool, &n_accepted, &n_over);
        return n_accepted - n_over;
    }
    struct tp_pool_counts counts;
    member->ops->counts(member->pool, &counts);
    return counts.pending + counts.running;
}

/* A clock of some milliseconds, read in a few nanoseconds. */
static uint64_t coarse_tick(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec << 30 | (uint64_t)now.tv_nsec;
}

/* Looks at the members from `at` on, but not behind one that has no tasks: nobody has fewer. What was seen is good for
 * so many choices that all cores together are behind by a quarter of the fewest tasks, and for a tick. Returns how many. */
static uint32_t look_at_all(const struct tp_multi *multi, struct tp_multi_line *line, uint32_t at, uint64_t tick)
{
    uint64_t least = UINT32_MAX;
    for (uint32_t i = 0; i < multi->n_members; i++, at = at + 1 < multi->n_members ? at + 1 : 0) {
        uint64_t load = least > 0 ? load_of(&multi->members[at]) : UINT32_MAX;
        load = load < UINT32_MAX ? load : UINT32_MAX;
        least = load < least ? load : least;
        tp_store_rlx(&line->loads[at], (uint32_t)load); /* relaxed, as all of the line: see multi_parts.h */
    }
    tp_store_rlx(&line->tick, tick);
    uint64_t n = least * LINES_PER_CORE / (4 * multi->n_lines);
    return n < CHOICES_MAX ? (uint32_t)n + 1 : CHOICES_MAX;
}

/* The member with the fewest tasks, to which n more go; of equals the first from `at` on. */
static uint32_t least_of_all(const struct tp_multi *multi, struct tp_multi_line *line, uint32_t at, size_t n)
{
    /* Relaxed, all of it: the line's own numbers, which publish nothing; see multi_parts.h. */
    uint32_t best = at, least = UINT32_MAX, n_choices = tp_load_rlx(&line->n_choices);
    uint64_t tick = coarse_tick();
    if (n_choices == 0 || tp_load_rlx(&line->tick) != tick)
        n_choices = look_at_all(multi, line, at, tick);
    for (uint32_t i = 0; i < multi->n_members; i++, at = at + 1 < multi->n_members ? at + 1 : 0) {
        uint32_t load = tp_load_rlx(&line->loads[at]); /* relaxed: as above */
        if (load < least) {
            least = load;
            best = at;
        }
    }
    /* Relaxed: as above. */
    tp_store_rlx(&line->loads[best], least < UINT32_MAX - n ? least + (uint32_t)n : UINT32_MAX);
    tp_store_rlx(&line->n_choices, n < n_choices ? n_choices - (uint32_t)n : 0);
    return best;
}

/* The draw and the line's number, well mixed (SplitMix64: Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t draw, uint64_t line)
{
    uint64_t x = draw * 0x9e3779b97f4a7c15u + (line << 32);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The better of two that are drawn: nearly as even as looking at all, for two looks (Mitzenmacher 2001). */
static uint32_t least_of_two(const struct tp_multi *multi, struct tp_multi_line *line)
{
    uint64_t draw = tp_load_rlx(&line->tick); /* relaxed, as all of the line: see multi_parts.h */
    uint64_t random = mix(draw, (uint64_t)(line - multi->lines)), n = multi->n_members;
    tp_store_rlx(&line->tick, draw + 1);
    uint32_t one = (uint32_t)((random >> 32) * n >> 32);
    uint32_t other = (uint32_t)((random & UINT32_MAX) * (n - 1) >> 32);
    other += other >= one;
    return load_of(&multi->members[other]) < load_of(&multi->members[one]) ? other : one;
}

/* Whom to ask first, about n tasks, when it is this member's turn. */
static uint32_t choose(const struct tp_multi *multi, struct tp_multi_line *line, uint32_t turn, size_t n)
{
    if (multi->balance == TP_BALANCE_ROUND_ROBIN)
        return turn;
    return multi->n_members <= TP__MULTI_SCAN_MAX ? least_of_all(multi, line, turn, n) : least_of_two(multi, line);
}

/* -- handing over ------------------------------------------------------------------------------- */

/* Tasks on their way; what has been accepted is taken off the front. */
struct tasks {
    const char *payloads;
    size_t n, payload_bytes;
    unsigned class_; /* one class for all */
    uint64_t *id;    /* not NULL: spawn; n is 1 then */
    uint32_t taker;  /* the member that accepted the last ones */
};

static void pass(struct tasks *tasks, size_t n)
{
    tasks->payloads += n * tasks->payload_bytes;
    tasks->n -= n;
}

static int submit_one(const struct tp_multi_pool *member, const struct tasks *tasks)
{
    const struct tp_pool_ops *ops = member->ops;
    if (tasks->id)
        return ops->spawn(member->pool, tasks->class_, tasks->payloads, tasks->id);
    if (tasks->class_ == CLASS_DEFAULT || !ops->submit_class)
        return ops->submit(member->pool, tasks->payloads);
    return ops->submit_class(member->pool, tasks->class_, tasks->payloads);
}

/* Hands over the first n; if the member is full, it does what its policy says. */
static int submit(const struct tp_multi_pool *member, struct tasks *tasks, size_t n)
{
    size_t n_accepted = 0;
    int status;
    if (n == 1) {
        status = submit_one(member, tasks);
        n_accepted = status == 0;
    } else {
        status = member->ops->submit_batch(member->pool, tasks->payloads, n, &n_accepted);
    }
    pass(tasks, n_accepted);
    return status;
}

/* Hands over the first n, as far as there is room; TP_EFULL tells of the rest. */
static int offer(const struct tp_multi_pool *member, struct tasks *tasks, size_t n)
{
    const struct tp_pool_ops *ops = member->ops;
    if (member->is_frank)
        return submit(member, tasks, n);
    if (ops->offer) {
        size_t n_accepted = 0;
        int status = ops->offer(member->pool, tasks->class_, tasks->payloads, n, tasks->id, &n_accepted);
        pass(tasks, n_accepted);
        return status;
    }
    struct tp_pool_counts counts;
    ops->counts(member->pool, &counts);
    if (counts.free == 0)
        return TP_EFULL;
    int status = submit(member, tasks, n < counts.free ? n : (size_t)counts.free);
    return status == 0 && n > counts.free ? TP_EFULL : status;
}

/* The member to whose policy a task is left when all are full: one of which the caller is a task, since there it does
 * not wait [MULTI-2]; else the first choice. */
static uint32_t last_resort(const struct tp_multi *multi, uint32_t first)
{
    for (uint32_t i = 0; i < multi->n_members; i++)
        if (tp__multi_is_inside(&multi->members[i]))
            return i;
    return first;
}

/* Hands over the next n, which the first choice has no room for: to each other member once, in the order of their
 * load, then to the one that decides what happens. */
static int hand_elsewhere(const struct tp_multi *multi, struct tasks *tasks, size_t n, uint32_t first)
{
    uint64_t loads[TP_MULTI_MEMBERS_MAX]; /* of those behind the first, in turn; UINT64_MAX: has been asked */
    uint32_t n_members = multi->n_members;
    for (uint32_t i = 0; i + 1 < n_members; i++)
        loads[i] = load_of(&multi->members[(first + 1 + i) % n_members]);
    size_t n_behind = tasks->n - n;
    for (uint32_t asked = 0; asked + 1 < n_members; asked++) {
        uint32_t best = 0;
        for (uint32_t i = 1; i + 1 < n_members; i++)
            if (loads[i] < loads[best])
                best = i;
        loads[best] = UINT64_MAX;
        tasks->taker = (first + 1 + best) % n_members;
        int status = offer(&multi->members[tasks->taker], tasks, tasks->n - n_behind);
        if (status != TP_EFULL)
            return status;
    }
    tasks->taker = last_resort(multi, first);
    const struct tp_multi_pool *member = &multi->members[tasks->taker];
    return member->is_frank ? TP_EFULL : submit(member, tasks, tasks->n - n_behind);
}

/* As hand_elsewhere, after the taker had no room for all of the next n. */
static int find_other(const struct tp_multi *multi, struct tp_multi_line *line, struct tasks *tasks, size_t n)
{
    tp_store_rlx(&line->n_choices, 0); /* relaxed: the line's own; the member is fuller than we thought */
    return hand_elsewhere(multi, tasks, n, tasks->taker);
}

/* Hands over the next n, to the member whose turn it is if it has room. */
static int hand(const struct tp_multi *multi, struct tp_multi_line *line, struct tasks *tasks, size_t n, uint32_t turn)
{
    size_t n_behind = tasks->n - n;
    tasks->taker = choose(multi, line, turn, n);
    int status = offer(&multi->members[tasks->taker], tasks, n);
    return status == TP_EFULL ? find_other(multi, line, tasks, tasks->n - n_behind) : status;
}

/* Hands over all in as many pieces as there are members, as even as can be. */
static int hand_pieces(const struct tp_multi *multi, struct tp_multi_line *line, struct tasks *tasks, uint32_t turn)
{
    size_t n = tasks->n, n_members = multi->n_members;
    int status = 0;
    for (size_t i = 0; status == 0 && tasks->n > 0; i++)
        status = hand(multi, line, tasks, n / n_members + (i < n % n_members), member_behind(multi, turn, i));
    return status;
}

/* Hands over all, and counts them. */
static int hand_all(struct tp_multi *multi, struct tasks *tasks)
{
    struct tp_multi_line *line = line_of_caller(multi);
    size_t n = tasks->n;
    uint32_t turn = take_turns(multi, line, n);
    int status = n == 1 ? hand(multi, line, tasks, 1, turn) : hand_pieces(multi, line, tasks, turn);
    /* Sequentially consistent, of which the release is needed: after the members have the tasks, before the task
     * that submits them ends [MULTI-1]; pairs with the acquire in tp_multi_join_all. */
    if (multi->is_counting && tasks->n < n)
        tp_add_sc(&line->n_accepted, n - tasks->n);
    return status;
}

/* One task to the member that is to have it, if that has room; TP_EFULL: `taker` has none. The common case, in few steps. */
static int hand_swiftly(const struct tp_multi *multi, struct tp_multi_line *line, const void *payload, uint32_t *taker)
{
    *taker = choose(multi, line, take_turns(multi, line, 1), 1);
    const struct tp_multi_pool *member = &multi->members[*taker];
    size_t n_accepted;
    if (member->is_frank)
        return member->ops->submit(member->pool, payload);
    return member->ops->offer(member->pool, CLASS_DEFAULT, payload, 1, NULL, &n_accepted);
}

int tp_multi_submit(struct tp_multi *multi, const void *payload)
{
    struct tasks tasks = {.payloads = payload, .n = 1, .payload_bytes = multi->payload_bytes, .class_ = CLASS_DEFAULT};
    if (!multi->is_swift)
        return hand_all(multi, &tasks);
    struct tp_multi_line *line = line_of_caller(multi);
    int status = hand_swiftly(multi, line, payload, &tasks.taker);
    return status == TP_EFULL ? find_other(multi, line, &tasks, 1) : status;
}

int tp_multi_submit_class(struct tp_multi *multi, unsigned class_, const void *payload)
{
    if (class_ >= multi->n_classes)
        return TP_EINVAL;
    struct tasks tasks = {.payloads = payload, .n = 1, .payload_bytes = multi->payload_bytes, .class_ = class_};
    return hand_all(multi, &tasks);
}

int tp_multi_submit_batch(struct tp_multi *multi, const void *payloads, size_t n, size_t *n_accepted)
{
    struct tasks tasks = {.payloads = payloads, .n = n, .payload_bytes = multi->payload_bytes, .class_ = CLASS_DEFAULT};
    int status = hand_all(multi, &tasks);
    if (n_accepted)
        *n_accepted = n - tasks.n;
    return status;
}

int tp_multi_spawn(struct tp_multi *multi, unsigned class_, const void *payload, struct tp_multi_id *out)
{
    if (!multi->can_spawn)
        return TP_ENOTSUP;
    if (class_ >= multi->n_classes && class_ != CLASS_DEFAULT)
        return TP_EINVAL;
    uint64_t id = 0;
    struct tasks tasks = {.payloads = payload, .n = 1, .payload_bytes = multi->payload_bytes, .class_ = class_, .id = &id};
    int status = hand_all(multi, &tasks);
    if (status == 0)
        *out = (struct tp_multi_id){tasks.taker, id};
    return status;
}
