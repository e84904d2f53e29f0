/* Other programs, and signals: what a program that was started finds, what is told of its end, by handle and, where the system has none, by
 * number; signals that tasks and threads wait for. */
#include "place.h"

#include <sys/pidfd.h>
#include <sys/wait.h>

extern char **environ;

static bool has_handles = true;

int __real_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags);

int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
    if (has_handles)
        return __real_pidfd_open(pid, flags);
    errno = ENOSYS;
    return -1;
}

/* A program, what it was given to read, and what came of it. */
struct job {
    struct tp_process_settings settings;
    struct tp_process process;
    struct tp_process_end end;
    uint64_t deadline_ns;
    const char *input;
    char output[8192];
    size_t n;
    int started, fed, heard, status;
};

static int start(void *argument)
{
    struct job *job = argument;
    job->started = tp_process_start(&job->settings, &job->process);
    return 0;
}

static int await(void *argument)
{
    struct job *job = argument;
    job->status = tp_process_wait(&job->process, job->deadline_ns, &job->end);
    return 0;
}

/* Starts it, feeds it, reads all that it says, and waits for its end. */
static int work(void *argument)
{
    struct job *job = argument;
    start(argument);
    if (job->started != 0)
        return 0;
    if (job->input)
        job->fed = tp_write_all(job->process.stdio[0], job->input, strlen(job->input), TP_FOREVER, NULL);
    if (job->input)
        tp_fd_close(job->process.stdio[0]);
    if (job->process.stdio[1].tag != 0)
        job->heard = tp_read_all(job->process.stdio[1], job->output, sizeof job->output - 1, TP_FOREVER, &job->n);
    await(argument);
    return 0;
}

static struct job job_of(const char *const *argv)
{
    return (struct job){.settings = {.argv = argv, .stdio = {{TP_STDIO_NULL, 0}, {TP_STDIO_PIPE, 0}, {TP_STDIO_NULL, 0}}}, .deadline_ns = TP_FOREVER};
}

static void expect(const struct job *job, int code, int signal)
{
    assert_int_equal(job->started, 0);
    assert_int_equal(job->status, 0);
    assert_int_equal(job->end.code, code);
    assert_int_equal(job->end.signal, signal);
}

static void test_ends(void **state)
{
    (void)state;
    static const char *const seven[] = {"/bin/sh", "-c", "exit 7", NULL}, *const killed[] = {"sh", "-c", "kill -9 $$", NULL};
    for (int way = 0; way < 2; way++) {
        has_handles = way == 0;
        EACH_PLACE(place)
        {
            struct job jobs[2] = {job_of(seven), job_of(killed)};
            int before = n_descriptors();
            for (int i = 0; i < 2; i++)
                place_start(&place, work, &jobs[i]);
            place_join(&place);
            expect(&jobs[0], 7, 0);
            expect(&jobs[1], -1, SIGKILL);
            for (int i = 0; i < 2; i++) {
                assert_int_equal(jobs[i].process.handle.tag != 0, has_handles);
                assert_int_equal(tp_process_wait(&jobs[i].process, TP_FOREVER, NULL), TP_ESTALE);
                assert_int_equal(tp_process_signal(&jobs[i].process, SIGTERM), TP_ESTALE);
                tp_process_free(&jobs[i].process);
                tp_process_free(&jobs[i].process);
            }
            assert_true(n_descriptors() <= before + 2 * (place.workers > 0)); /* those of the pool's driver */
        }
    }
    has_handles = true;
    tp_process_free(NULL);
}

static void test_input_and_output(void **state)
{
    (void)state;
    static const char *const cat[] = {"cat", NULL};
    static char long_text[6000];
    memset(long_text, 'w', sizeof long_text - 1);
    EACH_PLACE(place)
    {
        struct job job = job_of(cat);
        job.settings.stdio[0].kind = TP_STDIO_PIPE;
        job.input = long_text;
        place_start(&place, work, &job);
        place_join(&place);
        expect(&job, 0, 0);
        assert_int_equal(job.fed | job.heard, 0);
        assert_string_equal(job.output, long_text);
        tp_process_free(&job.process);
    }
}

static void test_what_a_program_finds(void **state)
{
    (void)state;
    static const char *const script[] = {"sh", "-c",
        "sed -nE '/^Sig(Blk|Ign)/s/:.*(.{7})$/ \\1/p' /proc/self/status; pwd; echo $COLOUR; echo oops >&2; read x; echo $?; echo /proc/self/fd/*", NULL};
    static const char *const environment[] = {"COLOUR=blue", "PATH=/usr/bin:/bin", NULL};
    struct tp_fd held[2];
    assert_int_equal(tp_pipe(&held[0], &held[1]), 0);
    signal(SIGPIPE, SIG_IGN);
    EACH_PLACE(place)
    {
        struct job job = job_of(script);
        job.settings.envp = environment;
        job.settings.directory = "/usr";
        job.settings.own_group = true;
        job.settings.stdio[2].kind = TP_STDIO_OUTPUT;
        place_start(&place, work, &job);
        place_join(&place);
        expect(&job, 0, 0);
        assert_string_equal(job.output, "SigBlk 0000000\nSigIgn 0000000\n/usr\nblue\noops\n1\n"
                                        "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n"); /* 3: the directory that it lists */
        tp_process_free(&job.process);
    }
    signal(SIGPIPE, SIG_DFL);
    close_all(held, 2);
}

/* Input and output are each other's descriptors; the last one's end is seen. */
static void test_given_descriptors(void **state)
{
    (void)state;
    static const char *const cat[] = {"cat", NULL};
    struct tp_process_settings settings = {.argv = cat, .stdio = {{TP_STDIO_FD, 0}, {TP_STDIO_FD, 0}, {TP_STDIO_FD, 0}}};
    int in[2], out[2];
    struct tp_process process;
    struct tp_process_end end;
    char bytes[8];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    settings.stdio[0].fd = in[0];
    settings.stdio[1].fd = out[1];
    settings.stdio[2].fd = 2;
    assert_int_equal(tp_process_start(&settings, &process), 0);
    assert_int_equal(process.stdio[0].tag | process.stdio[1].tag | process.stdio[2].tag, 0);
    close(in[0]);
    close(out[1]);
    assert_int_equal(write(in[1], "hello", 5), 5);
    close(in[1]);
    assert_int_equal(read(out[0], bytes, sizeof bytes), 5);
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(read(out[0], bytes, sizeof bytes), 0);
    close(out[0]);
    assert_int_equal(tp_process_wait(&process, TP_FOREVER, &end), 0);
    assert_int_equal(end.code, 0);
    tp_process_free(&process);
}

/* In a process that has no standard descriptors: what it opens takes their numbers. */
static void test_without_standard_descriptors(void **state)
{
    (void)state;
    static const char *const script[] = {"sh", "-c", "read x; echo $x; echo more >&2", NULL};
    pid_t child = fork();
    if (child == 0) {
        struct job job = job_of(script);
        job.settings.stdio[0].kind = TP_STDIO_PIPE;
        job.settings.stdio[2].kind = TP_STDIO_OUTPUT;
        job.input = "text\n";
        for (int fd = 0; fd < 3; fd++)
            close(fd);
        work(&job);
        _exit(job.status == 0 && job.end.code == 0 && job.fed == 0 && strcmp(job.output, "text\nmore\n") == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_refused_programs(void **state)
{
    (void)state;
    static const char *const none[] = {"no-such-program-anywhere", NULL}, *const no_program[] = {"/etc/passwd", NULL}, *const empty[] = {NULL},
                             *const here[] = {"true", NULL};
    int before = n_descriptors();
    struct job job = job_of(none);
    job.settings.stdio[0].kind = job.settings.stdio[2].kind = TP_STDIO_PIPE;
    assert_int_equal(tp_process_start(&job.settings, &job.process), TP_ENOENT);
    assert_int_equal(errno, ENOENT);
    job.settings.argv = no_program;
    assert_int_equal(tp_process_start(&job.settings, &job.process), TP_EACCES);
    job.settings.argv = empty;
    assert_int_equal(tp_process_start(&job.settings, &job.process), TP_EINVAL);
    job.settings.argv = here;
    job.settings.directory = "/no/such/directory";
    assert_int_equal(tp_process_start(&job.settings, &job.process), TP_ENOENT);
    job.settings.directory = NULL;
    job.settings.stdio[1].kind = TP_STDIO_OUTPUT;
    assert_int_equal(tp_process_start(&job.settings, &job.process), TP_EINVAL);
    job.settings.stdio[1] = (struct tp_stdio){TP_STDIO_FD, -1};
    assert_int_equal(tp_process_start(NULL, &job.process), TP_EINVAL);
    assert_int_equal(job.process.pid, 0);
    assert_int_equal(n_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_waits_that_end_before(void **state)
{
    (void)state;
    static const char *const cat[] = {"cat", NULL};
    for (int way = 0; way < 2; way++) {
        has_handles = way == 0;
        EACH_PLACE(place)
        {
            struct job job = job_of(cat);
            job.settings.stdio[0].kind = TP_STDIO_PIPE;
            start(&job);
            assert_int_equal(job.started, 0);
            for (uint64_t deadline_ns = 0; deadline_ns < 2; deadline_ns++) {
                job.deadline_ns = deadline_ns;
                place_start(&place, await, &job);
                place_join(&place);
                assert_int_equal(job.status, TP_ETIMEDOUT);
            }
            job.deadline_ns = TP_FOREVER;
            if (place.workers > 0) {
                place_start(&place, await, &job);
                if (has_handles)
                    await_waiting(job.process.handle, 1);
                place_cancel(&place);
                place_join(&place);
                if (has_handles)
                    assert_int_equal(job.status, TP_ECANCELED);
            }
            assert_int_equal(tp_process_signal(&job.process, 0), 0);
            assert_int_equal(tp_process_signal(&job.process, 12345), TP_EINVAL);
            place_start(&place, await, &job);
            if (has_handles)
                await_waiting(job.process.handle, 1);
            assert_int_equal(tp_process_signal(&job.process, SIGTERM), 0);
            place_join(&place);
            expect(&job, -1, SIGTERM);
            tp_process_free(&job.process);
        }
    }
    has_handles = true;
}

/* -- signals ---------------------------------------------------------------------------------------- */

struct ear {
    struct tp_fd fd;
    struct tp_signal signal;
    uint64_t deadline_ns;
    int status;
};

static int hear(void *argument)
{
    struct ear *ear = argument;
    ear->status = tp_signal_wait(ear->fd, ear->deadline_ns, &ear->signal);
    return 0;
}

static void test_signals(void **state)
{
    (void)state;
    struct ear ear = {.deadline_ns = TP_FOREVER};
    const int wrong[] = {SIGUSR1, SIGSEGV}, none[] = {0}, some[] = {SIGUSR1, SIGRTMIN};
    assert_int_equal(tp_signals_open(some, 0, &ear.fd), TP_EINVAL);
    assert_int_equal(tp_signals_open(wrong, 2, &ear.fd), TP_EINVAL);
    assert_int_equal(tp_signals_open(none, 1, &ear.fd), TP_EINVAL);
    assert_int_equal(tp_signals_open(some, 2, &ear.fd), 0);
    EACH_PLACE(place)
    {
        for (int is_early = 0; is_early < 2; is_early++) {
            if (is_early)
                assert_int_equal(kill(getpid(), SIGUSR1), 0);
            place_start(&place, hear, &ear);
            if (!is_early) {
                await_waiting(ear.fd, 1);
                assert_int_equal(kill(getpid(), SIGUSR1), 0);
            }
            place_join(&place);
            assert_int_equal(ear.status, 0);
            assert_int_equal(ear.signal.number, SIGUSR1);
            assert_int_equal(ear.signal.pid, getpid());
        }
        assert_int_equal(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 17}), 0);
        assert_int_equal(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 18}), 0);
        for (int i = 17; i <= 18; i++) {
            place_start(&place, hear, &ear);
            place_join(&place);
            assert_int_equal(ear.signal.number, SIGRTMIN);
            assert_int_equal(ear.signal.value, i);
        }
        struct ear late = ear;
        late.deadline_ns = 0;
        place_start(&place, hear, &late);
        place_join(&place);
        assert_int_equal(late.status, TP_ETIMEDOUT);
    }
    assert_int_equal(tp_fd_close(ear.fd), 0);
}

int main(void)
{
    close_range(3, UINT32_MAX, 0); /* what is not this program's */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_input_and_output),
        cmocka_unit_test(test_what_a_program_finds),
        cmocka_unit_test(test_given_descriptors),
        cmocka_unit_test(test_without_standard_descriptors),
        cmocka_unit_test(test_refused_programs),
        cmocka_unit_test(test_waits_that_end_before),
        cmocka_unit_test(test_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
