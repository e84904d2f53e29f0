/* The status over HTTP, as much of it as a status needs: whatever is asked, this is the answer. One client after the other, each with a
 * second for it. */
#include <string.h>

#include "jobs.h"

static void answer(struct tp_fd peer, uint64_t deadline_ns)
{
    char request[4096], text[16384], head[128];
    size_t n = 0, n_read;
    do { /* up to the empty line at the end of the request */
        if (n == sizeof request - 1 || tp_read(peer, request + n, sizeof request - 1 - n, deadline_ns, &n_read) != 0 || n_read == 0)
            return;
        n += n_read;
        request[n] = '\0';
    } while (!strstr(request, "\r\n\r\n"));
    n = print_status(text, sizeof text);
    int n_head = snprintf(head, sizeof head,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", n);
    if (tp_write_all(peer, head, (size_t)n_head, deadline_ns, NULL) == 0)
        tp_write_all(peer, text, n, deadline_ns, NULL);
}

int answer_all(void *argument)
{
    struct tp_fd *listener = argument, peer;
    int status;
    while ((status = tp_accept(*listener, TP_FOREVER, NULL, &peer)) == 0 || status == TP_ERESET)
        if (status == 0) {
            answer(peer, tp_deadline_in_ns(TP_SECOND));
            tp_fd_close(peer);
        }
    return status;
}
