/* One value from one sender to one receiver, such as the answer to a question. Each side ends its part once, in whatever order; the memory goes with the last.
 *
 *   asker:    tp_oneshot_open(&answer, sizeof value);       answerer:  tp_oneshot_send(answer, &value);
 *             hand `answer` to the answerer                        or  tp_oneshot_drop(answer);
 *             tp_oneshot_recv(answer, &value, deadline_ns);
 *             tp_oneshot_free(answer); */
#ifndef TP_SYNC_ONESHOT_H
#define TP_SYNC_ONESHOT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tp_oneshot;

/* tp_oneshot_open: a sender's part and a receiver's.
 * oneshot:     the sender's until tp_oneshot_send or _drop, the receiver's until tp_oneshot_free.
 * value_bytes: copied in and out as bytes. 0: only the fact counts.
 * Returns 0, TP_EINVAL (more than memory can hold), or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_oneshot_open(struct tp_oneshot **oneshot, size_t value_bytes);

/* tp_oneshot_send: the value is there, and the sender's part has ended.
 * value: read before the return.
 * Returns 0, or TP_ECLOSED if the receiver's part had ended before: nobody gets the value.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_oneshot_send(struct tp_oneshot *oneshot, const void *value);

/* tp_oneshot_drop: no value will come; the sender's part has ended.
 * oneshot: NULL does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_oneshot_drop(struct tp_oneshot *oneshot);

/* tp_oneshot_recv: wait for the value.
 * value: filled on success.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER: for ever; 0: do not wait.
 * Returns 0, the first time; TP_ECLOSED: no value comes (any more); TP_ETIMEDOUT; TP_ECANCELED when it would have waited, or waits,
 * and the task was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_oneshot_recv(struct tp_oneshot *oneshot, void *value, uint64_t deadline_ns);

/* tp_oneshot_free: the receiver's part has ended.
 * oneshot: NULL does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_oneshot_free(struct tp_oneshot *oneshot);

#ifdef __cplusplus
}
#endif

#endif
