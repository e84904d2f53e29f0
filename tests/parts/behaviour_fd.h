/* Tasks in coroutines that wait for descriptors: they keep no worker, hear of a close, a deadline and a request to end, and one that
 * always has something to read does not keep others from theirs. */
#ifndef BEHAVIOUR_FD_H
#define BEHAVIOUR_FD_H

#include "behaviour_coroutine.h"

#include <sys/socket.h>
#include <unistd.h>

enum { LINES = 12,
    ROUND_TRIPS = 100 };

static inline void wire(struct tp_fd ends[2])
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tp_fd_open(fds[i], &ends[i]), 0);
}

static inline void unwire(struct tp_fd ends[2])
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(tp_fd_close(ends[i]), 0);
}

/* One end of a line, and what the task there did. */
struct end {
    struct call call;
    struct tp_fd fd;
    uint64_t deadline_ns;
    int n_done, status;
};

/* Sends back what comes, until the other end closes. */
static int echo(void *argument)
{
    struct end *end = argument;
    char bytes[16];
    size_t n = 1;
    while (end->status == 0 && n > 0) {
        end->status = tp_read(end->fd, bytes, sizeof bytes, TP_FOREVER, &n);
        if (end->status == 0 && n > 0)
            end->status = tp_write_all(end->fd, bytes, n, TP_FOREVER, NULL);
    }
    return tp_fd_close(end->fd);
}

static int ask(void *argument)
{
    struct end *end = argument;
    for (int i = 0; i < ROUND_TRIPS && end->status == 0; i++) {
        int value = 0;
        end->status = tp_write_all(end->fd, &i, sizeof i, TP_FOREVER, NULL);
        if (end->status == 0)
            end->status = tp_read_all(end->fd, &value, sizeof value, TP_FOREVER, NULL);
        end->n_done += value == i;
    }
    return tp_fd_close(end->fd);
}

static void test_echo_on_sockets(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        static struct end ends[LINES][2];
        struct job_pool *pool = pool_open((uint32_t)workers, 2 * LINES);
        for (int i = 0; i < LINES; i++) {
            struct tp_fd fds[2];
            wire(fds);
            for (int side = 0; side < 2; side++) {
                ends[i][side] = (struct end){.call = {side == 0 ? ask : echo, &ends[i][side]}, .fd = fds[side]};
                submit(pool, &ends[i][side].call);
            }
        }
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        job_pool_free(pool);
        for (int i = 0; i < LINES; i++) {
            assert_int_equal(ends[i][0].n_done, ROUND_TRIPS);
            assert_int_equal(ends[i][0].status, 0);
            assert_int_equal(ends[i][1].status, 0);
        }
    }
}

/* Waits for a byte that does not come. */
static int listen_at(void *argument)
{
    struct end *end = argument;
    char byte;
    size_t n;
    end->status = tp_read(end->fd, &byte, 1, end->deadline_ns, &n);
    end->n_done++;
    return end->status;
}

static void test_ends_of_waits_for_descriptors(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct tp_fd fds[2];
        wire(fds);
        struct end closed = {.call = {listen_at, &closed}, .fd = fds[0], .deadline_ns = TP_FOREVER};
        struct end late = {.call = {listen_at, &late}, .fd = fds[1], .deadline_ns = tp_deadline_in_ns(1000)};
        struct end asked = {.call = {listen_at, &asked}, .fd = fds[1], .deadline_ns = TP_FOREVER};
        struct job_pool *pool = pool_open((uint32_t)workers, 8);
        submit(pool, &late.call);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        submit(pool, &closed.call);
        submit(pool, &asked.call);
        await_suspended(pool, 2);
        assert_int_equal(tp_fd_close(fds[0]), 0); /* the other end hears of it as an end of input */
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        assert_int_equal(closed.status, TP_ECLOSED);
        assert_int_equal(late.status, TP_ETIMEDOUT);
        assert_int_equal(asked.status, 0);
        assert_int_equal(tp_fd_close(fds[0]), TP_ESTALE);
        assert_int_equal(tp_fd_close(fds[1]), 0);
        wire(fds);
        asked.fd = fds[0];
        submit(pool, &asked.call);
        await_suspended(pool, 1);
        assert_int_equal(job_pool_cancel(pool, TP_FOREVER), 0);
        assert_int_equal(asked.status, TP_ECANCELED);
        job_pool_free(pool);
        unwire(fds);
    }
}

#endif
