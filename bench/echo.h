/* What the echo servers in C share: the load, which is a process of its own, bench/echo_client.c, the same for every contender. It opens its
 * connections once; a round is so many requests over all of them. With the variant "idle" there are as many connections as tasks, each of them
 * heard once, and what is told is the memory of the server. */
#ifndef ECHO_H
#define ECHO_H

#include "bench.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ECHO_BYTES = 64,
    ECHO_CONNECTIONS = 50 };

/* echo_listen: a socket that listens on loopback. Returns it; *port is where.
 * [thread: main] [suspends: no] [blocks: no] [allocates: no] */
int echo_listen(uint16_t *port);

/* echo_load: start the load, connect it, and do the rounds. argv0: of the server, beside which the client's program lies.
 * Returns the exit status for main.
 * [thread: main] [suspends: no] [blocks: yes] [allocates: yes] */
int echo_load(const struct bench *bench, const char *argv0, uint16_t port);

#ifdef __cplusplus
}
#endif

#endif
