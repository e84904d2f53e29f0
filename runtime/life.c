/* The life of a pool: the transitions, and the register of all lives for fork(). docs/shutdown.md.
 * Invariant: every life between init and free is in the ring `lives`, which changes under `registry`
 * only; fork() holds that lock, so a child finds the ring whole and marks what is in it [LIFE-6]. */
#include "life.h"

#include <pthread.h>

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static struct tp_life lives = {.next = &lives, .previous = &lives};
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;
static int watch_status; /* 0 or the error of pthread_atfork; written once, before anybody reads it */

static void lock_registry(void)
{
    pthread_mutex_lock(&registry);
}

static void unlock_registry(void)
{
    pthread_mutex_unlock(&registry);
}

static uint64_t with_state(uint64_t word, enum tp_life_state state)
{
    return (word & ~(uint64_t)TP__LIFE_STATE_MASK) | (uint64_t)state;
}

/* In the child, whose only thread this is: what we own belongs to threads that are not here. */
static void mark_forked(void)
{
    for (struct tp_life *life = lives.next; life != &lives; life = life->next) {
        /* Relaxed: no other thread is there to see it. */
        uint64_t word = tp_load_rlx(&life->word);
        tp_store_rlx(&life->word, with_state(word, TP_LIFE_FORKED));
    }
    unlock_registry();
}

static void watch_forks(void)
{
    watch_status = pthread_atfork(lock_registry, unlock_registry, mark_forked);
}

int tp_life_init(struct tp_life *life)
{
    tp_atomic_init(&life->word, (uint64_t)1 << TP__LIFE_GENERATION_SHIFT | TP_LIFE_OPENING);
    pthread_once(&watch_once, watch_forks);
    if (watch_status != 0)
        return TP_ENOMEM; /* its only reason */
    lock_registry();
    life->next = lives.next;
    life->previous = &lives;
    lives.next->previous = life;
    lives.next = life;
    unlock_registry();
    return 0;
}

void tp_life_free(struct tp_life *life)
{
    lock_registry();
    life->previous->next = life->next;
    life->next->previous = life->previous;
    unlock_registry();
}

enum { FROM_OPENING = 1 << TP_LIFE_OPENING,
    FROM_CLOSING = 1 << TP_LIFE_CLOSING,
    FROM_CLOSED = 1 << TP_LIFE_CLOSED };

/* May a word in a state of the set `from` go on? 0, TP_EINVAL or TP_EFORKED. */
static int permit(uint64_t word, int from)
{
    enum tp_life_state state = tp_life_state(word);
    if (state == TP_LIFE_FORKED)
        return TP_EFORKED;
    return (from >> state & 1) != 0 ? 0 : TP_EINVAL;
}

/* The transitions are sequentially consistent, though release and acquire would do: they are rare,
 * and each wakes or turns away threads that look at other words as well. Losing an exchange means
 * that another transition came first: look again whether this one still fits. */

static int move(struct tp_life *life, int from, enum tp_life_state to)
{
    uint64_t word = tp_life_look(life);
    int status;
    do
        status = permit(word, from);
    while (status == 0 && !tp_cas_sc(&life->word, &word, with_state(word, to))); /* order: see above */
    return status;
}

int tp_life_open(struct tp_life *life)
{
    return move(life, FROM_OPENING, TP_LIFE_OPEN);
}

int tp_life_drain(struct tp_life *life)
{
    return move(life, FROM_CLOSING | FROM_OPENING, TP_LIFE_DRAINING);
}

enum tp_life_outcome tp_life_close(struct tp_life *life, bool cancel, uint32_t *generation)
{
    const uint64_t mark = cancel ? TP__LIFE_CANCELLED : 0;
    enum tp_life_outcome outcome;
    /* Sequentially consistent, like a reopener's exchange: who has counted itself among the closers
     * before sees that exchange, or is seen by the reopener [LIFE-5]. */
    uint64_t word = tp_load_sc(&life->word), desired;
    do { /* a word that stays as it is needs no exchange */
        switch (tp_life_state(word)) {
        case TP_LIFE_OPEN:
            outcome = TP_LIFE_FIRST;
            desired = with_state(word, TP_LIFE_CLOSING) | mark;
            break;
        case TP_LIFE_CLOSING:
        case TP_LIFE_DRAINING:
            outcome = (word | mark) == word ? TP_LIFE_LATER : TP_LIFE_UPGRADED;
            desired = word | mark;
            break;
        case TP_LIFE_FORKED:
            outcome = TP_LIFE_DEAD;
            desired = word;
            break;
        default: /* closed, or not open yet: as if this call had come before */
            outcome = TP_LIFE_OVER;
            desired = word;
            break;
        }
    } while (desired != word && !tp_cas_sc(&life->word, &word, desired)); /* order: see above */
    if (generation)
        *generation = tp_life_generation(word) - (tp_life_state(word) == TP_LIFE_OPENING);
    return outcome;
}

int tp_life_end(struct tp_life *life, uint32_t generation)
{
    uint64_t word = tp_life_look(life);
    do {
        if (tp_life_state(word) == TP_LIFE_FORKED)
            return TP_EFORKED;
        if (tp_life_is_over(word, generation))
            return 0;
        if (tp_life_generation(word) != generation)
            return TP_EINVAL;
        if (tp_life_state(word) != TP_LIFE_DRAINING && tp_life_state(word) != TP_LIFE_OPENING)
            return TP_EINVAL;
    } while (!tp_cas_sc(&life->word, &word, with_state(word, TP_LIFE_CLOSED))); /* order: see above */
    return 0;
}

int tp_life_reopen(struct tp_life *life)
{
    uint64_t word = tp_life_look(life);
    uint64_t next = ((word >> TP__LIFE_GENERATION_SHIFT) + 1) << TP__LIFE_GENERATION_SHIFT | TP_LIFE_OPENING;
    int status = permit(word, FROM_CLOSED);
    /* Losing means that another thread reopens: one does. Order: see above. */
    if (status == 0 && !tp_cas_sc(&life->word, &word, next))
        status = TP_EINVAL;
    return status;
}
