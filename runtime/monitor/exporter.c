/* The exporter's thread: one poll(2) over the listener, the bell and at most N_CLIENTS connections.
 * Invariant: each connection has a deadline from its first moment, so a client that does nothing, or everything slowly, frees its
 * place; while all places are taken the others wait in the system's queue. */
#include "exporter.h"

#include "../base/status.h"
#include "../clock.h"
#include "../io/address.h"
#include "../io/fd_parts.h"
#include "../io/unix_path.h"
#include "../worker.h"
#include "metrics.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    N_CLIENTS = 16,
    REQUEST_BYTES = 4096, /* a request's line and headers */
    HEAD_BYTES = 256,
    BACKLOG = 64
};
static const uint64_t PATIENCE_NS = 5 * TP_SECOND; /* for a whole request and its answer */

struct client {
    int fd; /* -1: free */
    uint64_t deadline_ns;
    size_t n_read, n_sent, n_answer;
    char *answer; /* NULL: still reading */
    char request[REQUEST_BYTES + 1];
};

struct tp_exporter {
    int listener, bell;
    struct tp_address address;
    pid_t process; /* whose thread it is */
    pthread_t thread;
    struct client clients[N_CLIENTS];
};

static void drop(struct client *client)
{
    close(client->fd);
    free(client->answer);
    client->fd = -1;
    client->answer = NULL;
}

/* -- one request -------------------------------------------------------------------------------- */

/* Head and body as one text. body: NULL: the status says it all; else it is the callee's. */
static void respond(struct client *client, const char *status, const char *type, char *body, size_t n_body)
{
    char head[HEAD_BYTES];
    const char *text = body ? body : status;
    n_body = body ? n_body : strlen(status);
    int n_head = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status, type, n_body);
    client->answer = malloc((size_t)n_head + n_body + 1);
    if (client->answer) {
        memcpy(client->answer, head, (size_t)n_head);
        memcpy(client->answer + n_head, text, n_body);
        client->n_answer = (size_t)n_head + n_body;
    }
    free(body);
}

static void refuse(struct client *client, const char *status)
{
    respond(client, status, "text/plain", NULL, 0);
}

static void respond_metrics(struct client *client)
{
    static const char open_type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8", plain_type[] = "text/plain; version=0.0.4; charset=utf-8";
    struct tp_metrics *metrics;
    char *text;
    size_t n;
    bool is_open = strcasestr(client->request, "application/openmetrics-text") != NULL;
    int status = tp_metrics_read(&metrics);
    if (status == 0) {
        status = tp_metrics_text(metrics, is_open, &text, &n);
        tp_metrics_free(metrics);
    }
    if (status == 0)
        respond(client, "200 OK", is_open ? open_type : plain_type, text, n);
    else
        refuse(client, "503 Service Unavailable");
}

/* A whole request has come, or as much as there is room for. */
static void decide(struct client *client)
{
    static const char asked[] = "GET /metrics";
    bool is_whole = strstr(client->request, "\r\n\r\n") || strstr(client->request, "\n\n");
    char after = client->request[sizeof asked - 1];
    if (!is_whole)
        refuse(client, "431 Request Header Fields Too Large");
    else if (strncmp(client->request, "GET ", 4) != 0)
        refuse(client, "405 Method Not Allowed");
    else if (strncmp(client->request, asked, sizeof asked - 1) != 0 || (after != ' ' && after != '?'))
        refuse(client, "404 Not Found");
    else
        respond_metrics(client);
}

static bool is_later(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Reads what is there. Returns false if the connection is over. */
static bool take(struct client *client)
{
    ssize_t n = recv(client->fd, client->request + client->n_read, REQUEST_BYTES - client->n_read, 0);
    if (n < 0)
        return is_later();
    if (n == 0 || memchr(client->request + client->n_read, '\0', (size_t)n))
        return false;
    client->n_read += (size_t)n;
    client->request[client->n_read] = '\0';
    if (client->n_read == REQUEST_BYTES || strstr(client->request, "\r\n\r\n") || strstr(client->request, "\n\n")) {
        decide(client);
        return client->answer != NULL;
    }
    return true;
}

/* Sends what the system takes. Returns false if the connection is over. */
static bool give(struct client *client)
{
    ssize_t n = send(client->fd, client->answer + client->n_sent, client->n_answer - client->n_sent, MSG_NOSIGNAL);
    if (n < 0)
        return is_later();
    client->n_sent += (size_t)n;
    if (client->n_sent < client->n_answer)
        return true;
    shutdown(client->fd, SHUT_WR);
    return false;
}

/* -- the thread --------------------------------------------------------------------------------- */

static struct client *free_client(struct tp_exporter *exporter)
{
    for (int i = 0; i < N_CLIENTS; i++)
        if (exporter->clients[i].fd < 0)
            return &exporter->clients[i];
    return NULL;
}

static void welcome(struct tp_exporter *exporter, struct client *client)
{
    int fd = accept4(exporter->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (!is_later())
            usleep(1000); /* no descriptors: the system's queue keeps them */
        return;
    }
    *client = (struct client){.fd = fd, .deadline_ns = tp_deadline_in_ns(PATIENCE_NS)};
}

/* Milliseconds to the first deadline, rounded up. -1: none. */
static int time_left(const struct tp_exporter *exporter)
{
    uint64_t first_ns = TP_FOREVER, now_ns = tp_clock_now_ns();
    for (int i = 0; i < N_CLIENTS; i++)
        if (exporter->clients[i].fd >= 0 && exporter->clients[i].deadline_ns < first_ns)
            first_ns = exporter->clients[i].deadline_ns;
    if (first_ns == TP_FOREVER)
        return -1;
    return first_ns <= now_ns ? 0 : (int)((first_ns - now_ns) / TP_MILLISECOND) + 1;
}

static void *serve(void *argument)
{
    struct tp_exporter *exporter = argument;
    pthread_setname_np(pthread_self(), "tp/exporter");
    for (;;) {
        struct pollfd polled[2 + N_CLIENTS] = {{exporter->bell, POLLIN, 0}, {free_client(exporter) ? exporter->listener : -1, POLLIN, 0}};
        for (int i = 0; i < N_CLIENTS; i++)
            polled[2 + i] = (struct pollfd){exporter->clients[i].fd, exporter->clients[i].answer ? POLLOUT : POLLIN, 0};
        poll(polled, 2 + N_CLIENTS, time_left(exporter));
        if (polled[0].revents != 0)
            return NULL;
        uint64_t now_ns = tp_clock_now_ns();
        for (int i = 0; i < N_CLIENTS; i++) {
            struct client *client = &exporter->clients[i];
            if (client->fd < 0)
                continue;
            bool goes_on = client->deadline_ns > now_ns;
            if (goes_on && polled[2 + i].revents != 0)
                goes_on = client->answer ? give(client) : take(client);
            if (!goes_on)
                drop(client);
        }
        struct client *client = free_client(exporter);
        if (polled[1].revents != 0 && client)
            welcome(exporter, client);
    }
}

/* -- opening and closing ------------------------------------------------------------------------ */

static bool is_local(const struct tp_address *address)
{
    const struct sockaddr_in *four = (const void *)&address->storage;
    const struct sockaddr_in6 *six = (const void *)&address->storage;
    switch (address->storage.ss_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return ntohl(four->sin_addr.s_addr) >> 24 == 127;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
    default:
        return false;
    }
}

static int listen_at(struct tp_exporter *exporter)
{
    struct tp_address *address = &exporter->address;
    const int yes = 1;
    tp__unix_path_clear(address);
    exporter->listener = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (exporter->listener < 0)
        return tp__status_of(errno);
    if (address->storage.ss_family == AF_UNIX)
        fchmod(exporter->listener, S_IRUSR | S_IWUSR); /* before it has a name: nobody else gets in between */
    else
        setsockopt(exporter->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(exporter->listener, (const struct sockaddr *)&address->storage, address->n_bytes) != 0)
        return tp__status_of(errno);
    if (listen(exporter->listener, BACKLOG) != 0 || (!tp__unix_path(address) && getsockname(exporter->listener, (struct sockaddr *)&address->storage, &address->n_bytes) != 0)) {
        int status = tp__status_of(errno);
        if (tp__unix_path(address))
            unlink(tp__unix_path(address));
        return status;
    }
    return 0;
}

static void release(struct tp_exporter *exporter)
{
    if (exporter->listener >= 0)
        close(exporter->listener);
    if (exporter->bell >= 0)
        close(exporter->bell);
    for (int i = 0; i < N_CLIENTS; i++)
        if (exporter->clients[i].fd >= 0)
            drop(&exporter->clients[i]);
    free(exporter);
}

int tp_exporter_open(struct tp_exporter **out, const char *where)
{
    struct tp_exporter *exporter = calloc(1, sizeof *exporter);
    if (!exporter)
        return TP_ENOMEM;
    exporter->listener = -1;
    exporter->process = getpid();
    for (int i = 0; i < N_CLIENTS; i++)
        exporter->clients[i].fd = -1;
    exporter->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int status = exporter->bell >= 0 ? tp_address_parse(where, &exporter->address) : tp__status_of(errno);
    if (status == 0 && !is_local(&exporter->address))
        status = TP_EINVAL;
    if (status == 0)
        status = listen_at(exporter);
    if (status != 0)
        goto fail;
    status = tp__thread_create(&exporter->thread, serve, exporter);
    if (status == 0) {
        *out = exporter;
        return 0;
    }
    if (tp__unix_path(&exporter->address))
        unlink(tp__unix_path(&exporter->address));
fail:
    release(exporter);
    return status;
}

uint16_t tp_exporter_port(const struct tp_exporter *exporter)
{
    const struct sockaddr_in *four = (const void *)&exporter->address.storage;
    const struct sockaddr_in6 *six = (const void *)&exporter->address.storage;
    if (four->sin_family == AF_INET)
        return ntohs(four->sin_port);
    return six->sin6_family == AF_INET6 ? ntohs(six->sin6_port) : 0;
}

void tp_exporter_close(struct tp_exporter *exporter)
{
    if (!exporter)
        return;
    if (exporter->process == getpid()) {
        eventfd_write(exporter->bell, 1);
        pthread_join(exporter->thread, NULL);
        if (tp__unix_path(&exporter->address))
            unlink(tp__unix_path(&exporter->address));
    }
    release(exporter);
}
