/* The common half of the echo servers in C. Invariant: the client has its connections before the first round, and the server sees it end. */
#include "echo.h"

#include <arpa/inet.h>
#include <libgen.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int echo_load(const struct bench *bench, const char *argv0, uint16_t port)
{
    extern char **environ;
    char program[4096], path[4096], port_text[8], connections[8];
    snprintf(path, sizeof path, "%s", argv0);
    snprintf(program, sizeof program, "%s/echo_client", dirname(path));
    snprintf(port_text, sizeof port_text, "%u", port);
    snprintf(connections, sizeof connections, "%u", ECHO_CONNECTIONS);
    char *const argv[] = {program, port_text, connections, NULL};
    int to[2], from[2];
    pid_t child;
    posix_spawn_file_actions_t actions;
    bench_check(pipe(to) == 0 && pipe(from) == 0, "no pipes");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    posix_spawn_file_actions_addclose(&actions, to[1]);
    bench_check(posix_spawn(&child, program, &actions, NULL, argv, environ) == 0, "the client does not start");
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    struct load load = {fdopen(to[1], "w"), fdopen(from[0], "r")};
    int status = bench_run(bench, round_of, &load), end;
    fclose(load.to);
    waitpid(child, &end, 0);
    fclose(load.from);
    return status;
}
