/* The load of the echo servers: PROGRAM PORT CONNECTIONS. Reads how many requests to make, makes them, says how many came back right; until
 * its input ends. Each connection has one request under way. */
#include "echo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    int fd;
    unsigned n_read;
    unsigned char sent[ECHO_BYTES], got[ECHO_BYTES];
};

static uint64_t n_begun, n_to_do;

static int dial(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    bench_check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "no connection");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void ask(struct connection *connection)
{
    if (n_begun == n_to_do)
        return;
    n_begun++;
    connection->n_read = 0;
    memset(connection->sent, (int)(n_begun % 251), ECHO_BYTES);
    bench_check(send(connection->fd, connection->sent, ECHO_BYTES, MSG_NOSIGNAL) == ECHO_BYTES, "a request was not sent");
}

/* Returns whether an answer is complete. */
static bool hear(struct connection *connection)
{
    ssize_t n = read(connection->fd, connection->got + connection->n_read, ECHO_BYTES - connection->n_read);
    bench_check(n > 0, "a connection broke");
    connection->n_read += (unsigned)n;
    if (connection->n_read < ECHO_BYTES)
        return false;
    bench_check(memcmp(connection->sent, connection->got, ECHO_BYTES) == 0, "another answer than the request");
    return true;
}

int main(int argc, char **argv)
{
    bench_check(argc == 3, "usage: PROGRAM PORT CONNECTIONS");
    struct rlimit limit;
    bench_check(getrlimit(RLIMIT_NOFILE, &limit) == 0, "no limit");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int n = atoi(argv[2]), poller = epoll_create1(0);
    struct connection *connections = calloc((size_t)n, sizeof *connections);
    bench_check(connections != NULL && n > 0 && poller >= 0, "no memory, or no epoll");
    for (int i = 0; i < n; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        connections[i].fd = dial((uint16_t)atoi(argv[1]));
        bench_check(epoll_ctl(poller, EPOLL_CTL_ADD, connections[i].fd, &event) == 0, "epoll_ctl");
    }
    unsigned long long n_asked;
    while (scanf("%llu", &n_asked) == 1) {
        uint64_t n_done = 0;
        n_begun = 0;
        n_to_do = n_asked;
        for (int i = 0; i < n; i++)
            ask(&connections[i]);
        while (n_done < n_to_do) {
            struct epoll_event events[64];
            int n_events = epoll_wait(poller, events, 64, -1);
            for (int i = 0; i < n_events; i++)
                if (hear(events[i].data.ptr)) {
                    n_done++;
                    ask(events[i].data.ptr);
                }
        }
        printf("%llu\n", (unsigned long long)n_done);
        fflush(stdout);
    }
    free(connections);
    return 0;
}
