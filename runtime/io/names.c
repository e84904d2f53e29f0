/* Names of hosts, by getaddrinfo on threads of their own. */
#include "names.h"

#include "../../coro/coro.h"
#include "../base/atomic.h"
#include "../base/status.h"
#include "../clock.h"
#include "../handle.h"
#include "../stock.h"
#include "fd_parts.h"
#include "net.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Generated; see stock.pool. By this name, not through tp_pool_open, which would bring all stock pools along. */
extern const struct tp_pool_ops stock_fifo_half_pool_ops;
#define OPS (&stock_fifo_half_pool_ops)

/* One look-up; of who has asked and of who looks, and freed by who lets go last, as the handle says. */
struct lookup {
    struct tp_handle *handle;
    tp_atomic(uint32_t) n_holders;
    char host[NI_MAXHOST], service[NI_MAXSERV];
    int status, error; /* published, as what follows, by the end of the handle */
    size_t n;
    struct tp_address found[TP_NAMES_MAX];
};

static tp_atomic(void *) threads; /* the pool; written once, by the first that opened one, and by a child process, which has none */

static void let_go(struct lookup *lookup)
{
    tp_handle_unref(lookup->handle);
    if (tp_add_sc(&lookup->n_holders, (uint32_t)-1) == 1) /* one order: exactly one is the last */
        free(lookup);
}

/* What the C library says. */
static int status_of(int code)
{
    switch (code) {
    case 0:
        return 0;
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
    case EAI_SERVICE:
        return TP_ENOENT;
    case EAI_AGAIN:
    case EAI_FAIL:
        return TP_EUNREACH;
    case EAI_MEMORY:
        return TP_ENOMEM;
    case EAI_SYSTEM:
        return tp__status_of(errno);
    default:
        return TP_EIO;
    }
}

/* Looks it up here and now. flags: of getaddrinfo. */
static void look_up(struct lookup *lookup, int flags)
{
    struct addrinfo hints = {.ai_flags = flags, .ai_socktype = SOCK_STREAM}, *all = NULL;
    lookup->status = status_of(getaddrinfo(lookup->host, lookup->service, &hints, &all));
    lookup->error = errno;
    if (lookup->status != 0)
        return;
    for (struct addrinfo *at = all; at && lookup->n < TP_NAMES_MAX; at = at->ai_next) {
        struct tp_address *to = &lookup->found[lookup->n++];
        memcpy(&to->storage, at->ai_addr, at->ai_addrlen);
        to->n_bytes = at->ai_addrlen;
    }
    freeaddrinfo(all);
}

static int run(void *argument)
{
    struct lookup *lookup = argument;
    look_up(lookup, 0);
    tp_handle_complete(lookup->handle, (struct tp_task_result){.state = TP_TASK_RETURNED});
    let_go(lookup);
    return 0;
}

/* -- the threads ---------------------------------------------------------------------------------- */

static void forget_threads(void)
{
    tp_store_rlx(&threads, NULL); /* relaxed: the child has one thread; the parent's pool is the price */
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_threads);
}

static int get_threads(void **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const struct tp_pool_settings settings = {.workers = TP_NAMES_THREADS, .workers_max = TP_NAMES_THREADS, .capacity = UINT64_MAX};
    void *pool = tp_load_acq(&threads), *mine; /* pairs with the exchange below: it is filled */
    pthread_once(&once, watch_forks);
    int status = pool ? 0 : OPS->open(&mine, &settings);
    if (!pool && status == 0) {
        /* Release: pairs with the acquire above. Losing means that another thread was first: `pool` is its one. */
        if (tp_cas_sc(&threads, &pool, mine))
            pool = mine;
        else
            OPS->free(mine);
    }
    *out = pool;
    return status;
}

/* Has a thread look it up, and waits for that. The other holder is let go by the thread, or here if there is none. */
static int have_looked_up(struct lookup *lookup, uint64_t deadline_ns)
{
    void *pool;
    const struct tp_call call = {run, lookup};
    int status = get_threads(&pool);
    tp_handle_ref(lookup->handle);
    tp_store_rlx(&lookup->n_holders, 2); /* relaxed: published by the submission */
    if (status == 0)
        status = OPS->submit(pool, &call);
    if (status != 0) {
        let_go(lookup);
        return status;
    }
    return tp_handle_wait(lookup->handle, deadline_ns, NULL);
}

/* -- for hosts ------------------------------------------------------------------------------------ */

static struct lookup *make_lookup(const char *host, const char *service)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup && tp_handle_new(&lookup->handle) != 0) {
        free(lookup);
        return NULL;
    }
    if (lookup) {
        strcpy(lookup->host, host);
        strcpy(lookup->service, service);
        tp_store_rlx(&lookup->n_holders, 1); /* relaxed: nobody else has it */
    }
    return lookup;
}

int tp_resolve(const char *host, const char *service, uint64_t deadline_ns, struct tp_address *out, size_t max, size_t *n_found)
{
    if (!host || !service || !out || !n_found || max == 0 || strlen(host) >= NI_MAXHOST || strlen(service) >= NI_MAXSERV)
        return TP_EINVAL;
    int status = tp_task_check();
    struct lookup *lookup = status == 0 ? make_lookup(host, service) : NULL;
    if (!lookup)
        return status != 0 ? status : TP_ENOMEM;
    look_up(lookup, AI_NUMERICHOST | AI_NUMERICSERV);
    if (lookup->status != 0)
        status = have_looked_up(lookup, deadline_ns);
    if (status == 0) { /* else it may be written at this moment */
        status = lookup->status;
        *tp_co_errno() = lookup->error;
        size_t n = status == 0 ? lookup->n : 0;
        n = n < max ? n : max;
        memcpy(out, lookup->found, n * sizeof *out);
        if (status == 0)
            *n_found = n;
    }
    let_go(lookup);
    return status;
}

/* The part of the time that is left which the first of n may use. */
static uint64_t part_of(uint64_t deadline_ns, size_t n)
{
    uint64_t now_ns = tp_clock_now_ns();
    return deadline_ns == TP_FOREVER || deadline_ns <= now_ns ? deadline_ns : now_ns + (deadline_ns - now_ns) / n;
}

int tp_connect_host(const char *host, const char *service, uint64_t deadline_ns, struct tp_fd *out)
{
    struct tp_address found[TP_NAMES_MAX];
    size_t n = 0;
    int status = tp_resolve(host, service, deadline_ns, found, TP_NAMES_MAX, &n);
    for (size_t i = 0; i < n; i++) {
        status = tp_connect(&found[i], part_of(deadline_ns, n - i), out);
        if (status == 0 || status == TP_ECANCELED)
            break;
    }
    return status;
}
