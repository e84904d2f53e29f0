/* Faults of the system, injected: the program is linked so that these calls come here first (-Wl,--wrap). Each fails once in so
 * many times, by a draw. Short reads and writes need no help: small buffers of sockets make them.
 * Invariant: what fails has done nothing, as with the real call. */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* Each with how rarely it comes, as a power of two. */
#define FAULTS(X)                                         \
    X(FAULT_MEMORY, 6, "an allocation fails")             \
    X(FAULT_MAPPING, 1, "a mapping for stacks fails")     \
    X(FAULT_THREAD, 2, "a thread is refused")             \
    X(FAULT_DESCRIPTOR, 6, "there is no descriptor left") \
    X(FAULT_WATCH, 7, "epoll has no room for another descriptor")

enum fault {
#define FAULT_ENUM(name, rare, what) name,
    FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_KINDS
};

/* What happens is drawn from the seed, for each thread in its own way. on: whether faults come at all. */
void faults_begin(uint32_t seed);
void faults_set(bool on);

/* How many of a kind came; did any, if there was much occasion; and what it is. */
uint64_t faults_count(enum fault kind);
bool faults_have_come(enum fault kind);
const char *faults_what(enum fault kind);

#endif
