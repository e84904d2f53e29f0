/* Files and names of hosts: what tasks have done by other threads. A look-up that hangs holds nobody who does not want that name. */
#include "place.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/wait.h>

static char path[64]; /* of this process alone: another flavour may be tested at the same time */

/* -- a server of names that may hang ---------------------------------------------------------------- */

static tp_atomic(uint32_t) n_hanging, may_go;
static struct sockaddr_in answers[2];

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);

/* "two": both answers; "hangs": none until it may; "nobody", "silent": none. */
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    if (hints->ai_flags & AI_NUMERICHOST)
        return __real_getaddrinfo(host, service, hints, out);
    if (strcmp(host, "hangs") == 0) {
        tp_add_sc(&n_hanging, 1);
        while (tp_load_sc(&may_go) == 0)
            sched_yield();
        tp_add_sc(&n_hanging, (uint32_t)-1);
    }
    if (strcmp(host, "two") != 0)
        return strcmp(host, "nobody") == 0 ? EAI_NONAME : EAI_AGAIN;
    struct addrinfo numbers = {.ai_flags = AI_NUMERICHOST}, **at = out;
    for (int i = 0; i < 2; i++) {
        char port[8];
        snprintf(port, sizeof port, "%d", ntohs(answers[i].sin_port));
        numbers.ai_socktype = SOCK_STREAM;
        int code = __real_getaddrinfo("127.0.0.1", port, &numbers, at);
        if (code != 0)
            return code;
        at = &(*at)->ai_next;
    }
    return 0;
}

/* -- files ------------------------------------------------------------------------------------------ */

/* One that does something, and what came of it. */
struct worker {
    struct tp_fd fd;
    uint64_t deadline_ns;
    const char *name;
    struct tp_address found[TP_NAMES_MAX];
    size_t n;
    int status, error;
};

static int use_file(void *argument)
{
    struct worker *worker = argument;
    char bytes[16] = {0};
    struct stat stat;
    struct tp_fd fd, other;
    size_t n = 0;
    worker->n = 0;
    worker->n += tp_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, TP_FOREVER, &fd) == 0;
    worker->n += tp_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, TP_FOREVER, &other) == TP_EEXIST && *tp_co_errno() == EEXIST;
    worker->n += tp_write_all(fd, "0123456789", 10, TP_FOREVER, NULL) == 0;
    worker->n += tp_pwrite(fd, "abc", 3, 4, TP_FOREVER, &n) == 0 && n == 3;
    worker->n += tp_read(fd, bytes, sizeof bytes, TP_FOREVER, &n) == 0 && n == 0; /* goes on where it wrote: at the end */
    worker->n += tp_pread(fd, bytes, sizeof bytes, 2, TP_FOREVER, &n) == 0 && n == 8 && memcmp(bytes, "23abc789", 8) == 0;
    worker->n += tp_pread(fd, bytes, sizeof bytes, UINT64_MAX, TP_FOREVER, &n) == TP_EINVAL;
    worker->n += tp_fsync(fd, TP_FOREVER) == 0;
    worker->n += tp_fstat(fd, TP_FOREVER, &stat) == 0 && stat.st_size == 10;
    worker->n += tp_stat(path, TP_FOREVER, &stat) == 0 && stat.st_size == 10;
    worker->n += tp_fd_wait(fd, TP_FD_READABLE, TP_FOREVER, NULL) == 0;
    worker->n += tp_fd_close(fd) == 0;
    worker->n += tp_fsync(fd, TP_FOREVER) == TP_ESTALE;
    worker->n += tp_open("build/no/such/file", O_RDONLY, 0, TP_FOREVER, &fd) == TP_ENOENT;
    worker->n += tp_stat("build/no/such/file", TP_FOREVER, &stat) == TP_ENOENT;
    worker->n += tp_open(path, O_RDONLY, 0, TP_FOREVER, &fd) == 0 && tp_write(fd, "x", 1, TP_FOREVER, &n) == TP_ESTALE && *tp_co_errno() == EBADF;
    worker->n += tp_fd_close(fd) == 0;
    worker->n += tp_open(NULL, 0, 0, TP_FOREVER, &fd) == TP_EINVAL;
    return 0;
}

static void test_files(void **state)
{
    (void)state;
    int before = -1;
    EACH_PLACE(place)
    {
        struct worker worker = {.n = 0};
        place_start(&place, use_file, &worker);
        place_join(&place);
        assert_int_equal(worker.n, 18);
        assert_true(before < 0 || n_descriptors() <= before + 2);
        before = before < 0 ? n_descriptors() : before;
    }
    unlink(path);
}

/* A pipe with a name: opened at once, and read like any other. */
static int open_fifo(void *argument)
{
    struct worker *worker = argument;
    char bytes[4];
    worker->status = tp_open(path, O_RDONLY, 0, TP_FOREVER, &worker->fd);
    if (worker->status == 0)
        worker->status = tp_fd_wait(worker->fd, TP_FD_READABLE, worker->deadline_ns, NULL);
    if (worker->status == 0)
        worker->status = tp_read(worker->fd, bytes, sizeof bytes, TP_FOREVER, &worker->n);
    return 0;
}

static void test_pipe_with_a_name(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    EACH_PLACE(place)
    {
        struct worker worker = {.deadline_ns = TP_FOREVER};
        struct tp_fd writer;
        place_start(&place, open_fifo, &worker);
        while (tp_open(path, O_WRONLY, 0, TP_FOREVER, &writer) != 0) /* as long as nobody reads */
            sched_yield();
        assert_int_equal(tp_write(writer, "abc", 3, TP_FOREVER, NULL), 0);
        place_join(&place);
        assert_int_equal(worker.status, 0);
        assert_int_equal(worker.n, 3);
        close_all((struct tp_fd[]){writer, worker.fd}, 2);
    }
    unlink(path);
}

static tp_atomic(uint32_t) has_begun;

static int read_when_asked_to_end(void *argument)
{
    struct worker *worker = argument;
    char byte;
    tp_store_sc(&has_begun, 1);
    while (tp_task_check() == 0)
        tp_yield();
    worker->status = tp_pread(worker->fd, &byte, 1, 0, TP_FOREVER, NULL);
    worker->error = tp_open("/dev/null", O_RDONLY, 0, TP_FOREVER, &worker->fd);
    return 0;
}

static int read_late(void *argument)
{
    struct worker *worker = argument;
    char byte;
    worker->status = tp_pread(worker->fd, &byte, 1, 0, worker->deadline_ns, NULL);
    return 0;
}

static void test_files_and_requests_to_end(void **state)
{
    (void)state;
    EACH_POOL(place)
    {
        struct worker worker = {.deadline_ns = 1};
        assert_int_equal(tp_open(path, O_RDWR | O_CREAT, 0600, TP_FOREVER, &worker.fd), 0);
        place_start(&place, read_when_asked_to_end, &worker);
        while (tp_load_sc(&has_begun) == 0)
            sched_yield();
        tp_store_sc(&has_begun, 0);
        place_cancel(&place);
        place_join(&place);
        assert_int_equal(worker.status, TP_ECANCELED);
        assert_int_equal(worker.error, TP_ECANCELED);
        worker.deadline_ns = 1;
        place_start(&place, read_late, &worker);
        place_join(&place);
        assert_int_equal(worker.status, TP_ETIMEDOUT);
        assert_int_equal(tp_fd_close(worker.fd), 0);
    }
    unlink(path);
}

/* -- names ------------------------------------------------------------------------------------------ */

static int resolve(void *argument)
{
    struct worker *worker = argument;
    worker->n = 77;
    worker->status = tp_resolve(worker->name, "80", worker->deadline_ns, worker->found, TP_NAMES_MAX, &worker->n);
    return 0;
}

static void test_names(void **state)
{
    (void)state;
    char text[TP_ADDRESS_TEXT];
    EACH_PLACE(place)
    {
        struct worker number = {.name = "::1", .deadline_ns = 0}, none = {.name = "nobody", .deadline_ns = TP_FOREVER}, silent = none, two = none;
        silent.name = "silent";
        two.name = "two";
        answers[0].sin_port = htons(1);
        answers[1].sin_port = htons(2);
        struct worker *all[] = {&number, &none, &silent, &two};
        for (int i = 0; i < 4; i++)
            place_start(&place, resolve, all[i]);
        place_join(&place);
        assert_int_equal(number.status, 0);
        assert_int_equal(number.n, 1);
        assert_int_equal(tp_address_print(&number.found[0], text, sizeof text), 0);
        assert_string_equal(text, "[::1]:80");
        assert_int_equal(none.status, TP_ENOENT);
        assert_int_equal(none.n, 77);
        assert_int_equal(silent.status, TP_EUNREACH);
        assert_int_equal(two.status, 0);
        assert_int_equal(two.n, 2);
        assert_int_equal(tp_resolve(NULL, "80", 0, two.found, 1, &two.n), TP_EINVAL);
        assert_int_equal(tp_resolve("two", "80", 0, two.found, 0, &two.n), TP_EINVAL);
    }
}

/* As many look-ups hang as there are threads for them, and more; files are read meanwhile, and who has enough leaves. */
static void test_names_that_hang(void **state)
{
    (void)state;
    enum { ASKERS = TP_NAMES_THREADS + 2 };
    EACH_PLACE(place)
    {
        struct worker askers[ASKERS], late = {.name = "hangs"}, file = {.n = 0};
        tp_store_sc(&may_go, 0);
        for (int i = 0; i < ASKERS; i++) {
            askers[i] = (struct worker){.name = "hangs", .deadline_ns = TP_FOREVER};
            place_start(&place, resolve, &askers[i]);
        }
        while (tp_load_sc(&n_hanging) < TP_NAMES_THREADS)
            sched_yield();
        struct place beside = {.workers = place.workers};
        place_open(&beside);
        late.deadline_ns = tp_deadline_in_ns(1000000);
        place_start(&beside, resolve, &late);
        place_start(&beside, use_file, &file);
        place_close(&beside);
        assert_int_equal(late.status, TP_ETIMEDOUT);
        assert_int_equal(file.n, 18);
        place_cancel(&place);
        if (place.workers > 0) /* threads cannot be asked */
            place_join(&place);
        tp_store_sc(&may_go, 1);
        place_join(&place);
        for (int i = 0; i < ASKERS; i++)
            assert_int_equal(askers[i].status, place.workers > 0 ? TP_ECANCELED : TP_EUNREACH);
        while (tp_load_sc(&n_hanging) > 0)
            sched_yield();
    }
    unlink(path);
}

static int connect_by_name(void *argument)
{
    struct worker *worker = argument;
    worker->status = tp_connect_host(worker->name, "80", worker->deadline_ns, &worker->fd);
    return 0;
}

/* The first address refuses, the second one answers. */
static void test_connect_by_name(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct tp_address asked, is[2];
        struct tp_fd listeners[2], taken;
        assert_int_equal(tp_address_parse("127.0.0.1:0", &asked), 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(tp_listen(&asked, NULL, &listeners[i]), 0);
            assert_int_equal(tp_address_local(listeners[i], &is[i]), 0);
            memcpy(&answers[i], &is[i].storage, sizeof answers[i]);
        }
        assert_int_equal(tp_fd_close(listeners[0]), 0);
        struct worker worker = {.name = "two", .deadline_ns = tp_deadline_in_ns(3600 * TP_SECOND)}, none = {.name = "nobody", .deadline_ns = TP_FOREVER};
        place_start(&place, connect_by_name, &worker);
        place_start(&place, connect_by_name, &none);
        place_join(&place);
        assert_int_equal(worker.status, 0);
        assert_int_equal(none.status, TP_ENOENT);
        assert_int_equal(tp_accept(listeners[1], TP_FOREVER, NULL, &taken), 0);
        close_all((struct tp_fd[]){taken, listeners[1], worker.fd}, 3);
        place_start(&place, connect_by_name, &worker);
        place_join(&place);
        assert_int_equal(worker.status, TP_EREFUSED);
    }
}

/* A child process has none of the threads, and starts its own. */
static void test_names_in_a_child(void **state)
{
    (void)state;
    struct worker worker = {.name = "two", .deadline_ns = TP_FOREVER};
    resolve(&worker);
    assert_int_equal(worker.status, 0);
    pid_t child = fork();
    if (child == 0) {
        if (CHILDREN_HAVE_THREADS)
            resolve(&worker);
        _exit(worker.status == 0 && worker.n == 2 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    snprintf(path, sizeof path, "build/test-file-%d.tmp", (int)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_pipe_with_a_name),
        cmocka_unit_test(test_files_and_requests_to_end),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_that_hang),
        cmocka_unit_test(test_connect_by_name),
        cmocka_unit_test(test_names_in_a_child),
    };
    return run_here(tests);
}
