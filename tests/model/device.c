/* The kernel of the explorer; see device.h. */
#include "device.h"
#include "model.h"

#include "runtime/base/atomic.h"
#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/futex.h"
#include "runtime/io/poller.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { THREADS_MAX = 9, /* those of the model, and set_up with tear_down */
    BELL = 100,         /* their numbers follow */
    BELLS_MAX = 4 };

/* The word. What belongs to a poller stands further up, by its number. */
#define TICK UINT64_C(1) /* changes; in the half that sleepers compare */
#define BYTE (UINT64_C(1) << 8)
#define BYTES (BYTE * 255)
#define LIFE (UINT64_C(1) << 16) /* opened and closed, ever: if odd, it is open */
#define WATCHED(p) (UINT64_C(1) << (32 + 16 * (p)))
#define PENDING(p) (UINT64_C(2) << (32 + 16 * (p))) /* there was an edge */
#define BROUGHT(p) (UINT64_C(4) << (32 + 16 * (p))) /* and one that came with bytes */
#define TIMES(p) (UINT64_C(16) << (32 + 16 * (p)))  /* watched, ever; up to 15 */
#define TAG(p) (UINT64_C(256) << (32 + 16 * (p)))
#define TAGS(p) (TAG(p) * 255)

static tp_atomic(uint64_t) kernel;
static tp_atomic(uint32_t) bells[BELLS_MAX]; /* 0: not open; 1; 2: rung */
static unsigned n_bells;
static bool is_open[DEVICE_POLLERS]; /* plain: who uses a poller must be ordered before its end */
static unsigned n_pollers;
static unsigned expected[THREADS_MAX];
static int errors[THREADS_MAX];

unsigned device_n_ends, device_n_refused;
int device_end_status;
bool device_tells_past;

static unsigned self(void)
{
    return model_self() < THREADS_MAX - 1 ? model_self() : THREADS_MAX - 1;
}

/* Each thread of the model has its own. */
int *__errno_location(void)
{
    return &errors[self()];
}

static unsigned life(uint64_t now)
{
    return now / LIFE & 255;
}

static unsigned n_bytes(uint64_t now)
{
    return now / BYTE & 255;
}

static uint64_t look(void)
{
    return tp_load_sc(&kernel);
}

/* One exchange; `now` is what is there if another one was first. */
static bool change(uint64_t *now, uint64_t next)
{
    return tp_cas_sc(&kernel, now, next + TICK);
}

static tp_atomic(uint32_t) *compared(void)
{
    return (tp_atomic(uint32_t) *)(void *)&kernel;
}

static void wake_all(void)
{
    tp_futex_wake(compared(), INT_MAX);
}

void device_reset(void)
{
    kernel = 0;
    n_bells = n_pollers = 0;
    for (unsigned i = 0; i < BELLS_MAX; i++)
        bells[i] = 0;
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        expected[i] = 1;
        errors[i] = 0;
    }
    device_n_ends = device_n_refused = 0;
    device_end_status = 0;
    device_tells_past = false;
}

/* -- the file ------------------------------------------------------------------------------------------ */

void device_open(void)
{
    uint64_t now = look();
    do
        model_check(life(now) % 2 == 0);
    while (!change(&now, now + LIFE));
    wake_all();
}

unsigned device_n_opened(void)
{
    return (life(look()) + 1) / 2;
}

unsigned device_n_closed(void)
{
    return life(look()) / 2;
}

void device_await_closed(unsigned n)
{
    uint64_t now;
    while (life(now = look()) / 2 < n)
        tp_futex_wait(compared(), (uint32_t)now, TP_FOREVER);
}

void device_await_opened(unsigned n)
{
    uint64_t now;
    while ((life(now = look()) + 1) / 2 < n)
        tp_futex_wait(compared(), (uint32_t)now, TP_FOREVER);
}

void device_expect(unsigned n)
{
    expected[self()] = n;
}

/* Is this a call for the file that it finds? Else the number was given away while the call was under way [FD-2]. */
static void check_file(int fd, uint64_t now)
{
    model_check(fd == DEVICE_NUMBER);
    model_check(life(now) == 2 * expected[self()] - 1);
}

ssize_t device_take(int fd, size_t n)
{
    uint64_t now = look();
    unsigned n_taken;
    do {
        check_file(fd, now);
        n_taken = n_bytes(now) < n ? n_bytes(now) : (unsigned)n;
        if (n_taken == 0) {
            errno = EAGAIN;
            return -1;
        }
    } while (!change(&now, now - n_taken * BYTE));
    return n_taken;
}

bool device_arrive(unsigned n, unsigned n_more)
{
    uint64_t now = look(), next;
    do {
        if (life(now) != 2 * n - 1)
            return false;
        next = now + n_more * BYTE;
        for (unsigned p = 0; p < DEVICE_POLLERS; p++)
            next |= now & WATCHED(p) ? PENDING(p) | (n_more > 0 ? BROUGHT(p) : 0) : 0;
    } while (!change(&now, next));
    wake_all();
    return true;
}

/* Pollers watch it still, unless they were told: as if a child had a copy. */
int close(int fd)
{
    uint64_t now = look();
    if (fd >= BELL) {
        model_check(tp_swap_sc(&bells[fd - BELL], 0) != 0);
        return 0;
    }
    do
        check_file(fd, now);
    while (!change(&now, (now & ~BYTES) + LIFE));
    wake_all();
    return 0;
}

int poll(struct pollfd *fds, nfds_t n, int limit_ms)
{
    uint64_t now = look();
    model_check(n == 1 && limit_ms == 0);
    check_file(fds->fd, now);
    fds->revents = n_bytes(now) > 0 ? POLLIN : 0;
    return fds->revents != 0;
}

/* -- bells --------------------------------------------------------------------------------------------- */

int eventfd(unsigned count, int flags)
{
    (void)flags;
    model_check(count == 0 && n_bells < BELLS_MAX);
    tp_store_rel(&bells[n_bells], 1);
    return BELL + (int)n_bells++;
}

ssize_t write(int fd, const void *buffer, size_t n)
{
    uint64_t now = look();
    (void)buffer;
    model_check(fd >= BELL && tp_swap_sc(&bells[fd - BELL], 2) != 0);
    while (!change(&now, now))
        ;
    wake_all();
    return (ssize_t)n;
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *limit, const sigset_t *mask)
{
    uint64_t until_ns = limit ? tp_clock_now_ns() + (uint64_t)limit->tv_sec * TP_SECOND + (uint64_t)limit->tv_nsec : TP_FOREVER;
    (void)mask;
    model_check(n == 2);
    for (;;) {
        uint64_t now = look();
        check_file(fds[0].fd, now);
        if (n_bytes(now) > 0 || tp_load_sc(&bells[fds[1].fd - BELL]) == 2)
            return 1;
        if (tp_futex_wait(compared(), (uint32_t)now, until_ns) != 0)
            return 0;
    }
}

/* -- pollers ------------------------------------------------------------------------------------------- */

static unsigned at(const struct tp_poller *poller)
{
    model_check(is_open[poller->fd]);
    return (unsigned)poller->fd;
}

/* Those that were not withdrawn go with it. */
static void close_poller(struct tp_poller *poller, bool is_own)
{
    unsigned p = at(poller);
    model_check(is_own);
    is_open[p] = false;
    uint64_t now = look();
    while (!change(&now, now & ~(WATCHED(p) | PENDING(p) | BROUGHT(p))))
        ;
}

static int watch(struct tp_poller *poller, int fd, uint64_t data)
{
    unsigned p = at(poller);
    uint64_t now = look(), next;
    if (model_self() < device_n_refused)
        return TP_ENOMEM;
    do {
        check_file(fd, now);
        model_check(!(now & WATCHED(p))); /* each link has one registration [FD-3] */
        next = (now & ~TAGS(p)) + TIMES(p) + (data >> 32) * TAG(p);
        next |= WATCHED(p) | (n_bytes(now) > 0 ? PENDING(p) | BROUGHT(p) : 0);
    } while (!change(&now, next));
    wake_all();
    return 0;
}

static void forget(struct tp_poller *poller, int fd, uint64_t data)
{
    unsigned p = at(poller);
    uint64_t now = look();
    model_check(fd == DEVICE_NUMBER);
    do
        if (!(now & WATCHED(p)) || (now & TAGS(p)) != (data >> 32) * TAG(p))
            return;
    while (!change(&now, now & ~(WATCHED(p) | PENDING(p) | BROUGHT(p))));
}

/* One event, which says how things are now, or how they were then; nothing, if that is nothing. */
static int wait(struct tp_poller *poller, struct tp_driver_event *events, int n_max, uint64_t deadline_ns)
{
    unsigned p = at(poller);
    model_check(n_max > 0);
    for (;;) {
        uint64_t now = look();
        bool is_last = (now / TIMES(p) & 15) <= device_n_ends;
        bool is_readable = device_tells_past ? now & BROUGHT(p) : n_bytes(now) > 0;
        if (!(now & PENDING(p))) {
            if (deadline_ns == 0 || tp_futex_wait(compared(), (uint32_t)now, deadline_ns) != 0)
                return 0;
        } else if (change(&now, now & ~(PENDING(p) | BROUGHT(p) | (is_last ? WATCHED(p) : 0))) && (is_last || is_readable)) {
            *events = (struct tp_driver_event){
                .data = (now & TAGS(p)) / TAG(p) << 32 | DEVICE_NUMBER,
                .bits = is_readable ? POLLIN : 0,
                .is_last = is_last,
                .status = is_last ? device_end_status : 0,
            };
            return 1;
        }
    }
}

int tp__poller_open(struct tp_poller *poller, int bell)
{
    static const struct tp_poller_kind kind = {"the explorer's", NULL, close_poller, watch, forget, wait};
    (void)bell;
    model_check(n_pollers < DEVICE_POLLERS);
    *poller = (struct tp_poller){.kind = &kind, .fd = (int)n_pollers};
    is_open[n_pollers++] = true;
    return 0;
}
