/* Descriptors and time: handles that are stale, numbers that are used again, children that keep copies, and a peer that never stops. */
#include "callers.h"

#include <sys/resource.h>
#include <sys/wait.h>

enum { QUIET = 1000,
    WAITERS = 8 };

/* -- numbers that are used again -------------------------------------------------------------------- */

static void test_stale_handles(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct tp_fd old[2], now[2];
        pair(old);
        close_all(old, 2);
        pair(now);
        assert_int_equal(now[0].fd, old[0].fd);
        assert_int_equal(tp_write(now[1], "x", 1, 0, NULL), 0);
        for (int i = 0; i < CALLS; i++) {
            struct caller caller = {.fd = old[0], .call = calls[i].call, .deadline_ns = TP_FOREVER};
            place_start(&place, run_caller, &caller);
            place_join(&place);
            assert_int_equal(caller.status, TP_ESTALE);
        }
        assert_int_equal(tp_fd_close(old[0]), TP_ESTALE);
        assert_int_equal(tp_shutdown(old[0], TP_FD_WRITABLE), TP_ESTALE);
        struct caller reader = {.fd = now[0], .call = call_read, .deadline_ns = 0};
        place_start(&place, run_caller, &reader);
        place_join(&place);
        assert_int_equal(reader.n, 1);
        uint32_t before = tp_load_sc(&find_slot(now[0].fd)->ready);
        struct tp_driver_event late = {.data = data_of(old[0].tag, old[0].fd), .bits = EPOLLIN | EPOLLHUP, .is_last = true};
        tp__fd_event(NULL, &late); /* from a batch that was taken before the close */
        assert_int_equal(tp_load_sc(&find_slot(now[0].fd)->ready), before);
        close_all(now, 2);
    }
    assert_int_equal(tp_fd_close((struct tp_fd){0, 0}), TP_ESTALE);
    assert_int_equal(tp_fd_close((struct tp_fd){-1, 1}), TP_ESTALE);
    assert_int_equal(tp_fd_close((struct tp_fd){INT32_MAX, 1}), TP_ESTALE);
}

/* Tasks whose descriptors become ready in one batch; the one that runs first closes the others' and opens new ones under their numbers. */
struct ring {
    struct tp_fd ends[WAITERS][2];
    tp_atomic(uint32_t) is_first, n_told, n_right;
};

struct seat {
    struct ring *ring;
    int i;
};

static int sit(void *argument)
{
    struct seat *seat = argument;
    struct ring *ring = seat->ring;
    char byte;
    size_t n = 0;
    int status = tp_read(ring->ends[seat->i][0], &byte, 1, TP_FOREVER, &n);
    if (tp_add_sc(&ring->is_first, 1) == 0) {
        for (int i = 0; i < WAITERS; i++)
            if (i != seat->i) {
                struct tp_fd fresh[2];
                tp_fd_close(ring->ends[i][0]);
                tp_socketpair(fresh);
                status |= tp_read(fresh[0], &byte, 1, 0, &n) == TP_ETIMEDOUT ? 0 : TP_EINVAL; /* nothing is in it */
                tp_fd_close(fresh[0]);
                tp_fd_close(fresh[1]);
            }
        tp_fd_close(ring->ends[seat->i][0]);
    }
    bool is_right = (status == 0 && n == 1) || status == TP_ECLOSED || status == TP_ESTALE;
    tp_add_sc(&ring->n_right, is_right);
    tp_add_sc(&ring->n_told, 1);
    return 0;
}

static void test_reuse_within_a_batch(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        for (int round = 0; round < 20; round++) {
            static struct ring ring;
            static struct seat seats[WAITERS];
            memset(&ring, 0, sizeof ring);
            for (int i = 0; i < WAITERS; i++) {
                pair(ring.ends[i]);
                seats[i] = (struct seat){&ring, i};
                place_start(&place, sit, &seats[i]);
            }
            for (int i = 0; i < WAITERS; i++)
                await_waiting(ring.ends[i][0], 1);
            for (int i = 0; i < WAITERS; i++)
                tp_write(ring.ends[i][1], "x", 1, 0, NULL); /* some may be closed by then */
            place_join(&place);
            assert_int_equal(tp_load_sc(&ring.n_told), WAITERS);
            assert_int_equal(tp_load_sc(&ring.n_right), WAITERS);
            for (int i = 0; i < WAITERS; i++)
                assert_int_equal(tp_fd_close(ring.ends[i][1]), 0);
        }
    }
}

/* The numbers of a handle that was closed behind the library's back. */
static void test_closed_elsewhere(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct tp_fd lost[2], now[2];
        pair(lost);
        struct caller caller = {.fd = lost[0], .call = call_read, .deadline_ns = TP_FOREVER};
        close(lost[0].fd);
        close(lost[1].fd);
        pair(now);
        assert_int_equal(now[0].fd, lost[0].fd);
        place_start(&place, run_caller, &caller);
        place_join(&place);
        assert_int_equal(caller.status, TP_ESTALE);
        caller.fd = now[0];
        place_start(&place, run_caller, &caller);
        await_waiting(now[0], 1);
        assert_int_equal(tp_write(now[1], "x", 1, 0, NULL), 0);
        place_join(&place);
        assert_int_equal(caller.status, 0);
        close_all(now, 2);
    }
}

static void test_borrowed(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        int fds[2];
        struct tp_fd fd;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        assert_int_equal(tp_fd_borrow(fds[0], &fd), 0);
        struct caller caller = {.fd = fd, .call = call_wait_readable, .deadline_ns = TP_FOREVER};
        place_start(&place, run_caller, &caller);
        await_waiting(fd, 1);
        assert_int_equal(write(fds[1], "xy", 2), 2);
        place_join(&place);
        assert_int_equal(caller.status, 0);
        caller.call = call_read; /* does not block, though the socket would */
        for (int i = 0; i < 2; i++) {
            caller.deadline_ns = 0;
            place_start(&place, run_caller, &caller);
            place_join(&place);
            assert_int_equal(caller.status, i == 0 ? 0 : TP_ETIMEDOUT);
        }
        assert_int_equal(tp_fd_close(fd), 0);
        assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
        close(fds[0]);
        close(fds[1]);
    }
    struct tp_fd untouched = {7, 7};
    assert_int_equal(tp_fd_open(-1, &untouched), TP_EINVAL);
    assert_int_equal(tp_fd_borrow(1 << 20, &untouched), TP_EINVAL);
    assert_int_equal(tp_fd_open(0, NULL), TP_EINVAL);
    assert_int_equal(untouched.fd, 7);
}

/* -- other processes -------------------------------------------------------------------------------- */

/* A child keeps a copy of a descriptor that is closed here; what happens to that one is nobody's business here. */
static void test_copy_in_a_child(void **state)
{
    (void)state;
    EACH_POOL(place)
    {
        struct tp_fd old[2], now[2];
        int gate[2];
        pair(old);
        struct caller caller = {.fd = old[0], .call = call_read, .deadline_ns = TP_FOREVER};
        place_start(&place, run_caller, &caller);
        await_waiting(old[0], 1);
        assert_int_equal(pipe(gate), 0);
        pid_t child = fork();
        if (child == 0) {
            char byte;
            close(gate[1]);
            _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1); /* holds its copy until then */
        }
        close(gate[0]);
        assert_int_equal(tp_fd_close(old[0]), 0);
        place_join(&place);
        assert_int_equal(caller.status, TP_ECLOSED);
        pair(now);
        assert_int_equal(now[0].fd, old[0].fd);
        caller = (struct caller){.fd = now[0], .call = call_read, .deadline_ns = TP_FOREVER};
        place_start(&place, run_caller, &caller);
        await_waiting(now[0], 1);
        assert_int_equal(tp_write(old[1], "x", 1, 0, NULL), 0); /* the child's copy is ready now */
        assert_int_equal(tp_write(now[1], "yz", 2, 0, NULL), 0);
        place_join(&place);
        assert_int_equal(caller.n, 2);
        close_all((struct tp_fd[]){now[0], now[1], old[1]}, 3);
        close(gate[1]);
        int status = -1;
        while (waitpid(child, &status, 0) < 0)
            assert_int_equal(errno, EINTR);
        assert_int_equal(status, 0);
    }
}

static int child_works(struct tp_fd inherited[2])
{
    struct place place = {.workers = 2};
    struct tp_fd ends[2];
    struct tp_pool_settings settings = {.workers = 2, .tasks = TP_TASKS_COROUTINE};
    uint64_t ids[2];
    if (tp_fd_close(inherited[0]) != 0 || tp_fd_close(inherited[1]) != 0)
        return 5;
    if (!CHILDREN_HAVE_THREADS)
        return 0;
    if (tp_pool_open(&place.pool, &settings) != 0 || tp_socketpair(ends) != 0)
        return 1;
    struct caller callers[2] = {{.fd = ends[0], .call = call_read, .deadline_ns = TP_FOREVER}, {.fd = ends[1], .call = call_read, .deadline_ns = TP_FOREVER}};
    for (int i = 0; i < 2; i++)
        if (tp_pool_spawn(place.pool, TP_CLASS_DEFAULT, run_caller, &callers[i], &ids[i]) != 0)
            return 2;
    for (int i = 0; i < 2; i++)
        if (tp_write(ends[i], "x", 1, TP_FOREVER, NULL) != 0)
            return 3;
    for (int i = 0; i < 2; i++)
        if (tp_pool_join(place.pool, ids[i], TP_FOREVER, NULL) != 0 || callers[i].status != 0 || callers[i].n != 1)
            return 4;
    tp_pool_free(place.pool);
    return tp_fd_close(ends[0]) | tp_fd_close(ends[1]);
}

static void test_fork_in_the_middle(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct tp_fd ends[2];
        pair(ends);
        struct caller caller = {.fd = ends[0], .call = call_read, .deadline_ns = TP_FOREVER};
        place_start(&place, run_caller, &caller);
        await_waiting(ends[0], 1);
        pid_t child = fork();
        if (child == 0)
            _exit(child_works(ends));
        int status = -1;
        while (waitpid(child, &status, 0) < 0)
            assert_int_equal(errno, EINTR);
        assert_int_equal(status, 0);
        assert_int_equal(tp_write(ends[1], "x", 1, 0, NULL), 0);
        place_join(&place);
        assert_int_equal(caller.status, 0);
        close_all(ends, 2);
    }
}

/* -- fairness --------------------------------------------------------------------------------------- */

/* One descriptor that is always ready, and a thousand of which each is ready once. */
struct crowded {
    struct tp_fd loud, quiet[QUIET];
    uint64_t n_loud, first, last; /* how often the loud one was read: ever; when all were made ready; when the last one was served */
    int n_served, status;
};

static int be_loud(void *argument)
{
    struct crowded *crowded = argument;
    uint64_t value;
    while (crowded->status == 0 && crowded->n_served < QUIET) {
        crowded->status = tp_read(crowded->loud, &value, sizeof value, TP_FOREVER, NULL);
        crowded->n_loud++;
    }
    return 0;
}

struct quiet {
    struct crowded *crowded;
    int i;
};

static int be_quiet(void *argument)
{
    struct quiet *quiet = argument;
    uint64_t value;
    if (tp_read(quiet->crowded->quiet[quiet->i], &value, sizeof value, TP_FOREVER, NULL) == 0 && value == 1) {
        quiet->crowded->last = quiet->crowded->n_loud;
        quiet->crowded->n_served++;
    }
    return 0;
}

static int call_all(void *argument)
{
    struct crowded *crowded = argument;
    static const uint64_t one = 1;
    crowded->first = crowded->n_loud;
    for (int i = 0; i < QUIET; i++)
        if (write(crowded->quiet[i].fd, &one, sizeof one) != sizeof one)
            crowded->status = TP_EIO;
    return 0;
}

static void test_loud_beside_quiet(void **state)
{
    (void)state;
    static struct crowded crowded;
    static struct quiet quiet[QUIET];
    struct place place = {.workers = 1}; /* so the counts need no order */
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2 * QUIET) {
        limit.rlim_cur = 2 * QUIET;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    place_open(&place);
    assert_int_equal(tp_fd_open(eventfd(UINT32_MAX, EFD_SEMAPHORE), &crowded.loud), 0); /* four thousand million reads */
    for (int i = 0; i < QUIET; i++) {
        assert_int_equal(tp_fd_open(eventfd(0, 0), &crowded.quiet[i]), 0);
        quiet[i] = (struct quiet){&crowded, i};
        place_start(&place, be_quiet, &quiet[i]);
        await_waiting(crowded.quiet[i], 1);
    }
    place_start(&place, be_loud, &crowded);
    place_start(&place, call_all, &crowded);
    place_join(&place);
    assert_int_equal(crowded.status, 0);
    assert_int_equal(crowded.n_served, QUIET);
    /* Each turn of 64 reads ends with a look that takes 128 events; a few turns more for those that are taken at once. */
    assert_in_range(crowded.last - crowded.first, 1, 64 * (QUIET / TP_DRIVER_EVENTS + 8));
    place_close(&place);
    assert_int_equal(tp_fd_close(crowded.loud), 0);
    close_all(crowded.quiet, QUIET);
}

/* -- threads that come and go ----------------------------------------------------------------------- */

/* A task that reads so many bytes, and those who drive it for a while. */
struct tour {
    struct tp_runtime *runtime;
    struct tp_fd ends[2];
    uint64_t id;
    int n_read, n_written;
};

static int read_on(void *argument)
{
    struct tour *tour = argument;
    char byte;
    size_t n;
    while (tp_read(tour->ends[0], &byte, 1, TP_FOREVER, &n) == 0 && n == 1)
        tour->n_read++;
    return 0;
}

static int until_it_waits(void *argument)
{
    struct tour *tour = argument;
    while (n_waiting(tour->ends[0]) != 1)
        tp_yield();
    return 0;
}

static void *drive(void *argument)
{
    struct tour *tour = argument;
    while (tour->n_read < tour->n_written)
        tp_runtime_join(tour->runtime, tour->id, tp_deadline_in_ns(1000000), NULL); /* it never ends meanwhile */
    assert_int_equal(tp_block_on(tour->runtime, until_it_waits, tour, NULL), 0);
    return NULL;
}

/* Each of these threads has made the registration anew, and ends; the next one hears of the bytes [FD-3]. */
static void test_drivers_that_end(void **state)
{
    (void)state;
    struct tp_runtime_settings settings = {.flavour = TP_RUNTIME_CURRENT};
    struct tour tour = {0};
    pair(tour.ends);
    assert_int_equal(tp_runtime_open(&tour.runtime, &settings), 0);
    assert_int_equal(tp_runtime_spawn(tour.runtime, read_on, &tour, &tour.id), 0);
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, drive, &tour), 0);
        pthread_join(thread, NULL);
        assert_int_equal(tour.n_read, i);
        assert_int_equal(tp_write(tour.ends[1], "x", 1, 0, NULL), 0);
        tour.n_written++;
    }
    assert_int_equal(tp_fd_close(tour.ends[1]), 0);
    assert_int_equal(tp_runtime_join(tour.runtime, tour.id, TP_FOREVER, NULL), 0);
    assert_int_equal(tour.n_read, 20);
    assert_int_equal(tp_runtime_close(tour.runtime, TP_FOREVER), 0);
    tp_runtime_free(tour.runtime);
    assert_int_equal(tp_fd_close(tour.ends[0]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stale_handles),
        cmocka_unit_test(test_reuse_within_a_batch),
        cmocka_unit_test(test_closed_elsewhere),
        cmocka_unit_test(test_borrowed),
        cmocka_unit_test(test_copy_in_a_child),
        cmocka_unit_test(test_fork_in_the_middle),
        cmocka_unit_test(test_loud_beside_quiet),
        cmocka_unit_test(test_drivers_that_end),
    };
    return run_here(tests);
}
