/* Channels: values that tasks and threads hand to each other, in order. A task in a coroutine that has to wait gives its
 * worker back; a thread, or a task of a plain pool, sleeps.
 * Invariant: a value that was sent is received once, unless its channel is freed before; a send that fails has sent nothing
 * (docs/channels.md).
 *
 *   sender:   while (next(&line))                        receiver:  while (tp_chan_recv(lines, &line, TP_FOREVER) == 0)
 *                 tp_chan_send(lines, &line, TP_FOREVER);                use(line);
 *             tp_chan_close(lines); */
#ifndef TP_CHAN_H
#define TP_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tp_chan;

/* tp_chan_open: a channel for values of one size.
 * chan:        the caller's; ended by tp_chan_free.
 * value_bytes: of one value; copied in and out as bytes. 0: only the fact counts, and values may be NULL.
 * capacity:    values that wait in the channel at most; 0: each send waits until its value is received.
 * Returns 0, TP_EINVAL (more than memory can hold), or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_chan_open(struct tp_chan **chan, size_t value_bytes, size_t capacity);

/* tp_chan_free: the end of a channel that nobody uses any more; values in it are lost. The only receiver may call it as soon as it
 * hears that the only sender has closed it, or has the last value of one that did not have to wait.
 * chan: NULL does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_chan_free(struct tp_chan *chan);

/* tp_chan_send: put a value in. Values of one sender are received in the order in which they were sent, and senders that
 * wait are served in the order in which they came.
 * value:       read before the return.
 * deadline_ns: how long to wait for room, on the clock of tp_clock_now_ns(); TP_FOREVER: for ever; 0: not at all.
 * Returns 0; TP_ECLOSED; TP_ETIMEDOUT; TP_ECANCELED when it would have waited, or waits, and the task was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_chan_send(struct tp_chan *chan, const void *value, uint64_t deadline_ns);

/* tp_chan_recv: take the first value out. Receivers that wait are served in the order in which they came.
 * value: filled on success.
 * Returns 0; TP_ECLOSED when the channel is closed and empty; else as tp_chan_send.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_chan_recv(struct tp_chan *chan, void *value, uint64_t deadline_ns);

/* tp_chan_close: no value is sent from here on; what is in the channel can still be received. Sends that wait fail. A second
 * call does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_chan_close(struct tp_chan *chan);

/* tp_chan_count: how many values are in the channel; old news by the time it is read.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t tp_chan_count(struct tp_chan *chan);

/* tp_chan_is_closed: is it closed, and empty? If so it stays so, and each call says TP_ECLOSED.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_chan_is_closed(struct tp_chan *chan);

/* TP_CHAN_EACH(chan, value): a loop over the values of a channel, until it is closed and empty, or the task is asked to end: value, a
 * variable of the channel's type, holds one after the other. */
#define TP_CHAN_EACH(chan, value) while (tp_chan_recv((chan), &(value), TP_FOREVER) == 0)

#ifdef __cplusplus
}
#endif

#endif
