/* Values that each of any number of readers sees. A sender never waits: the last n values are kept, and a reader that is slower than that
 * is told how many it has missed.
 *
 *   struct tp_broadcast_reader reader;
 *   tp_broadcast_join(news, &reader);
 *   while ((status = tp_broadcast_recv(news, &reader, &value, TP_FOREVER)) != TP_ECLOSED)
 *       if (status == TP_ELAGGED) note(reader.n_missed); else if (status == 0) use(value); else break; */
#ifndef TP_SYNC_BROADCAST_H
#define TP_SYNC_BROADCAST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tp_broadcast;

/* Where one reader is; one task's or thread's at a time. It can be copied, to read the same values twice. */
struct tp_broadcast_reader {
    uint64_t next;     /* number of the next value, from 0 */
    uint64_t n_missed; /* when tp_broadcast_recv said TP_ELAGGED last */
};

/* tp_broadcast_open: no values yet.
 * broadcast:   the caller's; ended by tp_broadcast_free.
 * value_bytes: of one value; copied in and out as bytes. 0: only the number of values counts.
 * capacity:    values that are kept, at least 1.
 * Returns 0, TP_EINVAL (also for more than memory can hold), or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_broadcast_open(struct tp_broadcast **broadcast, size_t value_bytes, size_t capacity);

/* tp_broadcast_free: nobody uses it any more.
 * broadcast: NULL does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_broadcast_free(struct tp_broadcast *broadcast);

/* tp_broadcast_join: a new reader, whose first value is the next one that is sent. Readers need not leave.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_broadcast_join(struct tp_broadcast *broadcast, struct tp_broadcast_reader *reader);

/* tp_broadcast_send: one value more; the oldest is forgotten if there are too many.
 * Returns 0, or TP_ECLOSED with nothing sent.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_broadcast_send(struct tp_broadcast *broadcast, const void *value);

/* tp_broadcast_recv: wait for the reader's next value.
 * value: filled on success.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER: for ever; 0: do not wait.
 * Returns 0; TP_ELAGGED: it was forgotten, and reader->n_missed - 1 that followed, and the next call gives the oldest that is kept; TP_ECLOSED
 * when it was closed and all was read; TP_ETIMEDOUT; TP_ECANCELED when it would have waited, or waits, and the task was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_broadcast_recv(struct tp_broadcast *broadcast, struct tp_broadcast_reader *reader, void *value, uint64_t deadline_ns);

/* tp_broadcast_close: no value is sent from here on; what is kept can still be read. A second call does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_broadcast_close(struct tp_broadcast *broadcast);

#ifdef __cplusplus
}
#endif

#endif
