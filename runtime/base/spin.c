/* The contended half of the spin lock: look, pause, then yield 1, 2, 4, 8, 16 times.
 * Yielding matters more than pausing: with more threads than cores the holder may not be running. */
#include "spin.h"

#include <sched.h>

#ifndef TP_SPIN_PAUSES /* looks before each round of yields: more of them only take the line from the holder */
#define TP_SPIN_PAUSES 8
#endif

enum { SPIN_YIELDS_MAX = 16 };

void tp__spin_wait(struct tp_spin *lock)
{
    unsigned yields = 1;
    for (;;) {
        for (int i = 0; i < TP_SPIN_PAUSES; i++) {
            /* Relaxed: a look without taking the line; the swap below decides. */
            if (tp_load_rlx(&lock->held) == 0 && tp_swap_acq(&lock->held, 1) == 0)
                return;
            tp_relax();
        }
        for (unsigned i = 0; i < yields; i++)
            sched_yield();
        if (yields < SPIN_YIELDS_MAX)
            yields *= 2;
    }
}
