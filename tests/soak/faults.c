/* The calls that stand before the system's. */
#include "faults.h"

#include "runtime/base/atomic.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

static tp_atomic(uint32_t) is_on, seed_now, n_threads;
static tp_atomic(uint64_t) counts[FAULT_KINDS], n_occasions[FAULT_KINDS];
static _Thread_local uint64_t state; /* of this thread's draws; 0: not begun */

void faults_begin(uint32_t seed)
{
    tp_store_sc(&seed_now, seed);
    tp_store_sc(&is_on, 1);
}

void faults_set(bool on)
{
    tp_store_sc(&is_on, on);
}

uint64_t faults_count(enum fault kind)
{
    return tp_load_sc(&counts[kind]);
}

const char *faults_what(enum fault kind)
{
    static const char *const what[] = {
#define FAULT_WHAT(name, rare, text) text,
        FAULTS(FAULT_WHAT)
#undef FAULT_WHAT
    };
    return what[kind];
}

static uint64_t draw(void)
{
    if (state == 0)
        state = (tp_load_sc(&seed_now) + (uint64_t)tp_add_sc(&n_threads, 1) + 1) * UINT64_C(0x9e3779b97f4a7c15);
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(2685821657736338717) >> 20;
}

static const unsigned rare[] = {
#define FAULT_RARE(name, power, text) power,
    FAULTS(FAULT_RARE)
#undef FAULT_RARE
};

static bool comes(enum fault kind)
{
    if (tp_load_sc(&is_on) == 0)
        return false;
    tp_add_sc(&n_occasions[kind], 1);
    if (draw() % (UINT64_C(1) << rare[kind]) != 0)
        return false;
    tp_add_sc(&counts[kind], 1);
    return true;
}

bool faults_have_come(enum fault kind)
{
    return faults_count(kind) > 0 || tp_load_sc(&n_occasions[kind]) < UINT64_C(30) << rare[kind];
}

/* -- memory and threads ------------------------------------------------------------------------------- */

void *__real_malloc(size_t n_bytes);
void *__wrap_malloc(size_t n_bytes);
void *__wrap_malloc(size_t n_bytes)
{
    if (!comes(FAULT_MEMORY))
        return __real_malloc(n_bytes);
    errno = ENOMEM;
    return NULL;
}

void *__real_calloc(size_t n, size_t n_bytes);
void *__wrap_calloc(size_t n, size_t n_bytes);
void *__wrap_calloc(size_t n, size_t n_bytes)
{
    if (!comes(FAULT_MEMORY))
        return __real_calloc(n, n_bytes);
    errno = ENOMEM;
    return NULL;
}

void *__real_aligned_alloc(size_t align, size_t n_bytes);
void *__wrap_aligned_alloc(size_t align, size_t n_bytes);
void *__wrap_aligned_alloc(size_t align, size_t n_bytes)
{
    if (!comes(FAULT_MEMORY))
        return __real_aligned_alloc(align, n_bytes);
    errno = ENOMEM;
    return NULL;
}

void *__real_mmap(void *at, size_t n_bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t n_bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t n_bytes, int protection, int flags, int fd, off_t offset)
{
    if (!comes(FAULT_MAPPING))
        return __real_mmap(at, n_bytes, protection, flags, fd, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument)
{
    return comes(FAULT_THREAD) ? EAGAIN : __real_pthread_create(thread, attributes, body, argument);
}

/* -- descriptors -------------------------------------------------------------------------------------- */

/* A name that the library uses, with its arguments; fails with -1 and an errno. */
#define MAY_FAIL(name, kind, error, parameters, ...) \
    int __real_##name parameters;                    \
    int __wrap_##name parameters;                    \
    int __wrap_##name parameters                     \
    {                                                \
        if (!comes(kind))                            \
            return __real_##name(__VA_ARGS__);       \
        errno = (error);                             \
        return -1;                                   \
    }

MAY_FAIL(socket, FAULT_DESCRIPTOR, EMFILE, (int domain, int type, int protocol), domain, type, protocol)
MAY_FAIL(accept4, FAULT_DESCRIPTOR, EMFILE, (int fd, struct sockaddr *address, socklen_t *n, int flags), fd, address, n, flags)
MAY_FAIL(eventfd, FAULT_DESCRIPTOR, ENFILE, (unsigned value, int flags), value, flags)
MAY_FAIL(epoll_create1, FAULT_DESCRIPTOR, EMFILE, (int flags), flags)

int __real_epoll_ctl(int poller, int what, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int poller, int what, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int poller, int what, int fd, struct epoll_event *event)
{
    if (what != EPOLL_CTL_ADD || !comes(FAULT_WATCH))
        return __real_epoll_ctl(poller, what, fd, event);
    errno = ENOSPC;
    return -1;
}
