/* The common half of the echo servers in C. Invariant: the client has its connections before the first round, and the server sees it end. */
#include "echo.h"
#include "parked.h"

#include <arpa/inet.h>
#include <libgen.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct load {
    FILE *to, *from;
};

int echo_listen(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n_bytes = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_check(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1024) == 0 &&
                    getsockname(listener, (struct sockaddr *)&address, &n_bytes) == 0,
        "no socket that listens");
    *port = ntohs(address.sin_port);
    return listener;
}

static uint64_t round_of(const struct bench *bench, void *context)
{
    struct load *load = context;
    unsigned long long n_done = 0;
    fprintf(load->to, "%llu\n", (unsigned long long)bench->n_tasks);
    fflush(load->to);
    bench_check(fscanf(load->from, "%llu", &n_done) == 1, "the client has failed");
    return n_done;
}

/* All connections are open, and quiet. Returns the exit status for main. */
static int measure_idle(const struct bench *bench, struct load *load, uint64_t before)
{
    bench_check(round_of(bench, load) == bench->n_tasks, "not every connection was heard");
    printf("bytes=%.0f connections=%llu\n", (double)(parked_memory() - before) / (double)bench->n_tasks, (unsigned long long)bench->n_tasks);
    return 0;
}

int echo_load(const struct bench *bench, const char *argv0, uint16_t port)
{
    extern char **environ;
    char program[4096], path[4096], port_text[8], connections[24];
    bool is_idle = strcmp(bench->variant, "idle") == 0;
    struct rlimit limit;
    bench_check(getrlimit(RLIMIT_NOFILE, &limit) == 0, "no limit");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    snprintf(path, sizeof path, "%s", argv0);
    snprintf(program, sizeof program, "%s/echo_client", dirname(path));
    snprintf(port_text, sizeof port_text, "%u", port);
    snprintf(connections, sizeof connections, "%llu", is_idle ? (unsigned long long)bench->n_tasks : ECHO_CONNECTIONS);
    char *const argv[] = {program, port_text, connections, NULL};
    int to[2], from[2];
    pid_t child;
    posix_spawn_file_actions_t actions;
    bench_check(pipe(to) == 0 && pipe(from) == 0, "no pipes");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    posix_spawn_file_actions_addclose(&actions, to[1]);
    uint64_t before = parked_memory();
    bench_check(posix_spawn(&child, program, &actions, NULL, argv, environ) == 0, "the client does not start");
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    struct load load = {fdopen(to[1], "w"), fdopen(from[0], "r")};
    int status = is_idle ? measure_idle(bench, &load, before) : bench_run(bench, round_of, &load), end;
    fclose(load.to);
    waitpid(child, &end, 0);
    fclose(load.from);
    return status;
}
