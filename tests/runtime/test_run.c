/* Runs, defers and panics: what runs, in which order, how often, and that the thread goes on. */
#include "tests/support/unit.h"

#include "coro/coro.h"
#include "runtime/base/status.h"
#include "runtime/run.h"
#include "runtime/track.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEPTH = 50,
    LOGGERS = 8,
    LOGS = 25,
    NODES = 3,
    TRACE_MAX = 256 };

static char trace[TRACE_MAX]; /* one letter per event of a test */
static int owner;

static void note(void *letter)
{
    size_t n = strlen(trace);
    assert_true(n + 1 < TRACE_MAX);
    trace[n] = *(const char *)letter;
}

static void expect_trace(const char *expected)
{
    assert_string_equal(trace, expected);
    memset(trace, 0, sizeof trace);
}

/* -- handlers ------------------------------------------------------------------------------------- */

static struct {
    int n;
    char pool[32], messages[TRACE_MAX];
    unsigned worker;
    uint64_t id;
    int n_frames;
} heard;

static void listen(const struct tp_panic_report *panic, void *context)
{
    assert_ptr_equal(context, &heard);
    note("!");
    heard.n++;
    snprintf(heard.pool, sizeof heard.pool, "%s", panic->pool);
    size_t n = strlen(heard.messages);
    snprintf(heard.messages + n, sizeof heard.messages - n, "%s;", panic->message);
    heard.worker = panic->worker;
    heard.id = panic->id;
    heard.n_frames = panic->n_frames;
}

static void panic_in_handler(const struct tp_panic_report *panic, void *context)
{
    TP_DEFER(note, "h");
    listen(panic, context);
    tp_panic("handler of %s", panic->message);
}

static void expect_heard(int n, const char *messages)
{
    assert_int_equal(heard.n, n);
    assert_string_equal(heard.messages, messages);
    memset(&heard, 0, sizeof heard);
}

static struct tp_run new_run(void)
{
    return (struct tp_run){.owner = &owner, .pool = "words", .worker = 3, .id = 77, .on_panic = listen, .context = &heard};
}

static bool leave(struct tp_run *run, bool panicked)
{
    assert_null(run->defers);
    assert_ptr_equal(tp_run_self(), run);
    tp_run_leave(run);
    return panicked;
}

/* As a pool does it; returns true if the task panicked. */
static bool panics(struct tp_run *run, void (*task)(void))
{
    tp_run_enter(run);
    if (setjmp(run->point) != 0)
        return leave(run, true);
    task();
    return leave(run, false);
}

/* What the default handler writes while `body` runs; the caller frees it. */
static char *stderr_of(void (*body)(void))
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int before = dup(STDERR_FILENO);
    assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
    body();
    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    close(before);
    long n = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    assert_true(n >= 0);
    char *text = calloc((size_t)n + 1, 1);
    rewind(file);
    assert_int_equal(fread(text, 1, (size_t)n, file), n);
    fclose(file);
    return text;
}

/* -- defers without panics ------------------------------------------------------------------------- */

static int leave_by(int way)
{
    TP_DEFER(note, "a");
    for (int i = 0; i < 2; i++) {
        TP_DEFER(note, "b");
        TP_DEFER(note, "c");
        if (way == 1)
            return 1;
        if (way == 2)
            break;
        if (way == 3)
            goto out;
        if (way == 4)
            continue;
    }
    note("-");
out:
    note(".");
    return 0;
}

static void check_ways_out(void)
{
    leave_by(0);
    expect_trace("cbcb-.a");
    leave_by(1);
    expect_trace("cba");
    leave_by(2);
    expect_trace("cb-.a");
    leave_by(3);
    expect_trace("cb.a");
    leave_by(4);
    expect_trace("cbcb-.a");
}

static void test_ways_out(void **state)
{
    (void)state;
    struct tp_run run = new_run();
    check_ways_out(); /* outside of tasks, too */
    assert_false(panics(&run, check_ways_out));
    expect_heard(0, "");
}

static void push_and_pop(void)
{
    struct tp_defer nodes[NODES];
    tp_defer_push(&nodes[0], note, "0");
    tp_defer_push(&nodes[1], note, "1");
    tp_defer_pop(&nodes[1]);
    tp_defer_push(&nodes[2], note, "2");
    expect_trace("1");
    tp_defer_pop(&nodes[2]);
    tp_defer_pop(&nodes[0]);
    expect_trace("20");
}

static void test_push_and_pop(void **state)
{
    (void)state;
    struct tp_run run = new_run();
    push_and_pop();
    assert_false(panics(&run, push_and_pop));
}

/* -- panics ----------------------------------------------------------------------------------------- */

static void panic_at_the_bottom(int depth)
{
    if (depth == 0)
        tp_panic("%s at %d", "bottom", depth);
}

__attribute__((noinline)) static int descend(int depth)
{
    if (depth < 0)
        return 0;
    char letter = (char)('A' + depth % 26);
    TP_DEFER(note, &letter);
    panic_at_the_bottom(depth);
    return descend(depth - 1) + 1; /* not a tail call */
}

static void dive(void)
{
    descend(DEPTH - 1);
}

static void test_from_the_depth(void **state)
{
    (void)state;
    struct tp_run run = new_run();
    char expected[DEPTH + 2] = {0};
    for (int i = 0; i < DEPTH; i++)
        expected[i] = (char)('A' + i % 26);
    expected[DEPTH] = '!';
    for (int i = 0; i < 1000; i++) { /* the thread goes on */
        assert_true(panics(&run, dive));
        expect_trace(expected);
        assert_string_equal(run.message, "bottom at 0");
        assert_string_equal(heard.pool, "words");
        assert_int_equal(heard.worker, 3);
        assert_int_equal(heard.id, 77);
        assert_true(heard.n_frames >= DEPTH);
        expect_heard(1, "bottom at 0;");
    }
    assert_null(tp_run_self());
}

static void panic_long(void)
{
    char text[1000];
    memset(text, 'x', sizeof text);
    tp_panic("%.*s", (int)sizeof text, text);
}

static void test_long_message(void **state)
{
    (void)state;
    struct tp_run run = new_run();
    assert_true(panics(&run, panic_long));
    assert_int_equal(strlen(run.message), sizeof run.message - 1);
    memset(trace, 0, sizeof trace);
    memset(&heard, 0, sizeof heard);
}

static void panicking_defer(void *letter)
{
    TP_DEFER(note, "n");
    note(letter);
    tp_panic("defer %s", (const char *)letter);
}

static void panic_amid_defers(void)
{
    TP_DEFER(note, "a");
    TP_DEFER(panicking_defer, "b");
    TP_DEFER(note, "c");
    TP_DEFER(panicking_defer, "d");
    TP_DEFER(note, "e");
    tp_panic("first");
}

static void test_panic_in_defer(void **state)
{
    (void)state;
    struct tp_run run = new_run();
    assert_true(panics(&run, panic_amid_defers));
    expect_trace("edn!cbn!a!");
    assert_string_equal(run.message, "first");
    expect_heard(3, "defer d;defer b;first;");
}

static void panic_on_the_way_out(void)
{
    TP_DEFER(note, "a");
    {
        TP_DEFER(panicking_defer, "b");
        TP_DEFER(note, "c");
    }
    note("-");
}

static void test_panic_in_defer_of_a_scope(void **state)
{
    (void)state;
    struct tp_run run = new_run();
    assert_true(panics(&run, panic_on_the_way_out));
    expect_trace("cbna!");
    expect_heard(1, "defer b;");
}

static int n_endless;

static void endless(void *argument)
{
    TP_DEFER(endless, argument);
    n_endless++;
    tp_panic("again");
}

static void panic_for_ever(void)
{
    TP_DEFER(note, "a");
    TP_DEFER(endless, NULL);
    TP_DEFER(note, "c");
    tp_panic("first");
}

static void test_no_end(void **state)
{
    (void)state;
    struct tp_run run = new_run();
    n_endless = 0;
    assert_true(panics(&run, panic_for_ever));
    assert_true(n_endless > 1 && n_endless < 100);
    assert_int_equal(heard.n, n_endless + 1);
    assert_int_equal(trace[0], 'c');
    assert_non_null(strstr(trace, "a!"));
    memset(trace, 0, sizeof trace);
    memset(&heard, 0, sizeof heard);
}

static void panic_with_bad_handler(void)
{
    struct tp_run run = new_run();
    run.on_panic = panic_in_handler;
    assert_true(panics(&run, panic_amid_defers));
}

static void test_panic_in_handler(void **state)
{
    (void)state;
    char *text = stderr_of(panic_with_bad_handler);
    expect_trace("edn!hcbn!ha!h");
    expect_heard(3, "defer d;defer b;first;");
    assert_non_null(strstr(text, "task 77: handler of defer d\n"));
    assert_non_null(strstr(text, "task 77: handler of defer b\n"));
    assert_non_null(strstr(text, "task 77: handler of first\n"));
    free(text);
}

/* -- runs within runs ------------------------------------------------------------------------------- */

static void nest(void)
{
    TP_DEFER(note, "o");
    struct tp_run inner = new_run();
    inner.id = 78;
    assert_int_equal(tp_run_depth(&owner), 1);
    assert_true(panics(&inner, dive));
    assert_int_equal(tp_task_id(), 77);
    memset(trace, 0, sizeof trace); /* the dive's */
    inner.owner = &inner;
    assert_true(panics(&inner, panic_amid_defers));
    expect_trace("edn!cbn!a!");
    note("-");
    tp_panic("outer");
}

static void nesting_defer(void *argument)
{
    struct tp_run inner = new_run();
    (void)argument;
    assert_true(panics(&inner, panic_on_the_way_out));
    note("-");
}

static void panic_around_a_run(void)
{
    TP_DEFER(note, "x");
    TP_DEFER(nesting_defer, NULL);
    tp_panic("first");
}

static void test_nested_runs(void **state)
{
    (void)state;
    struct tp_run run = new_run();
    TP_DEFER(note, "z"); /* not of any task: stays */
    assert_true(panics(&run, nest));
    expect_trace("-o!");
    assert_int_equal(heard.n, 5);
    memset(&heard, 0, sizeof heard);
    assert_true(panics(&run, panic_around_a_run));
    expect_trace("cbna!-x!");
    expect_heard(2, "defer b;first;");
}

static void look_at_depth(void)
{
    struct tp_run same = new_run(), other = new_run();
    other.owner = &other;
    tp_run_enter(&same);
    tp_run_enter(&other);
    assert_int_equal(tp_run_depth(&owner), 2);
    assert_int_equal(tp_run_depth(&other), 1);
    assert_int_equal(tp_run_depth(NULL), 0);
    tp_run_leave(&other);
    tp_run_leave(&same);
    assert_int_equal(tp_run_depth(&owner), 1);
}

static void test_depth(void **state)
{
    (void)state;
    struct tp_run run = new_run();
    assert_int_equal(tp_run_depth(&owner), 0);
    assert_false(panics(&run, look_at_depth));
    assert_int_equal(tp_run_depth(&owner), 0);
}

/* -- cancellation points ---------------------------------------------------------------------------- */

static void test_check(void **state)
{
    (void)state;
    struct tp_track *track = aligned_alloc(TP_CACHE_LINE_BYTES, sizeof *track);
    tp_atomic(uint32_t) stop;
    struct tp_run run = {.track = track};
    size_t n;
    tp_atomic_init(&stop, 0);
    assert_int_equal(tp_track_init(track, 0), 0);
    assert_int_equal(tp_track_begin(track, 1, false, &run.id, &n), 0);
    assert_true(tp_track_start(track, run.id));
    assert_int_equal(tp_task_check(), 0);
    assert_int_equal(tp_task_id(), 0);
    tp_run_enter(&run);
    assert_int_equal(tp_task_id(), run.id);
    assert_int_equal(tp_task_check(), 0); /* without serial there is no limit */
    run.serial = 2;
    run.stop = &stop;
    tp_store_rlx(&run.overdue, 1); /* the task before */
    assert_int_equal(tp_task_check(), 0);
    tp_store_rlx(&run.overdue, 2);
    assert_int_equal(tp_task_check(), TP_ETIMEDOUT);
    assert_int_equal(tp_track_cancel(track, run.id), 0);
    assert_int_equal(tp_task_check(), TP_ECANCELED);
    tp_track_finish(track, run.id, (struct tp_task_result){.state = TP_TASK_RETURNED});
    run.id = 0;
    assert_int_equal(tp_task_check(), TP_ETIMEDOUT);
    tp_store_rlx(&stop, 1);
    assert_int_equal(tp_task_check(), TP_ECANCELED);
    tp_run_leave(&run);
    assert_int_equal(tp_task_check(), 0);
    tp_track_free(track);
    free(track);
}

/* -- reports ---------------------------------------------------------------------------------------- */

static void log_untracked(void)
{
    struct tp_run run = {.pool = "words", .worker = UINT_MAX};
    assert_true(panics(&run, dive));
}

static void test_log(void **state)
{
    (void)state;
    char *text = stderr_of(log_untracked);
    const char *head = "tidepool: panic in pool words, on a submitter's thread, untracked task: bottom at 0\n";
    assert_memory_equal(text, head, strlen(head));
    assert_non_null(strstr(text, "\n    #0  "));
    assert_non_null(strstr(text, "\n    #49 "));
    memset(trace, 0, sizeof trace);
    free(text);
}

static void panic_simply(void)
{
    tp_panic("simply");
}

static void *logger(void *argument)
{
    for (int i = 0; i < LOGS; i++) {
        struct tp_run run = {.pool = "words", .worker = 5, .id = 9};
        panics(&run, panic_simply);
    }
    return argument;
}

static void log_at_once(void)
{
    struct crowd crowd = {.n = 0};
    for (int i = 0; i < LOGGERS; i++)
        crowd_add(&crowd, logger, NULL);
    crowd_join(&crowd);
}

static void test_reports_do_not_mix(void **state)
{
    (void)state;
    char *text = stderr_of(log_at_once);
    int n_heads = 0, n_frame = 0, n_frames = 0;
    for (char *line = text; *line != 0; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "tidepool: panic in pool words, worker 5, task 9: simply\n", 56) == 0) {
            assert_true(n_heads < 2 || n_frame == n_frames); /* each as long as the first */
            n_frames = n_frame;
            n_frame = 0;
            n_heads++;
        } else {
            int number = -1;
            assert_int_equal(sscanf(line, "    #%d ", &number), 1);
            assert_int_equal(number, n_frame);
            n_frame++;
        }
    }
    assert_int_equal(n_heads, LOGGERS * LOGS);
    assert_true(n_frame > 0);
    free(text);
}

static void die_outside(void)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        TP_DEFER(note, "a");
        tp_panic("nobody %s", "runs");
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_outside(void **state)
{
    (void)state;
    char *text = stderr_of(die_outside);
    const char *head = "tidepool: panic outside of any task: nobody runs\n    #0  ";
    assert_memory_equal(text, head, strlen(head));
    free(text);
}

/* -- a report that is being written when the process forks ------------------------------------------ */

enum { PIPE_BYTES = 4096 };

/* More than the pipe holds: stays in its write until somebody reads. */
static void *log_at_length(void *argument)
{
    char message[3 * PIPE_BYTES];
    memset(message, 'x', sizeof message);
    message[sizeof message - 1] = 0;
    const struct tp_panic_report panic = {.pool = "long", .message = message, .worker = UINT_MAX};
    tp_panic_log(&panic, NULL);
    return argument;
}

static void await_bytes(int pipe_end, int n)
{
    int n_there = 0;
    while (n_there < n) {
        sched_yield();
        assert_int_equal(ioctl(pipe_end, FIONREAD, &n_there), 0);
    }
}

static void read_until_ended(int pipe_end)
{
    char text[PIPE_BYTES];
    ssize_t n;
    do
        n = read(pipe_end, text, sizeof text);
    while (n > 0 && !memchr(text, '\n', (size_t)n));
}

/* The child writes reports of its own, though a thread that it does not have is writing one. */
static void test_log_after_fork(void **state)
{
    (void)state;
    int ends[2], status = 77;
    pthread_t logger;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES);
    fflush(stderr);
    int before = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    assert_int_equal(pthread_create(&logger, NULL, log_at_length, NULL), 0);
    await_bytes(ends[0], PIPE_BYTES);
    pid_t child = fork();
    if (child == 0) {
        alarm(60); /* for a child that hangs */
        close(STDERR_FILENO);
        tp_panic_log(&(struct tp_panic_report){.pool = "child", .message = "none", .worker = UINT_MAX}, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    read_until_ended(ends[0]);
    pthread_join(logger, NULL);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(status, 0);
}

/* -- coroutines ------------------------------------------------------------------------------------- */

/* A task in a coroutine, which is suspended with a defer pushed, and then panics if its letter is a capital. */
static void suspended_task(void)
{
    static const char *const letters[] = {"a", "B"};
    const char *letter = letters[tp_task_id() - 1];
    TP_DEFER(note, (void *)(uintptr_t)letter);
    assert_int_equal(tp_co_yield(NULL, NULL), 0);
    assert_ptr_equal(letters[tp_task_id() - 1], letter);
    if (*letter == 'B')
        tp_panic("of %s", letter);
}

static unsigned n_around; /* tasks around the coroutines */

static void *run_in_coroutine(void *id)
{
    struct tp_run run = new_run();
    assert_null(tp_run_self()); /* the thread's runs are not the coroutine's */
    assert_int_equal(tp_run_depth(&owner), n_around); /* but it is in the task that has resumed it */
    run.id = (uintptr_t)id;
    return panics(&run, suspended_task) ? id : NULL;
}

static void resume_two(void)
{
    struct tp_co *co[2];
    struct tp_run *mine = tp_run_self();
    void *out = NULL;
    TP_DEFER(note, "-");
    n_around = tp_run_depth(&owner);
    for (uintptr_t i = 0; i < 2; i++) {
        assert_int_equal(tp_co_new(&co[i], run_in_coroutine, (void *)(i + 1), NULL), 0);
        assert_int_equal(tp_co_resume(co[i], NULL, NULL), 0);
        assert_ptr_equal(tp_run_self(), mine);
    }
    for (uintptr_t i = 0; i < 2; i++) {
        assert_int_equal(tp_co_resume(co[i], NULL, &out), 0);
        assert_int_equal(tp_co_state(co[i]), TP_CO_DONE);
        assert_int_equal((uintptr_t)out, i == 1 ? 2 : 0);
        assert_ptr_equal(tp_run_self(), mine);
        assert_int_equal(tp_co_free(co[i]), 0);
    }
}

static void test_coroutines_have_runs_of_their_own(void **state)
{
    (void)state;
    struct tp_run run = new_run();
    resume_two();
    expect_trace("aB!-");
    assert_false(panics(&run, resume_two));
    expect_trace("aB!-");
    expect_heard(2, "of B;of B;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways_out),
        cmocka_unit_test(test_push_and_pop),
        cmocka_unit_test(test_from_the_depth),
        cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_panic_in_defer),
        cmocka_unit_test(test_panic_in_defer_of_a_scope),
        cmocka_unit_test(test_no_end),
        cmocka_unit_test(test_panic_in_handler),
        cmocka_unit_test(test_nested_runs),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_reports_do_not_mix),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_coroutines_have_runs_of_their_own),
        cmocka_unit_test(test_log_after_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
