/* Metrics and the exporter: the numbers of pools with known pasts, their text, and clients that do not behave. */
#include "../../../runtime/tidepool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static int return_it(void *code)
{
    return (int)(intptr_t)code;
}

static struct tp_pool *open_pool(enum tp_tasks tasks)
{
    struct tp_pool_settings settings = {.workers = 2, .workers_min = 2, .tasks = tasks, .expire_ns = TP_FOREVER};
    struct tp_pool *pool;
    assert_int_equal(tp_pool_open(&pool, &settings), 0);
    return pool;
}

/* -- samples ------------------------------------------------------------------------------------ */

struct wanted {
    const char *name;
    const char *state;
    double sum;
    int n;
};

static void add(const struct tp_sample *sample, void *context)
{
    struct wanted *wanted = context;
    if (strcmp(sample->metric->name, wanted->name) != 0 || (wanted->state && strcmp(sample->state, wanted->state) != 0))
        return;
    wanted->sum += sample->value;
    wanted->n++;
}

/* The sum of all samples of that name, and how many there are. */
static struct wanted sum_of(const char *name, const char *state)
{
    struct tp_metrics *metrics;
    struct wanted wanted = {.name = name, .state = state};
    assert_int_equal(tp_metrics_read(&metrics), 0);
    tp_metrics_each(metrics, add, &wanted);
    tp_metrics_free(metrics);
    return wanted;
}

static void test_numbers(void **unused)
{
    (void)unused;
    assert_true(sum_of("tidepool_pools", NULL).sum == 0);
    struct tp_pool *plain = open_pool(TP_TASKS_FUNCTION), *coroutines = open_pool(TP_TASKS_COROUTINE);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(tp_pool_submit(plain, return_it, (void *)(intptr_t)(i % 5 == 0 ? -1 : 0)), 0);
        assert_int_equal(tp_pool_submit(coroutines, return_it, NULL), 0);
    }
    assert_int_equal(tp_pool_close(plain, TP_FOREVER), 0);
    assert_int_equal(tp_pool_close(coroutines, TP_FOREVER), 0);
    assert_true(sum_of("tidepool_pools", NULL).sum == 2);
    assert_true(sum_of("tidepool_pool_completed_tasks", NULL).sum == 20);
    assert_true(sum_of("tidepool_pool_failed_tasks", NULL).sum == 2);
    assert_true(sum_of("tidepool_pool_over_tasks", NULL).sum == 20);
    assert_true(sum_of("tidepool_worker_tasks", NULL).sum == 20);
    assert_int_equal(sum_of("tidepool_worker_tasks", NULL).n, 4);
    assert_int_equal(sum_of("tidepool_pool_suspended_tasks", NULL).n, 1); /* of one that can have such */
    assert_true(sum_of("tidepool_worker_state", "shutdown").sum == 4);
    assert_true(sum_of("tidepool_worker_state", NULL).sum == 4); /* one state each */
    assert_int_equal(sum_of("tidepool_worker_state", NULL).n, 32);
    assert_true(sum_of("tidepool_resident_memory_bytes", NULL).sum > 0);
    tp_pool_free(plain);
    tp_pool_free(coroutines);
    assert_true(sum_of("tidepool_pools", NULL).sum == 0);
    assert_int_equal(sum_of("tidepool_pool_completed_tasks", NULL).n, 0);
}

static void test_names(void **unused)
{
    (void)unused;
    for (size_t i = 0; tp_metrics_at(i); i++) {
        const struct tp_metric *metric = tp_metrics_at(i);
        size_t n = strlen(metric->name), n_unit = strlen(metric->unit);
        assert_int_equal(strncmp(metric->name, "tidepool_", 9), 0);
        assert_int_equal(strspn(metric->name, "abcdefghijklmnopqrstuvwxyz_"), n);
        assert_true(n_unit == 0 || strcmp(metric->name + n - n_unit, metric->unit) == 0 || strstr(metric->name, metric->unit));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(metric->name, tp_metrics_at(j)->name);
    }
}

/* -- what tasks wait for ------------------------------------------------------------------------ */

static struct tp_runtime *runtime;
static struct tp_fd reader, writer;

static void expect_waits(int n_set, int n_cleared, int n_rung, int n_called, int n_polls, int n_vain, int n_events)
{
    assert_true(sum_of("tidepool_pool_set_alarms", NULL).sum == n_set);
    assert_true(sum_of("tidepool_pool_cleared_alarms", NULL).sum == n_cleared);
    assert_true(sum_of("tidepool_pool_rung_alarms", NULL).sum == n_rung);
    assert_true(sum_of("tidepool_pool_timer_calls", NULL).sum == n_called);
    assert_true(sum_of("tidepool_pool_polls", NULL).sum == n_polls);
    assert_true(sum_of("tidepool_pool_vain_polls", NULL).sum == n_vain);
    assert_true(sum_of("tidepool_pool_dispatched_events", NULL).sum == n_events);
}

static void block_on(int (*run)(void *argument))
{
    struct tp_task_result result;
    assert_int_equal(tp_block_on(runtime, run, NULL, &result), 0);
    assert_int_equal(result.code, 0);
}

static int sleep_thrice(void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++)
        if (tp_sleep_ns(TP_SECOND) != 0)
            return -1;
    return 0;
}

static void do_nothing(void *unused)
{
    (void)unused;
}

/* Four calls, of which the last sets the timer once more. */
static int keep_a_timer(void *unused)
{
    struct tp_timer timer;
    (void)unused;
    if (tp_timer_init(&timer, tp_runtime_target(runtime), do_nothing, NULL) != 0)
        return -1;
    tp_timer_set(&timer, tp_deadline_in_ns(TP_SECOND), TP_SECOND);
    int status = tp_sleep_ns(4 * TP_SECOND + 1);
    tp_timer_end(&timer);
    return status;
}

static int read_byte(void *deadline_ns)
{
    char byte;
    size_t n;
    return tp_read(reader, &byte, 1, deadline_ns ? *(uint64_t *)deadline_ns : TP_FOREVER, &n);
}

static int write_byte(void *unused)
{
    size_t n;
    (void)unused;
    return tp_write(writer, "x", 1, TP_FOREVER, &n);
}

static int read_what_comes(void *unused)
{
    (void)unused;
    return tp_task_spawn(write_byte, NULL, NULL) != 0 || read_byte(NULL) != 0;
}

static int read_what_comes_in_time(void *unused)
{
    uint64_t soon_ns = tp_deadline_in_ns(TP_SECOND);
    (void)unused;
    return tp_task_spawn(write_byte, NULL, NULL) != 0 || read_byte(&soon_ns) != 0;
}

static int read_nothing(void *unused)
{
    uint64_t soon_ns = tp_deadline_in_ns(TP_SECOND);
    (void)unused;
    return read_byte(&soon_ns) == TP_ETIMEDOUT ? 0 : -1;
}

/* On a runtime with one thread and a time of its own, each count is exact. */
static void test_waits(void **unused)
{
    (void)unused;
    assert_int_equal(tp_runtime_open(&runtime, &(struct tp_runtime_settings){.flavour = TP_RUNTIME_CURRENT, .virtual_time = true}), 0);
    assert_int_equal(tp_pipe(&reader, &writer), 0);
    expect_waits(0, 0, 0, 0, 0, 0, 0);
    block_on(sleep_thrice);
    expect_waits(3, 0, 3, 0, 0, 0, 0);
    block_on(keep_a_timer);
    expect_waits(3 + 1 + 5, 1, 3 + 1 + 4, 4, 0, 0, 0);
    block_on(read_what_comes);
    expect_waits(9, 1, 8, 4, 1, 0, 1);
    block_on(read_what_comes_in_time);
    expect_waits(10, 2, 8, 4, 2, 0, 2);
    block_on(read_nothing);
    expect_waits(11, 2, 9, 4, 3, 1, 2);
    tp_fd_close(reader);
    tp_fd_close(writer);
    tp_runtime_free(runtime);
}

/* -- the exporter ------------------------------------------------------------------------------- */

static struct tp_exporter *exporter;
static char path[64], where[80];

static int set_up(void **unused)
{
    (void)unused;
    snprintf(path, sizeof path, "/tmp/tidepool-test-%d", (int)getpid());
    snprintf(where, sizeof where, "unix:%s", path);
    return tp_exporter_open(&exporter, where);
}

static int tear_down(void **unused)
{
    (void)unused;
    tp_exporter_close(exporter);
    return access(path, F_OK) == 0 ? -1 : 0;
}

static int dial(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

/* Reads to the end of the connection. */
static char *read_all(int fd)
{
    size_t n = 0, n_room = 1 << 20;
    char *text = malloc(n_room);
    ssize_t got;
    while ((got = recv(fd, text + n, n_room - n - 1, 0)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    close(fd);
    return text;
}

static char *ask(const char *request)
{
    int fd = dial();
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    return read_all(fd);
}

static void expect(const char *request, const char *begin, const char *end)
{
    char *said = ask(request);
    if (strncmp(said, begin, strlen(begin)) != 0)
        fail_msg("%s: %s", request, said);
    size_t n = strlen(said), n_end = strlen(end);
    assert_true(n >= n_end && strcmp(said + n - n_end, end) == 0);
    free(said);
}

static void test_requests(void **unused)
{
    (void)unused;
    expect("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4", "\n");
    expect("GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text", "# EOF\n");
    expect("GET /metrics?x HTTP/1.0\n\n", "HTTP/1.1 200 OK", "\n");
    expect("GET /metricsx HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found", "404 Not Found");
    expect("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found", "404 Not Found");
    expect("POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed", "405 Method Not Allowed");
    expect("\r\n\r\n", "HTTP/1.1 405 Method Not Allowed", "405 Method Not Allowed");
    char *long_one = malloc(4097);
    memset(long_one, 'x', 4096);
    long_one[4096] = '\0';
    expect(long_one, "HTTP/1.1 431 Request", "431 Request Header Fields Too Large");
    free(long_one);
    struct stat stat;
    assert_int_equal(lstat(path, &stat), 0);
    assert_int_equal(stat.st_mode & 0777, 0600);
}

/* Clients that say nothing, or half, do not keep others from being served; nor do those that break off. */
static void test_bad_clients(void **unused)
{
    (void)unused;
    int silent[15];
    for (int i = 0; i < 15; i++)
        silent[i] = dial();
    assert_int_equal(send(silent[0], "GET /met", 8, MSG_NOSIGNAL), 8);
    expect("GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK", "\n");
    assert_int_equal(send(silent[0], "rics HTTP/1.1\r\n\r", 16, MSG_NOSIGNAL), 16); /* in three pieces */
    assert_int_equal(send(silent[0], "\n", 1, MSG_NOSIGNAL), 1);
    char *said = read_all(silent[0]);
    assert_int_equal(strncmp(said, "HTTP/1.1 200 OK", 15), 0);
    free(said);
    for (int i = 1; i < 15; i++)
        close(silent[i]);
    for (int i = 0; i < 40; i++) { /* gone before the answer */
        int fd = dial();
        assert_int_equal(send(fd, "GET /metrics HTTP/1.1\r\n\r\n", 25, MSG_NOSIGNAL), 25);
        close(fd);
    }
    int fd = dial();
    assert_int_equal(send(fd, "GET \0/metrics", 13, MSG_NOSIGNAL), 13); /* bytes that no request has: cut off */
    said = read_all(fd);
    assert_string_equal(said, "");
    free(said);
    expect("GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK", "\n");
}

static void test_addresses(void **unused)
{
    (void)unused;
    struct tp_exporter *other = NULL;
    assert_int_equal(tp_exporter_open(&other, where), TP_EADDRINUSE);
    assert_int_equal(tp_exporter_open(&other, "0.0.0.0:0"), TP_EINVAL);
    assert_int_equal(tp_exporter_open(&other, "nonsense"), TP_EINVAL);
    assert_int_equal(tp_exporter_open(&other, "unix:/no/such/folder/x"), TP_ENOENT);
    assert_null(other);
    assert_int_equal(tp_exporter_port(exporter), 0);
    assert_int_equal(tp_exporter_open(&other, "127.0.0.1:0"), 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(tp_exporter_port(other)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(send(fd, "GET /metrics HTTP/1.1\r\n\r\n", 25, MSG_NOSIGNAL), 25);
    char *said = read_all(fd);
    assert_int_equal(strncmp(said, "HTTP/1.1 200 OK", 15), 0);
    free(said);
    tp_exporter_close(other);
    tp_exporter_close(NULL);
}

/* A socket that a program left behind is replaced. */
static void test_stale_socket(void **unused)
{
    (void)unused;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct tp_exporter *other;
    char stale[80];
    snprintf(un.sun_path, sizeof un.sun_path, "%s-stale", path);
    snprintf(stale, sizeof stale, "unix:%s-stale", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    close(fd);
    assert_int_equal(tp_exporter_open(&other, stale), 0);
    tp_exporter_close(other);
    assert_int_not_equal(access(un.sun_path, F_OK), 0);
}

/* -- under load --------------------------------------------------------------------------------- */

enum { ROUNDS = 30,
    TASKS = 200 };

static int yield_once(void *unused)
{
    (void)unused;
    return tp_yield();
}

static void *scrape(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++)
        free(ask("GET /metrics HTTP/1.1\r\n\r\n"));
    return NULL;
}

/* Pools come, work and go, while three threads scrape, and one dumps all tasks. */
static void test_scrapes_under_load(void **unused)
{
    (void)unused;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, scrape, NULL), 0);
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < ROUNDS; i++) {
        struct tp_pool *pool = open_pool(i % 2 == 0 ? TP_TASKS_COROUTINE : TP_TASKS_FUNCTION);
        for (int j = 0; j < TASKS; j++)
            assert_int_equal(tp_pool_submit(pool, yield_once, NULL), 0);
        tp_dump_tasks(fd);
        assert_int_equal(tp_pool_join_all(pool, TP_FOREVER), 0);
        tp_pool_free(pool);
    }
    close(fd);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_waits),
        cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_clients, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stale_socket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scrapes_under_load, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
