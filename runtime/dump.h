/* What the tasks in coroutines do just now, in words: for a program that has come to a stand, and somebody who asks why.
 * Invariant: what is there is copied first, and written after no lock is held, so a report waits for nobody. */
#ifndef TP_DUMP_H
#define TP_DUMP_H

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TP_DUMP_MOST /* tasks told of one by one, of all pools together */
#define TP_DUMP_MOST 10000
#endif

/* tp_dump_tasks: write which tasks in coroutines there are, pool by pool: their states, and of those that wait where they do,
 * by the names of functions (which need a program linked with -rdynamic) and as far as frame pointers go.
 * fd: a file to write to. What cannot be written is lost.
 * Not for signal handlers: see tp_dump_on_signal.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
void tp_dump_tasks(int fd);

/* tp_dump_on_signal: have tp_dump_tasks(fd) called when the process is sent a signal, by a thread that waits for it. A second
 * call changes the signal and the file.
 * signal: such as SIGUSR1; 0: none, and the signal's former action is in force again. The child of a fork has the handler but
 *         not the thread, and says nothing.
 * Returns 0; TP_EINVAL for a signal that cannot be caught; TP_ETHREAD. After an error no signal is waited for.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: yes] */
int tp_dump_on_signal(int signal, int fd);

#ifdef __cplusplus
}
#endif

#endif
