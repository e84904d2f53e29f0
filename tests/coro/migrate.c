/* Forced migration: every resume comes from the other of two threads, and the coroutine looks each time who it is on. What it
 * asks for must be looked up again after each yield, however the compiler has merged and moved things: this one source is
 * compiled together with the library's, at several levels of optimisation and with link-time optimisation (coro.ninja).
 * Prints "N passed, N failed". */
#include "coro/copool.h"
#include "coro/coro.h"
#include "coro/frame.h"

#include "runtime/base/tls.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

TP_TLS_DECLARE(int *, own_id);
TP_TLS_DEFINE(int *, own_id, NULL);

enum { TURNS = 2000,
    DEPTH = 3 };

static struct tp_co *co; /* NULL: a pooled one */
static struct tp_co_handle handle;
static struct tp_copool *pool; /* static, as its coroutine never ends */
static struct tp_frames *frames;
static struct tp_frame_cache *caches[2];
static sem_t turn[2];
static int thread_ids[2];
static int n_turn; /* which it is; written by the thread whose turn it is */
static int n_looks, n_wrong;

static void expect(int ok)
{
    n_looks++;
    n_wrong += !ok;
}

/* All that a thread is known by, read again and again in one function, and in what it calls. */
static inline void look(int id)
{
    expect(gettid() == id);
    expect(*tp_tls_value(own_id) == id && **tp_tls_place(own_id) == id);
    expect(!co || tp_co_self() == co);
    expect(co || tp_pooled_self().at == handle.at);
    expect(tp__frames_find(frames) == caches[n_turn % 2]);
    expect(*tp_co_errno() == 4000 + n_turn);
}

static void wander(int depth)
{
    for (int i = 0; i < 4; i++) {
        look(thread_ids[n_turn % 2]);
        *tp_co_errno() = 4001 + n_turn;
        expect((co ? tp_co_yield(&n_turn, NULL) : tp_pooled_yield(&n_turn, NULL)) == 0);
        look(thread_ids[n_turn % 2]);
        if (depth > 0)
            wander(depth - 1);
    }
}

static void *wander_forever(void *argument)
{
    *tp_co_errno() = 4000;
    for (;;)
        wander(DEPTH);
    return argument;
}

static int wander_pooled(void *argument)
{
    wander_forever(argument);
    return 0;
}

static TP_APART void remember(int me)
{
    thread_ids[me] = gettid();
    *tp_tls_place(own_id) = &thread_ids[me];
    tp_frame_free(frames, tp_frame_new(frames)); /* now the thread has a cache */
    caches[me] = tp__frames_find(frames);        /* NULL in builds that look at each frame */
}

static void *run(void *argument)
{
    int me = (int)(intptr_t)argument;
    remember(me);
    sem_post(&turn[0]); /* both are known when the first begins */
    for (int i = me; i < TURNS; i += 2) {
        void *out = NULL;
        while (sem_wait(&turn[me]) != 0) {
        }
        n_turn = i;
        *tp_co_errno() = -me;
        expect((co ? tp_co_resume(co, NULL, &out) : tp_pooled_resume(handle, NULL, &out)) == 0);
        expect(out == &n_turn);
        expect(*tp_co_errno() == -me);
        expect(tp_co_self() == NULL);
        sem_post(&turn[!me]);
    }
    return NULL;
}

/* All turns of the coroutine that was made. */
static void take_turns(void)
{
    pthread_t other;
    sem_init(&turn[0], 0, 0);
    sem_init(&turn[1], 0, 0);
    expect(pthread_create(&other, NULL, run, (void *)1) == 0);
    while (sem_wait(&turn[0]) != 0) {
    }
    run((void *)0);
    pthread_join(other, NULL);
}

int main(void)
{
    expect(tp_frames_open(&frames, &(struct tp_frames_settings){.bytes = 64}) == 0);
    expect(tp_co_new(&co, wander_forever, NULL, NULL) == 0);
    take_turns();
    expect(tp_co_state(co) == TP_CO_SUSPENDED);
    expect(tp_co_free(co) == 0);
    co = NULL;
    expect(tp_copool_open(&pool, NULL) == 0);
    expect(tp_copool_acquire(pool, wander_pooled, NULL, &handle) == 0);
    take_turns();
    expect(tp_pooled_state(handle) == TP_POOLED_SUSPENDED);
    expect(tp_frames_close(frames) == 0);
    printf("%d looks, %d wrong\n", n_looks, n_wrong);
    printf("%d passed, %d failed\n", n_wrong == 0, n_wrong != 0);
    return n_wrong != 0;
}
