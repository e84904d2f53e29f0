/* Something to do when a thread ends. */
#ifndef TP_AT_EXIT_H
#define TP_AT_EXIT_H

#include <stdbool.h>

/* tp__at_thread_exit: run(argument) when the calling thread ends, before its memory goes; the last one that was asked for first.
 * Returns whether it will; not the main thread, in static programs.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
bool tp__at_thread_exit(void (*run)(void *argument), void *argument);

#endif
