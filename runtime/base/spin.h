/* A spin lock with exponential back-off, for sections of a few dozen instructions.
 * Invariant: `held` is 1 exactly while one thread is between lock and unlock. It is not fair and
 * not recursive; never make a system call or wait for anything while holding one. */
#ifndef TP_SPIN_H
#define TP_SPIN_H

#include "atomic.h"

struct tp_spin {
    tp_atomic(uint32_t) held; /* written by lockers and the holder; publishes the section's writes */
};

#ifndef __cplusplus

/* tp__spin_wait: the slow half of tp_spin_lock; returns with the lock held.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
void tp__spin_wait(struct tp_spin *lock);

/* Makes a free lock. */
static inline void tp_spin_init(struct tp_spin *lock)
{
    tp_atomic_init(&lock->held, 0);
}

static inline void tp_spin_lock(struct tp_spin *lock)
{
    /* Acquire: pairs with the release in tp_spin_unlock. */
    if (tp_swap_acq(&lock->held, 1) != 0)
        tp__spin_wait(lock);
}

/* Takes the lock if it is free; a loser simply has something else to do. */
static inline bool tp_spin_try_lock(struct tp_spin *lock)
{
    /* Relaxed: only a hint that avoids taking the line; the swap decides. */
    return tp_load_rlx(&lock->held) == 0 && tp_swap_acq(&lock->held, 1) == 0;
}

/* Is it held? For who knows that nobody takes or frees it meanwhile, as in a child of fork(). Relaxed: so nobody is there to pair with. */
static inline bool tp_spin_is_held(const struct tp_spin *lock)
{
    return tp_load_rlx(&lock->held) != 0;
}

static inline void tp_spin_unlock(struct tp_spin *lock)
{
    /* Release: pairs with the acquire swaps above and in tp__spin_wait. */
    tp_store_rel(&lock->held, 0);
}

#endif

#endif
