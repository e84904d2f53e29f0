/* Quiet over several pools: what tasks hand from member to member is not missed by who waits for all [MULTI-1]. The
 * members are as weak as a pool may be: what is put is ordered by nothing but what its contract says. */
#include "model.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/cpu.h"
#include "runtime/multi_parts.h"
#include "runtime/worker.h"

enum { MEMBERS_MAX = 3,
    HOPS_MAX = 4,
    LINES = 4 };

/* Seeded bugs of a task that hands on. */
enum habit {
    GOOD = 0,
    COUNTS_FIRST = 16, /* before the member has the task */
    COUNTS_LATE = 32,  /* after it has ended itself */
    COUNTS_NOT = 64
};

/* The members count what they accept, not who submits. */
#define MEMBERS_COUNT 128u

struct member {
    tp_atomic(uint32_t) n_put, n_ended;
    tp_atomic(uint64_t) n_told; /* what it says it accepted, if that is a lie */
};

static alignas(struct tp_multi) char memory[sizeof(struct tp_multi) + MEMBERS_MAX * sizeof(struct tp_multi_pool)];
static struct tp_multi *const multi = (struct tp_multi *)memory;
static struct tp_multi_line lines[LINES];
static struct member members[MEMBERS_MAX];
static uint32_t n_hops, hop_numbers[HOPS_MAX];
static tp_atomic(uint32_t) is_there[HOPS_MAX]; /* what a worker finds in its queue */
static bool is_done[HOPS_MAX];                 /* plain: who joined must see them */
static enum habit habit;

unsigned tp_thread_index(void)
{
    return model_self() < LINES ? model_self() : 0;
}

unsigned tp_cpu_count(void)
{
    return 1;
}

/* -- a pool that has a thread for each task ----------------------------------------------------- */

static int put(void *pool, const void *payload);

static struct member *member_of(uint32_t hop)
{
    return &members[hop % multi->n_members];
}

/* Where a wrong count of this hop goes. */
static tp_atomic(uint64_t) *count_of(uint32_t hop)
{
    return multi->is_counting ? &lines[tp_thread_index()].n_accepted : &member_of(hop)->n_told;
}

/* Hands on the next hop, in a wrong way. */
static void hand_on_badly(uint32_t *next)
{
    if (habit == COUNTS_FIRST)
        tp_add_sc(count_of(*next), 1);
    put(member_of(*next), next);
}

static void task(void *argument)
{
    uint32_t hop = *(uint32_t *)argument;
    while (tp_load_acq(&is_there[hop]) == 0)
        model_yield();
    if (hop + 1 < n_hops && habit == GOOD)
        model_check(tp_multi_submit(multi, &hop_numbers[hop + 1]) == 0);
    else if (hop + 1 < n_hops)
        hand_on_badly(&hop_numbers[hop + 1]);
    is_done[hop] = true;
    tp_add_sc(&member_of(hop)->n_ended, 1); /* release is what matters */
    if (habit == COUNTS_LATE)
        tp_add_sc(count_of(hop + 1), 1);
}

static int put(void *pool, const void *payload)
{
    struct member *member = pool;
    uint32_t hop = *(const uint32_t *)payload;
    model_check(member == member_of(hop)); /* the turns were set so */
    tp_add_rlx(&member->n_put, 1);
    tp_store_rel(&is_there[hop], 1);
    model_thread(task, &hop_numbers[hop]);
    return 0;
}

static int join_all(void *pool, uint64_t deadline_ns)
{
    struct member *member = pool;
    if (deadline_ns == 0) /* who is asking? nobody's task */
        return TP_ETIMEDOUT;
    for (;;) {
        uint32_t n_ended = tp_load_acq(&member->n_ended);
        if (tp_load_rlx(&member->n_put) == n_ended)
            return 0;
        model_yield();
    }
}

/* Acquire, as the contract demands of a pool; the counting in `put` is relaxed. */
static void flow(void *pool, uint64_t *accepted, uint64_t *over)
{
    struct member *member = pool;
    *over = tp_load_acq(&member->n_ended);
    *accepted = habit == GOOD ? tp_load_acq(&member->n_put) : tp_load_acq(&member->n_told);
}

static const struct tp_pool_ops ops = {.name = "model", .payload_bytes = sizeof(uint32_t), .submit = put, .join_all = join_all, .flow = flow};

/* -- scenarios ---------------------------------------------------------------------------------- */

static void joiner(void *argument)
{
    (void)argument;
    model_check(tp_multi_join_all(multi, TP_FOREVER) == 0);
    for (uint32_t hop = 0; hop < n_hops; hop++)
        model_check(is_done[hop]);
}

/* variant: members, times 4 and hops, and a habit. The first task is accepted already. */
static void set_up(unsigned variant)
{
    habit = (enum habit)(variant & (COUNTS_FIRST | COUNTS_LATE | COUNTS_NOT));
    n_hops = variant % 4 + 1;
    multi->n_members = (variant & 4) ? 3 : 2;
    multi->n_lines = LINES;
    multi->is_counting = !(variant & MEMBERS_COUNT);
    multi->is_swift = !multi->is_counting;
    multi->balance = TP_BALANCE_ROUND_ROBIN;
    multi->payload_bytes = sizeof(uint32_t);
    multi->lines = lines;
    for (uint32_t i = 0; i < LINES; i++) {
        tp_atomic_init(&lines[i].turn, i % multi->n_members); /* thread 0 joins, thread 1 is hop 0 and hands on to member 1, and so on */
        tp_atomic_init(&lines[i].n_accepted, 0);
    }
    for (uint32_t i = 0; i < multi->n_members; i++) {
        multi->members[i] = (struct tp_multi_pool){&ops, &members[i], true};
        tp_atomic_init(&members[i].n_put, i == 0);
        tp_atomic_init(&members[i].n_ended, 0);
        tp_atomic_init(&members[i].n_told, 0);
    }
    for (uint32_t hop = 0; hop < HOPS_MAX; hop++) {
        hop_numbers[hop] = hop;
        tp_atomic_init(&is_there[hop], hop == 0);
        is_done[hop] = false;
    }
    model_thread(joiner, NULL);
    model_thread(task, &hop_numbers[0]);
}

int main(void)
{
    static const struct model_scenario scenarios[] = {
        {.name = "two members, one hop", .set_up = set_up, .variant = 1, .preemptions = 4},
        {.name = "two members, two hops", .set_up = set_up, .variant = 2, .preemptions = 3},
        {.name = "two members, three hops", .set_up = set_up, .variant = 3, .preemptions = 2},
        {.name = "three members, three hops", .set_up = set_up, .variant = 4 + 3, .preemptions = 2},
        {.name = "members count: two of them, two hops", .set_up = set_up, .variant = 2 + MEMBERS_COUNT, .preemptions = 3},
        {.name = "members count: two of them, three hops", .set_up = set_up, .variant = 3 + MEMBERS_COUNT, .preemptions = 2},
        {.name = "members count: three of them, three hops", .set_up = set_up, .variant = 4 + 3 + MEMBERS_COUNT, .preemptions = 2},
        {.name = "members count before they accept", .set_up = set_up, .variant = 2 + COUNTS_FIRST + MEMBERS_COUNT, .preemptions = 3, .must_fail = true},
        {.name = "members count after the end of who submits", .set_up = set_up, .variant = 2 + COUNTS_LATE + MEMBERS_COUNT, .preemptions = 3, .must_fail = true},
        {.name = "members do not count", .set_up = set_up, .variant = 2 + COUNTS_NOT + MEMBERS_COUNT, .preemptions = 3, .must_fail = true},
        {.name = "a task counts before it hands on", .set_up = set_up, .variant = 2 + COUNTS_FIRST, .preemptions = 3, .must_fail = true},
        {.name = "a task counts after its end", .set_up = set_up, .variant = 2 + COUNTS_LATE, .preemptions = 3, .must_fail = true},
        {.name = "a task does not count", .set_up = set_up, .variant = 2 + COUNTS_NOT, .preemptions = 3, .must_fail = true},
        {.name = "the count without its release", .set_up = set_up, .variant = 2, .preemptions = 3, .must_fail = true, .without = {"hand_all", MODEL_RELEASE}},
    };
    return model_main(scenarios, sizeof scenarios / sizeof scenarios[0]);
}
