/* Calls on descriptors that have to wait, for tests that end them, and ends of all kinds to make them with. */
#ifndef CALLERS_H
#define CALLERS_H

#include "place.h"

/* One that calls, and what it was told. */
struct caller {
    struct tp_fd fd;
    int (*call)(struct caller *caller);
    uint64_t deadline_ns;
    size_t n;
    int status, error, n_done;
    char bytes[16];
};

static inline int run_caller(void *argument)
{
    struct caller *caller = argument;
    caller->status = caller->call(caller);
    caller->error = *tp_co_errno();
    caller->n_done++;
    return 0;
}

static inline int call_read(struct caller *caller)
{
    return tp_read(caller->fd, caller->bytes, sizeof caller->bytes, caller->deadline_ns, &caller->n);
}

static inline int call_read_all(struct caller *caller)
{
    return tp_read_all(caller->fd, caller->bytes, sizeof caller->bytes, caller->deadline_ns, NULL);
}

static inline int call_write(struct caller *caller)
{
    return tp_write(caller->fd, caller->bytes, sizeof caller->bytes, caller->deadline_ns, &caller->n);
}

static inline int call_write_all(struct caller *caller)
{
    return tp_write_all(caller->fd, caller->bytes, sizeof caller->bytes, caller->deadline_ns, &caller->n);
}

static inline int call_accept(struct caller *caller)
{
    struct tp_fd unused;
    return tp_accept(caller->fd, caller->deadline_ns, NULL, &unused);
}

static inline int call_receive(struct caller *caller)
{
    return tp_recv_from(caller->fd, caller->bytes, sizeof caller->bytes, caller->deadline_ns, NULL, NULL);
}

static inline int call_wait_readable(struct caller *caller)
{
    return tp_fd_wait(caller->fd, TP_FD_READABLE, caller->deadline_ns, NULL);
}

static inline int call_wait_writable(struct caller *caller)
{
    return tp_fd_wait(caller->fd, TP_FD_WRITABLE, caller->deadline_ns, NULL);
}

static inline struct tp_fd listener_at(const char *text, struct tp_address *address)
{
    struct tp_address asked;
    struct tp_fd listener;
    assert_int_equal(tp_address_parse(text, &asked), 0);
    assert_int_equal(tp_listen(&asked, NULL, &listener), 0);
    assert_int_equal(tp_address_local(listener, address), 0);
    return listener;
}

/* A connection of TCP. */
static inline void connect_tcp(struct tp_fd ends[2])
{
    struct tp_address address;
    struct tp_fd listener = listener_at("127.0.0.1:0", &address);
    assert_int_equal(tp_connect(&address, TP_FOREVER, &ends[0]), 0);
    assert_int_equal(tp_accept(listener, TP_FOREVER, NULL, &ends[1]), 0);
    assert_int_equal(tp_fd_close(listener), 0);
}

static inline void pipe_backwards(struct tp_fd ends[2])
{
    assert_int_equal(tp_pipe(&ends[0], &ends[1]), 0);
}

static inline void pipe_forwards(struct tp_fd ends[2])
{
    assert_int_equal(tp_pipe(&ends[1], &ends[0]), 0);
}

static inline void pair(struct tp_fd ends[2])
{
    assert_int_equal(tp_socketpair(ends), 0);
}

static inline void listen_alone(struct tp_fd ends[2])
{
    struct tp_address address;
    ends[0] = listener_at("127.0.0.1:0", &address);
    assert_int_equal(tp_connect(&address, TP_FOREVER, &ends[1]), 0);
    struct tp_fd taken;
    assert_int_equal(tp_accept(ends[0], TP_FOREVER, NULL, &taken), 0);
    assert_int_equal(tp_fd_close(taken), 0);
}

static inline void receive_alone(struct tp_fd ends[2])
{
    struct tp_address any;
    assert_int_equal(tp_address_parse("127.0.0.1:0", &any), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tp_datagram_open(&any, NULL, &ends[i]), 0);
}

/* Calls that have to wait, and where. */
static const struct {
    int (*call)(struct caller *caller);
    void (*make)(struct tp_fd ends[2]);
    bool fills;
} calls[] = {
    {call_read, connect_tcp, false},
    {call_read, pair, false},
    {call_read, pipe_backwards, false},
    {call_read_all, connect_tcp, false},
    {call_write, pair, true},
    {call_write_all, pipe_forwards, true},
    {call_accept, listen_alone, false},
    {call_receive, receive_alone, false},
    {call_wait_readable, pair, false},
    {call_wait_writable, pair, true},
};
enum { CALLS = sizeof calls / sizeof *calls };

#endif
