/* All pools of the process whose tasks are coroutines, for those who look at all of them. */
#ifndef TP_KNOWN_H
#define TP_KNOWN_H

struct tp_fibers;

/* tp__known_add: a pool's fibers are to be found.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__known_add(struct tp_fibers *fibers);

/* tp__known_remove: they are not any more; while somebody looks this waits.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__known_remove(struct tp_fibers *fibers);

/* tp__known_lock: nobody comes or goes, up to tp__known_unlock.
 * Returns the first; the others follow by next_known.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_fibers *tp__known_lock(void);

/* tp__known_unlock: the look is over.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__known_unlock(void);

#endif
