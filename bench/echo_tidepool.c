/* echo, Tidepool: a task in a coroutine for each connection; a thread accepts them, before the rounds begin. */
#include "echo.h"
#include "peer_pool.h"

#include <pthread.h>
#include <sys/socket.h>

static struct peer_pool *pool;
static int listener;

int peer_run(struct tp_fd peer)
{
    unsigned char bytes[512];
    size_t n;
    while (tp_read(peer, bytes, sizeof bytes, TP_FOREVER, &n) == 0 && n > 0)
        bench_check(tp_write_all(peer, bytes, n, TP_FOREVER, NULL) == 0, "an answer was not sent");
    return tp_fd_close(peer);
}

static void *accept_all(void *argument)
{
    int fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        struct tp_fd peer;
        bench_check(tp_fd_open(fd, &peer) == 0 && peer_submit(pool, peer) == 0, "a connection was refused");
    }
    return argument;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    const struct tp_pool_settings settings = {.workers = bench.n_workers};
    uint16_t port;
    pthread_t thread;
    listener = echo_listen(&port);
    bench_check(peer_pool_open(&pool, &settings) == 0, "cannot open the pool");
    bench_check(pthread_create(&thread, NULL, accept_all, NULL) == 0, "no thread");
    int status = echo_load(&bench, argv[0], port);
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    peer_pool_free(pool);
    return status;
}
