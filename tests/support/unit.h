/* For unit tests in C: CMocka with what it needs, and threads for a test.
 * CMocka's assertions end a test by a jump, so other threads than the first only count. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

enum { CROWD_MAX = 64 };

struct crowd {
    pthread_t threads[CROWD_MAX];
    int n;
};

static inline void crowd_add(struct crowd *crowd, void *(*body)(void *), void *argument)
{
    assert_true(crowd->n < CROWD_MAX);
    assert_int_equal(pthread_create(&crowd->threads[crowd->n++], NULL, body, argument), 0);
}

static inline void crowd_join(struct crowd *crowd)
{
    while (crowd->n > 0)
        assert_int_equal(pthread_join(crowd->threads[--crowd->n], NULL), 0);
}

#endif
