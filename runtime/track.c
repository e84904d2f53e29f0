/* Records: the state word's transitions, and waiting for an end. The argument is in docs/tasks.md.
 * Invariant: whoever clears the last hold on a record makes it free, with the next generation, in the same
 * exchange [TASK-1]; the code of a record is written before its end and read by those who hold it after. */
#include "track.h"

#include "base/assert.h"
#include "base/status.h"
#include "records.h"

/* The low half of a word; the high half is the generation. */
#define STATE UINT64_C(0x0f) /* 0: free; else 1 + enum tp_task_state */
#define ASKED UINT64_C(0x10) /* the running task is asked to stop */
#define KEPT UINT64_C(0x20)  /* a handle holds the record */
#define OWNED UINT64_C(0x40) /* the pool holds it */
#define WAITER UINT64_C(0x100)
#define WAITERS UINT64_C(0xffffff00) /* how many threads wait; each holds it */
#define HOLDS (KEPT | OWNED | WAITERS)

static uint64_t with_state(uint64_t word, enum tp_task_state state)
{
    return (word & ~STATE) | ((uint64_t)state + 1);
}

static bool is_in(uint64_t word, enum tp_task_state state)
{
    return (word & STATE) == (uint64_t)state + 1;
}

static bool is_over(uint64_t word)
{
    return (word & STATE) > (uint64_t)TP_TASK_RUNNING + 1;
}

/* Is this the word of the task with that id? */
static bool is_of(uint64_t word, uint64_t id)
{
    return (word & STATE) != 0 && word >> 32 == id >> 32;
}

/* The word once nobody holds the record: free, next generation [TASK-1]. */
static uint64_t freed_if_let_go(uint64_t word)
{
    return (word & HOLDS) != 0 ? word : ((word >> 32) + 1) << 32;
}

/* The record an id points to, whatever has become of it; NULL if there never was one. */
static struct tp_record *find(struct tp_track *track, uint64_t id, uint64_t *word)
{
    uint32_t index = (uint32_t)id - 1;
    /* Acquire: pairs with the release in tp__records_take, which publishes chunk and word. */
    if (index >= tp_load_acq(&track->n_records))
        return NULL;
    struct tp_record *record = tp__record_at(track, index);
    *word = tp_load_acq(&record->word); /* pairs with the exchange that ended the task */
    return record;
}

/* The record of a task that the pool holds. */
static struct tp_record *own(struct tp_track *track, uint64_t id, uint64_t *word)
{
    struct tp_record *record = tp__record_at(track, (uint32_t)id - 1);
    /* Relaxed: a first guess for the exchange, which decides. */
    *word = tp_load_rlx(&record->word);
    tp_assert(is_of(*word, id) && (*word & OWNED) != 0);
    return record;
}

/* Wakes all that wait on the list of this id; those of other ids look and sleep again [TASK-4]. */
static void wake_waiters(struct tp_track *track, uint64_t id)
{
    struct tp_waitlist *list = &track->lists[(uint32_t)id % TP_TRACK_LISTS];
    tp_fence_sc(); /* [PARK-1] pairs with the fence in tp_waitlist_prepare */
    /* Relaxed: the fence orders it. So many and no more, since some will come again at once. */
    uint32_t n = tp_load_rlx(&list->n_waiting);
    if (n != 0)
        tp_waitlist_wake(list, n);
}

/* What an exchange entails for others. */
static void follow_up(struct tp_track *track, uint64_t id, uint64_t before, uint64_t after)
{
    if ((after & STATE) == 0)
        tp__records_put(track, (uint32_t)id - 1, (uint32_t)(after >> 32));
    else if ((before & WAITERS) != 0 && !is_over(before) && is_over(after))
        wake_waiters(track, id);
}

int tp_track_begin(struct tp_track *track, size_t n, bool kept, uint64_t *ids, size_t *n_begun)
{
    return tp__records_take(track, n, with_state(OWNED | (kept ? KEPT : 0), TP_TASK_PENDING), ids, n_begun);
}

/* In the loops below, losing an exchange means that a waiter came or went, or that somebody cancelled or released:
 * look at the word it found. Sequentially consistent, as all exchanges of this library; release and acquire are
 * what is needed [TASK-2]. */

void tp_track_undo(struct tp_track *track, const uint64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t word, next;
        struct tp_record *record = own(track, ids[i], &word);
        do {
            next = is_in(word, TP_TASK_PENDING) ? with_state(word, TP_TASK_DROPPED) : word;
            next = freed_if_let_go(next & ~(OWNED | KEPT));
        } while (!tp_cas_sc(&record->word, &word, next)); /* order: see above */
        follow_up(track, ids[i], word, next);
    }
}

/* PENDING becomes `state`; a task that was cancelled keeps its own. */
static bool leave_pending(struct tp_track *track, uint64_t id, enum tp_task_state state)
{
    uint64_t word, next;
    struct tp_record *record = own(track, id, &word);
    do {
        if (!is_in(word, TP_TASK_PENDING))
            next = freed_if_let_go(word & ~OWNED);
        else if (state == TP_TASK_RUNNING)
            next = with_state(word, state);
        else
            next = freed_if_let_go(with_state(word & ~OWNED, state));
    } while (!tp_cas_sc(&record->word, &word, next)); /* order: see above [TASK-5] */
    follow_up(track, id, word, next);
    return is_in(word, TP_TASK_PENDING);
}

bool tp_track_start(struct tp_track *track, uint64_t id)
{
    return leave_pending(track, id, TP_TASK_RUNNING);
}

bool tp_track_drop(struct tp_track *track, uint64_t id, enum tp_task_state state)
{
    tp_assert(state == TP_TASK_DROPPED || state == TP_TASK_CANCELLED);
    return leave_pending(track, id, state);
}

void tp_track_finish(struct tp_track *track, uint64_t id, struct tp_task_result result)
{
    uint64_t word, next;
    struct tp_record *record = own(track, id, &word);
    tp_assert(is_in(word, TP_TASK_RUNNING) && result.state > TP_TASK_RUNNING && result.state <= TP_TASK_TIMED_OUT);
    record->code = result.code;
    do {
        next = freed_if_let_go(with_state(word & ~OWNED, result.state));
    } while (!tp_cas_sc(&record->word, &word, next)); /* order: see above [TASK-2] */
    follow_up(track, id, word, next);
}

int tp_track_cancel(struct tp_track *track, uint64_t id)
{
    uint64_t word, next;
    struct tp_record *record = find(track, id, &word);
    if (!record)
        return TP_ESTALE;
    do {
        if (!is_of(word, id) || is_over(word))
            return TP_ESTALE;
        next = is_in(word, TP_TASK_PENDING) ? with_state(word, TP_TASK_CANCELLED) : word | ASKED;
    } while (!tp_cas_sc(&record->word, &word, next)); /* order: see above [TASK-5] */
    follow_up(track, id, word, next);
    return 0;
}

void tp_track_say_where(struct tp_track *track, uint64_t id, uint32_t fiber)
{
    tp_store_rlx(&tp__record_at(track, (uint32_t)id - 1)->next, fiber); /* relaxed: ordered by the fence of who waits [FIBER-4] */
}

uint32_t tp_track_where(struct tp_track *track, uint64_t id)
{
    uint64_t word;
    struct tp_record *record = find(track, id, &word);
    return record ? tp_load_rlx(&record->next) : 0; /* relaxed: ordered by the caller's fence [FIBER-4] */
}

bool tp_track_is_asked(const struct tp_track *track, uint64_t id)
{
    /* Relaxed: a request publishes nothing; a later look sees what this one has missed. */
    return (tp_load_rlx(&tp__record_at(track, (uint32_t)id - 1)->word) & ASKED) != 0;
}

int tp_track_release(struct tp_track *track, uint64_t id)
{
    uint64_t word, next;
    struct tp_record *record = find(track, id, &word);
    if (!record)
        return TP_ESTALE;
    do {
        if (!is_of(word, id) || (word & KEPT) == 0)
            return TP_ESTALE;
        next = freed_if_let_go(word & ~KEPT);
    } while (!tp_cas_sc(&record->word, &word, next)); /* order: see above [TASK-6] */
    follow_up(track, id, word, next);
    return 0;
}

/* -- waiting ---------------------------------------------------------------------------------- */

/* Sleeps until the word of a record that the caller holds says that the task is over [TASK-3]. */
static int await_end(struct tp_track *track, struct tp_record *record, uint64_t id, uint64_t deadline_ns)
{
    struct tp_waitlist *list = &track->lists[(uint32_t)id % TP_TRACK_LISTS];
    int status = deadline_ns == 0 ? TP_ETIMEDOUT : 0;
    /* Acquire: pairs with the exchange that ended the task [TASK-2]. */
    while (!is_over(tp_load_acq(&record->word))) {
        struct tp_waiter waiter;
        if (status != 0)
            return status;
        tp_waitlist_prepare(list, &waiter);
        if (is_over(tp_load_acq(&record->word)))
            /* A wake-up that is lost here was for all of the list, so nobody else misses it [TASK-4]. */
            tp_waitlist_cancel(list, &waiter);
        else
            status = tp_waitlist_wait(list, &waiter, deadline_ns);
    }
    return 0;
}

static struct tp_task_result result_of(const struct tp_record *record)
{
    /* Relaxed: it was seen to be over, and that does not change while it is held. */
    uint64_t word = tp_load_rlx(&record->word);
    enum tp_task_state state = (enum tp_task_state)((word & STATE) - 1);
    int code = state == TP_TASK_CANCELLED ? TP_ECANCELED : state == TP_TASK_DROPPED ? TP_EDROPPED
                                                                                    : record->code;
    return (struct tp_task_result){.state = state, .code = code};
}

/* The record of that id, held as one more who waits; NULL if there is no such task. */
static struct tp_record *hold(struct tp_track *track, uint64_t id)
{
    uint64_t word;
    struct tp_record *record = find(track, id, &word);
    if (!record)
        return NULL;
    do {
        if (!is_of(word, id))
            return NULL;
        tp_assert((word & WAITERS) != WAITERS);
    } while (!tp_cas_sc(&record->word, &word, word + WAITER)); /* order: see above [TASK-3] */
    return record;
}

static void let_go(struct tp_track *track, struct tp_record *record, uint64_t id)
{
    /* Relaxed: a first guess for the exchange, which decides. */
    uint64_t word = tp_load_rlx(&record->word), next;
    do {
        next = freed_if_let_go(word - WAITER);
    } while (!tp_cas_sc(&record->word, &word, next)); /* order: see above [TASK-1] */
    follow_up(track, id, word, next);
}

int tp_track_wait(struct tp_track *track, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    struct tp_record *record = hold(track, id);
    if (!record)
        return TP_ESTALE;
    int status = await_end(track, record, id, deadline_ns);
    if (status == 0 && result)
        *result = result_of(record);
    let_go(track, record, id);
    return status;
}

bool tp_track_enlist(struct tp_track *track, uint64_t id, struct tp_waiter *entry)
{
    struct tp_record *record = hold(track, id);
    if (!record)
        return false;
    tp_waitlist_enlist(&track->lists[(uint32_t)id % TP_TRACK_LISTS], entry);
    if (!is_over(tp_load_acq(&record->word))) /* pairs with the exchange that ended the task [TASK-2] */
        return true;
    tp_track_delist(track, id, entry);
    return false;
}

void tp_track_delist(struct tp_track *track, uint64_t id, struct tp_waiter *entry)
{
    tp_waitlist_cancel(&track->lists[(uint32_t)id % TP_TRACK_LISTS], entry); /* a lost wake-up was for all of the list [TASK-4] */
    let_go(track, tp__record_at(track, (uint32_t)id - 1), id);
}

/* -- looking at all --------------------------------------------------------------------------- */

size_t tp_track_list(const struct tp_track *track, struct tp_task_info *infos, size_t n)
{
    size_t n_found = 0;
    /* Acquire: pairs with the release in tp__records_take. */
    uint32_t n_records = tp_load_acq(&track->n_records);
    for (uint32_t i = 0; i < n_records; i++) {
        /* Relaxed: a glimpse; the word says all that is told. */
        uint64_t word = tp_load_rlx(&tp__record_at(track, i)->word);
        if ((word & STATE) == 0 || is_over(word))
            continue;
        if (n_found < n)
            infos[n_found] = (struct tp_task_info){.id = (word >> 32) << 32 | (i + 1),
                .state = (enum tp_task_state)((word & STATE) - 1)};
        n_found++;
    }
    return n_found;
}

size_t tp_track_count(const struct tp_track *track)
{
    size_t n_held = 0;
    uint32_t n_records = tp_load_acq(&track->n_records); /* pairs with the release in tp__records_take */
    for (uint32_t i = 0; i < n_records; i++)
        n_held += (tp_load_rlx(&tp__record_at(track, i)->word) & STATE) != 0; /* relaxed: a glimpse */
    return n_held;
}
