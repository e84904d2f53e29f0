/* Addresses and their text. */
#include "address.h"

#include "../base/status.h"
#include "fd_parts.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const char unix_prefix[] = "unix:";

static int parse_unix(const char *name, struct tp_address *out)
{
    struct sockaddr_un *to = (struct sockaddr_un *)&out->storage;
    size_t n = strlen(name);
    bool is_abstract = name[0] == '@';
    if (n == 0 || n + !is_abstract > sizeof to->sun_path)
        return TP_EINVAL;
    *out = (struct tp_address){.n_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + !is_abstract)};
    to->sun_family = AF_UNIX;
    memcpy(to->sun_path, name, n); /* a path ends with a 0, an abstract name begins with one */
    if (is_abstract)
        to->sun_path[0] = 0;
    return 0;
}

/* Host and port, without brackets. */
static int parse_number(const char *host, const char *port, struct tp_address *out)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return TP_EINVAL;
    *out = (struct tp_address){.n_bytes = found->ai_addrlen};
    memcpy(&out->storage, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

int tp_address_parse(const char *text, struct tp_address *out)
{
    char host[TP_ADDRESS_TEXT];
    if (!text || !out)
        return TP_EINVAL;
    if (strncmp(text, unix_prefix, sizeof unix_prefix - 1) == 0)
        return parse_unix(text + sizeof unix_prefix - 1, out);
    const char *colon = strrchr(text, ':');
    bool has_brackets = text[0] == '[';
    if (!colon || strlen(colon + 1) == 0 || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return TP_EINVAL;
    const char *end = has_brackets ? colon - 1 : colon;
    text += has_brackets;
    if (end <= text || (size_t)(end - text) >= sizeof host || (has_brackets && *end != ']'))
        return TP_EINVAL;
    memcpy(host, text, (size_t)(end - text));
    host[end - text] = 0;
    if (has_brackets != (strchr(host, ':') != NULL))
        return TP_EINVAL;
    int saved = errno, status = strlen(colon + 1) <= 5 && atoi(colon + 1) <= UINT16_MAX ? parse_number(host, colon + 1, out) : TP_EINVAL;
    errno = saved;
    return status;
}

static int print_unix(const struct tp_address *address, char *buffer, size_t n_bytes)
{
    const struct sockaddr_un *from = (const struct sockaddr_un *)&address->storage;
    size_t start = offsetof(struct sockaddr_un, sun_path);
    int n = address->n_bytes > start ? (int)(address->n_bytes - start) : 0;
    bool is_abstract = n > 0 && from->sun_path[0] == 0;
    int written = is_abstract ? snprintf(buffer, n_bytes, "unix:@%.*s", n - 1, from->sun_path + 1) : snprintf(buffer, n_bytes, "unix:%.*s", n, from->sun_path);
    return written >= 0 && (size_t)written < n_bytes ? 0 : TP_EINVAL;
}

int tp_address_print(const struct tp_address *address, char *buffer, size_t n_bytes)
{
    char host[TP_ADDRESS_TEXT - 10], port[8];
    if (address->storage.ss_family == AF_UNIX)
        return print_unix(address, buffer, n_bytes);
    if (address->storage.ss_family != AF_INET && address->storage.ss_family != AF_INET6)
        return TP_EINVAL;
    int saved = errno;
    int rc = getnameinfo((const struct sockaddr *)&address->storage, address->n_bytes, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    errno = saved;
    if (rc != 0)
        return TP_EINVAL;
    int n = snprintf(buffer, n_bytes, address->storage.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return n >= 0 && (size_t)n < n_bytes ? 0 : TP_EINVAL;
}

bool tp_address_is_same(const struct tp_address *a, const struct tp_address *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)&a->storage, *b4 = (const struct sockaddr_in *)&b->storage;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)&a->storage, *b6 = (const struct sockaddr_in6 *)&b->storage;
    if (a->storage.ss_family != b->storage.ss_family)
        return false;
    if (a->storage.ss_family == AF_INET)
        return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    if (a->storage.ss_family == AF_INET6)
        return a6->sin6_port == b6->sin6_port && a6->sin6_scope_id == b6->sin6_scope_id && memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof a6->sin6_addr) == 0;
    return a->n_bytes == b->n_bytes && memcmp(&a->storage, &b->storage, a->n_bytes) == 0;
}

static ssize_t ask_local(int fd, enum tp_fd_kind kind, void *argument)
{
    struct tp_address *out = argument;
    (void)kind;
    out->n_bytes = sizeof out->storage;
    return getsockname(fd, (struct sockaddr *)&out->storage, &out->n_bytes);
}

static ssize_t ask_peer(int fd, enum tp_fd_kind kind, void *argument)
{
    struct tp_address *out = argument;
    (void)kind;
    out->n_bytes = sizeof out->storage;
    return getpeername(fd, (struct sockaddr *)&out->storage, &out->n_bytes);
}

static int ask(struct tp_fd fd, ssize_t (*call)(int fd, enum tp_fd_kind kind, void *argument), struct tp_address *out)
{
    struct tp_address found;
    memset(&found, 0, sizeof found);
    int status = tp__fd_call(fd, call, &found, NULL);
    if (status == 0)
        *out = found;
    return status;
}

int tp_address_local(struct tp_fd fd, struct tp_address *out)
{
    return ask(fd, ask_local, out);
}

int tp_address_peer(struct tp_fd fd, struct tp_address *out)
{
    return ask(fd, ask_peer, out);
}
