/* A team made by hand, of which the test is worker 0; and branches with gates, so that each case happens for certain. */
#ifndef FORK_TEAM_H
#define FORK_TEAM_H

#include "tests/support/unit.h"

#include "runtime/base/status.h"
#include "runtime/forks.h"

#include <sched.h>
#include <semaphore.h>
#include <string.h>

static struct tp_forks forks;
static tp_atomic(int) is_over;
static struct crowd crowd;

static inline void *help(void *argument)
{
    tp_forks_enter(&forks, (uint32_t)(uintptr_t)argument);
    while (tp_load_acq(&is_over) == 0) {
        struct tp_branch *branch = tp_forks_take(&forks);
        if (branch)
            tp_branch_run(branch);
        else
            sched_yield();
    }
    tp_forks_leave();
    return NULL;
}

static inline void open_team(uint32_t n_workers)
{
    assert_int_equal(tp_forks_init(&forks, n_workers, NULL), 0);
    tp_store_sc(&is_over, 0);
    tp_forks_enter(&forks, 0);
    for (uint32_t i = 1; i < n_workers; i++)
        crowd_add(&crowd, help, (void *)(uintptr_t)i);
}

static inline uint64_t close_team(void)
{
    uint64_t n_stolen = 0;
    tp_store_sc(&is_over, 1);
    crowd_join(&crowd);
    tp_forks_leave();
    for (uint32_t i = 0; i < forks.n_max; i++)
        n_stolen += forks.deques[i].n_stolen;
    tp_forks_free(&forks);
    return n_stolen;
}

/* A branch that says when it has begun, and may be held. */
struct piece {
    sem_t begun, held;
    bool is_held;
    unsigned n_run;
    pthread_t thread;
    void (*more)(struct piece *piece);
    int check;
    uint64_t id;
    unsigned worker, depth;
};

static inline void piece_init(struct piece *piece, void (*more)(struct piece *piece))
{
    memset(piece, 0, sizeof *piece);
    sem_init(&piece->begun, 0, 0);
    sem_init(&piece->held, 0, 0);
    piece->more = more;
}

static inline void pass(sem_t *gate)
{
    while (sem_wait(gate) != 0) {
    }
}

static inline void run_piece(void *argument)
{
    struct piece *piece = argument;
    piece->thread = pthread_self();
    sem_post(&piece->begun);
    if (piece->is_held)
        pass(&piece->held);
    if (piece->more)
        piece->more(piece);
    piece->n_run++;
}

#endif
