/* echo, epoll alone: a loop per thread, level-triggered, with nothing that a server would need besides. */
#include "echo.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener;

static void watch(int poller, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    bench_check(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void answer(int fd)
{
    unsigned char bytes[512];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n > 0)
        bench_check(send(fd, bytes, (size_t)n, MSG_NOSIGNAL) == n, "an answer was not sent");
    else if (n == 0)
        close(fd);
}

static void *serve(void *argument)
{
    struct epoll_event events[128];
    int poller = epoll_create1(0);
    (void)argument;
    watch(poller, listener);
    for (;;) {
        int n = epoll_wait(poller, events, 128, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd != listener) {
                answer(events[i].data.fd);
                continue;
            }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            if (fd >= 0)
                watch(poller, fd);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    uint16_t port;
    listener = echo_listen(&port);
    fcntl(listener, F_SETFL, O_NONBLOCK); /* all threads are told of a connection, one gets it */
    for (unsigned i = 0; i < bench.n_workers; i++) {
        pthread_t thread;
        bench_check(pthread_create(&thread, NULL, serve, NULL) == 0, "no thread");
        pthread_detach(thread);
    }
    return echo_load(&bench, argv[0], port);
}
