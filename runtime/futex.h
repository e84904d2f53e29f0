/* Sleeping on a word: the kernel's compare-and-wait. Wake-ups may be spurious, so every
 * caller loops on its own condition. The model build replaces this file's functions. */
#ifndef TP_FUTEX_H
#define TP_FUTEX_H

#include "base/atomic.h"

/* tp_futex_wait: sleep while *word == expected, until woken or the deadline.
 * word:        not owned; must stay mapped while anyone waits on it.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER for none.
 * Returns 0 (woken, changed, interrupted: look again) or TP_ETIMEDOUT.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp_futex_wait(tp_atomic(uint32_t) *word, uint32_t expected, uint64_t deadline_ns);

/* tp_futex_wake: wake up to n threads that wait on `word`.
 * word: only its address is used, so it may already be gone.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_futex_wake(tp_atomic(uint32_t) *word, int n);

#endif
