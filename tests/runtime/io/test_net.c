/* Connections: addresses and their text, connecting and accepting in every place, both halves of a close, datagrams, and what is left
 * when all is over. */
#include "place.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

enum { ROUNDS = 20,
    CHURN = 1000 };

/* The text with this process's number in place of a # at its end: another flavour may be tested at the same time. */
static const char *own(const char *text)
{
    static char buffer[TP_ADDRESS_TEXT];
    size_t n = strcspn(text, "#");
    snprintf(buffer, sizeof buffer, "%.*s", (int)n, text);
    if (text[n] == '#')
        snprintf(buffer + n, sizeof buffer - n, "%d", (int)getpid());
    return buffer;
}

static struct tp_address parsed(const char *text)
{
    struct tp_address address;
    memset(&address, 0, sizeof address);
    assert_int_equal(tp_address_parse(own(text), &address), 0);
    return address;
}

/* -- addresses -------------------------------------------------------------------------------------- */

static void test_text_of_addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:80", "0.0.0.0:0", "[::1]:65535", "[2001:db8::17]:443", "unix:/run/x.socket", "unix:a",
        "unix:@abstract", "unix:@"};
    static const char *const bad[] = {"", ":", ":80", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:8x", "1.2.3.4:000080",
        "::1:80", "[::1]", "[::1]:", "[::1:80", "[]:80", "[1.2.3.4]:80", "localhost:80", "unix:", "[", "]:1"};
    char text[TP_ADDRESS_TEXT];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct tp_address address = parsed(good[i]), again;
        assert_int_equal(tp_address_print(&address, text, sizeof text), 0);
        assert_string_equal(text, good[i]);
        again = parsed(text);
        assert_true(tp_address_is_same(&address, &again));
        assert_int_equal(tp_address_print(&address, text, strlen(good[i])), TP_EINVAL);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tp_address address = {.n_bytes = 77};
        assert_int_equal(tp_address_parse(bad[i], &address), TP_EINVAL);
        assert_int_equal(address.n_bytes, 77);
    }
    char name[200] = "unix:/";
    memset(name + 6, 'x', 106);
    struct tp_address longest = parsed(name);
    assert_int_equal(tp_address_print(&longest, text, sizeof text), 0);
    assert_string_equal(text, name);
    name[112] = 'x';
    assert_int_equal(tp_address_parse(name, &longest), TP_EINVAL);
    assert_false(tp_address_is_same(&(struct tp_address){0}, &longest));
}

/* -- connections ------------------------------------------------------------------------------------ */

/* A listener, and what one that connects and one that accepts have done. */
struct meeting {
    struct tp_fd listener, client, server;
    struct tp_address address, seen, peer;
    uint64_t deadline_ns;
    int connected, accepted, n_right;
};

static struct tp_fd listen_at(const char *text, struct tp_address *address)
{
    struct tp_fd listener;
    struct tp_address asked = parsed(text);
    assert_int_equal(tp_listen(&asked, NULL, &listener), 0);
    assert_int_equal(tp_address_local(listener, address), 0);
    return listener;
}

static int accept_one(void *argument)
{
    struct meeting *meeting = argument;
    meeting->accepted = tp_accept(meeting->listener, meeting->deadline_ns, &meeting->seen, &meeting->server);
    return 0;
}

static int connect_one(void *argument)
{
    struct meeting *meeting = argument;
    meeting->connected = tp_connect(&meeting->address, meeting->deadline_ns, &meeting->client);
    return 0;
}

/* Sends, shuts that half down, and still receives the answer, which is as long. */
static int ask(void *argument)
{
    struct meeting *meeting = argument;
    char bytes[1000];
    size_t n;
    connect_one(argument);
    if (meeting->connected == 0) /* not once both halves are shut down */
        meeting->connected = tp_address_peer(meeting->client, &meeting->peer);
    memset(bytes, 'q', sizeof bytes);
    for (int i = 0; i < ROUNDS && meeting->connected == 0; i++)
        meeting->connected = tp_write_all(meeting->client, bytes, sizeof bytes, TP_FOREVER, NULL);
    if (meeting->connected == 0)
        meeting->connected = tp_shutdown(meeting->client, TP_FD_WRITABLE);
    while (meeting->connected == 0 && (meeting->connected = tp_read(meeting->client, bytes, sizeof bytes, TP_FOREVER, &n)) == 0 && n > 0)
        for (size_t i = 0; i < n; i++)
            meeting->n_right += bytes[i] == 'q';
    return 0;
}

static int answer(void *argument)
{
    struct meeting *meeting = argument;
    static const size_t all = (size_t)ROUNDS * 1000;
    char *bytes = malloc(all + 1);
    size_t n = 0;
    accept_one(argument);
    if (meeting->accepted == 0)
        meeting->accepted = tp_read_all(meeting->server, bytes, all + 1, TP_FOREVER, &n);
    if (n == all && meeting->accepted == 0)
        meeting->accepted = tp_write_all(meeting->server, bytes, n, TP_FOREVER, NULL);
    if (meeting->accepted == 0)
        meeting->accepted = tp_shutdown(meeting->server, TP_FD_WRITABLE);
    free(bytes);
    return 0;
}

static const char named[] = "unix:build/test-net.socket-#";

static const char *own_path(void)
{
    return own(named) + strlen("unix:");
}

static void test_connections(void **state)
{
    (void)state;
    static const char *const at[] = {"127.0.0.1:0", "[::1]:0", "unix:@tidepool-test-net-#", named};
    EACH_PLACE(place)
    {
        for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
            struct meeting meeting = {.deadline_ns = TP_FOREVER};
            struct tp_address local, peer;
            unlink(own_path());
            meeting.listener = listen_at(at[i], &meeting.address);
            place_start(&place, answer, &meeting);
            place_start(&place, ask, &meeting);
            place_join(&place);
            assert_int_equal(meeting.connected, 0);
            assert_int_equal(meeting.accepted, 0);
            assert_int_equal(meeting.n_right, ROUNDS * 1000);
            assert_int_equal(tp_address_local(meeting.client, &local), 0);
            assert_true(tp_address_is_same(&local, &meeting.seen));
            assert_true(tp_address_is_same(&meeting.peer, &meeting.address));
            assert_int_equal(tp_address_peer(meeting.listener, &peer), TP_EPIPE);
            close_all((struct tp_fd[]){meeting.client, meeting.server, meeting.listener}, 3);
            assert_int_equal(tp_address_local(meeting.client, &local), TP_ESTALE);
            assert_int_equal(tp_shutdown(meeting.client, TP_FD_WRITABLE), TP_ESTALE);
        }
    }
    unlink(own_path());
}

/* A path that was left behind is replaced, if that is wanted; one at which somebody listens, or what is no socket, never. */
static void test_stale_paths(void **state)
{
    (void)state;
    const struct tp_listen_settings replacing = {.replace_stale = true};
    struct tp_address address = parsed(named);
    struct tp_fd first, second;
    struct stat found;
    unlink(own_path());
    assert_int_equal(tp_listen(&address, &replacing, &first), 0); /* nothing was there */
    assert_int_equal(tp_listen(&address, &replacing, &second), TP_EADDRINUSE);
    assert_int_equal(tp_fd_close(first), 0);
    assert_int_equal(tp_listen(&address, NULL, &first), TP_EADDRINUSE);
    assert_int_equal(tp_listen(&address, &replacing, &first), 0);
    assert_int_equal(tp_connect(&address, TP_FOREVER, &second), 0);
    close_all((struct tp_fd[]){first, second}, 2);
    unlink(own_path());
    int file = open(own_path(), O_CREAT | O_WRONLY, 0600);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(tp_listen(&address, &replacing, &first), TP_EADDRINUSE);
    assert_int_equal(lstat(own_path(), &found), 0);
    assert_true(S_ISREG(found.st_mode));
    unlink(own_path());
}

static int flag_of(struct tp_fd fd, int level, int option)
{
    int value = -1;
    socklen_t n = sizeof value;
    assert_int_equal(getsockopt(fd.fd, level, option, &value, &n), 0);
    return value;
}

static void test_defaults(void **state)
{
    (void)state;
    struct meeting meeting = {.deadline_ns = TP_FOREVER};
    meeting.listener = listen_at("127.0.0.1:0", &meeting.address);
    connect_one(&meeting);
    accept_one(&meeting);
    const struct tp_fd all[] = {meeting.client, meeting.server, meeting.listener};
    assert_int_equal(meeting.connected | meeting.accepted, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(flag_of(all[i], IPPROTO_TCP, TCP_NODELAY), 1);
        assert_true(fcntl(all[i].fd, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(all[i].fd, F_GETFL) & O_NONBLOCK);
    }
    assert_int_equal(flag_of(meeting.listener, SOL_SOCKET, SO_REUSEADDR), 1);
    struct tp_fd another = {-1, 0};
    assert_int_equal(tp_listen(&meeting.address, NULL, &another), TP_EADDRINUSE);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(tp_listen(&meeting.address, &(struct tp_listen_settings){.backlog = -1}, &another), TP_EINVAL);
    assert_int_equal(another.fd, -1);
    close_all(all, 3);
    struct tp_address any = parsed("127.0.0.1:0"), found;
    struct tp_listen_settings shared = {.reuse_port = true, .keep_closed = true, .backlog = 1};
    struct tp_fd two[2];
    assert_int_equal(tp_listen(&any, &shared, &two[0]), 0);
    assert_int_equal(flag_of(two[0], SOL_SOCKET, SO_REUSEADDR), 0);
    assert_int_equal(tp_address_local(two[0], &found), 0);
    assert_int_equal(tp_listen(&found, &shared, &two[1]), 0);
    close_all(two, 2);
    struct tp_address both = parsed("[::]:0");
    assert_int_equal(tp_listen(&both, NULL, &another), 0);
    assert_int_equal(flag_of(another, IPPROTO_IPV6, IPV6_V6ONLY), 0);
    assert_int_equal(tp_fd_close(another), 0);
}

static void test_refusals(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct meeting tcp = {.deadline_ns = TP_FOREVER, .client = {-1, 0}}, path = tcp, none = tcp;
        assert_int_equal(tp_fd_close(listen_at("127.0.0.1:0", &tcp.address)), 0);
        path.address = parsed("unix:build/no/such.socket");
        assert_int_equal(tp_fd_close(listen_at("unix:@tidepool-test-refused-#", &none.address)), 0);
        int before = n_descriptors();
        place_start(&place, connect_one, &tcp);
        place_start(&place, connect_one, &path);
        place_start(&place, connect_one, &none);
        place_join(&place);
        assert_int_equal(tcp.connected, TP_EREFUSED);
        assert_int_equal(path.connected, TP_ENOENT);
        assert_int_equal(none.connected, TP_EREFUSED);
        assert_int_equal(tcp.client.fd, -1);
        assert_true(n_descriptors() <= before + 2 * (place.workers > 0)); /* those of the pool's driver */
    }
    struct tp_fd out;
    assert_int_equal(tp_connect(NULL, 0, &out), TP_EINVAL);
    assert_int_equal(tp_connect(&(struct tp_address){0}, 0, &out), TP_EINVAL);
    assert_int_equal(tp_shutdown(out, 4), TP_EINVAL);
}

/* A Unix listener that has as many as it wants refuses no one; who connects comes again, until there is room. */
static void test_full_unix_listener(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct tp_address address = parsed("unix:@tidepool-test-full-#");
        struct tp_fd early[2], taken[3];
        struct meeting late = {.address = address, .deadline_ns = TP_FOREVER}, past = late;
        assert_int_equal(tp_listen(&address, &(struct tp_listen_settings){.backlog = 1}, &late.listener), 0);
        for (int i = 0; i < 2; i++)
            assert_int_equal(tp_connect(&address, TP_FOREVER, &early[i]), 0);
        past.deadline_ns = 1;
        place_start(&place, connect_one, &past);
        place_join(&place);
        assert_int_equal(past.connected, TP_ETIMEDOUT);
        past.deadline_ns = 0;
        place_start(&place, connect_one, &past);
        place_join(&place);
        assert_int_equal(past.connected, TP_ETIMEDOUT);
        place_start(&place, connect_one, &late);
        for (int i = 0; i < 3; i++)
            assert_int_equal(tp_accept(late.listener, TP_FOREVER, NULL, &taken[i]), 0);
        place_join(&place);
        assert_int_equal(late.connected, 0);
        close_all(early, 2);
        close_all(taken, 3);
        close_all((struct tp_fd[]){late.listener, late.client}, 2);
    }
}

/* -- no descriptors left ---------------------------------------------------------------------------- */

static void test_accept_without_room(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct meeting first = {.deadline_ns = TP_FOREVER}, meeting = {.deadline_ns = TP_FOREVER}, late = meeting;
        struct tp_fd spare, out = {-1, 0};
        struct rlimit before, now;
        meeting.listener = first.listener = late.listener = listen_at("127.0.0.1:0", &first.address);
        meeting.address = first.address;
        place_start(&place, accept_one, &first); /* with it the driver's descriptors come */
        await_waiting(first.listener, 1);
        connect_one(&first);
        place_join(&place);
        assert_int_equal(first.accepted, 0);
        connect_one(&meeting);
        int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        assert_int_equal(tp_fd_open(fd, &spare), 0);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        now = before;
        now.rlim_cur = (rlim_t)fd + 1;
        while ((fd = eventfd(0, EFD_CLOEXEC)) >= 0 && (rlim_t)fd < now.rlim_cur)
            ; /* no holes below; the end closes them with the process */
        if (fd >= 0)
            close(fd);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
        int at_once = tp_accept(meeting.listener, 0, NULL, &out), error = errno;
        late.deadline_ns = 1;
        place_start(&place, accept_one, &late);
        place_join(&place);
        place_start(&place, accept_one, &meeting);
        while (tp__room_n_waiting() == 0)
            sched_yield();
        tp_fd_close(spare);
        place_join(&place);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(at_once, TP_EMFILE);
        assert_int_equal(error, EMFILE);
        assert_int_equal(out.fd, -1);
        assert_int_equal(late.accepted, TP_EMFILE);
        assert_int_equal(meeting.accepted, 0);
        assert_int_equal(meeting.server.fd, spare.fd);
        assert_false(tp_fd_is_same(meeting.server, spare));
        close_all((struct tp_fd[]){first.listener, first.client, first.server, meeting.client, meeting.server}, 5);
    }
}

/* -- many ------------------------------------------------------------------------------------------- */

static int churn(void *argument)
{
    struct meeting *meeting = argument;
    char byte = 'x';
    size_t n = 9;
    for (int i = 0; i < CHURN && meeting->connected == 0; i++) {
        struct tp_fd client;
        meeting->connected = tp_connect(&meeting->address, TP_FOREVER, &client);
        if (meeting->connected != 0)
            break;
        if (tp_write_all(client, &byte, 1, TP_FOREVER, NULL) == 0 && tp_read(client, &byte, 1, TP_FOREVER, &n) == 0)
            meeting->n_right += n == 1 && byte == 'x';
        tp_fd_close(client);
    }
    return 0;
}

static int serve_churn(void *argument)
{
    struct meeting *meeting = argument;
    for (int i = 0; i < CHURN && meeting->accepted == 0; i++) {
        struct tp_fd server;
        char byte;
        size_t n;
        meeting->accepted = tp_accept(meeting->listener, TP_FOREVER, NULL, &server);
        if (meeting->accepted == 0 && tp_read(server, &byte, 1, TP_FOREVER, &n) == 0 && n == 1)
            tp_write_all(server, &byte, 1, TP_FOREVER, NULL);
        if (meeting->accepted == 0)
            tp_fd_close(server);
    }
    return 0;
}

static void test_nothing_is_left(void **state)
{
    (void)state;
    int before = n_descriptors();
    EACH_PLACE(place)
    {
        struct meeting meeting = {.deadline_ns = TP_FOREVER};
        meeting.listener = listen_at("127.0.0.1:0", &meeting.address);
        place_start(&place, serve_churn, &meeting);
        place_start(&place, churn, &meeting);
        place_join(&place);
        assert_int_equal(meeting.connected, 0);
        assert_int_equal(meeting.accepted, 0);
        assert_int_equal(meeting.n_right, CHURN);
        assert_int_equal(tp_fd_close(meeting.listener), 0);
        assert_int_equal(n_descriptors(), before + 2 * (place.workers > 0)); /* those of the pool's driver */
    }
    assert_int_equal(n_descriptors(), before);
}

/* -- datagrams -------------------------------------------------------------------------------------- */

struct letter {
    struct tp_fd fd;
    struct tp_address to, from;
    char bytes[16];
    size_t n;
    uint64_t deadline_ns;
    int status;
};

static int receive(void *argument)
{
    struct letter *letter = argument;
    letter->status = tp_recv_from(letter->fd, letter->bytes, 4, letter->deadline_ns, &letter->from, &letter->n);
    return 0;
}

static void test_datagrams(void **state)
{
    (void)state;
    static const char *const at[] = {"127.0.0.1:0", "[::1]:0", "unix:@tidepool-test-datagram-#"};
    EACH_PLACE(place)
    {
        for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
            struct letter letter = {.deadline_ns = TP_FOREVER};
            struct tp_address asked = parsed(at[i]), nobody = parsed(i == 2 ? "unix:@tidepool-test-sender-#" : at[i]), here;
            struct tp_fd sender;
            assert_int_equal(tp_datagram_open(&asked, NULL, &letter.fd), 0);
            assert_int_equal(tp_address_local(letter.fd, &here), 0);
            assert_int_equal(tp_datagram_open(&nobody, NULL, &sender), 0);
            assert_int_equal(tp_address_local(sender, &nobody), 0);
            place_start(&place, receive, &letter);
            await_waiting(letter.fd, 1);
            assert_int_equal(tp_send_to(sender, "abcdef", 6, &here, TP_FOREVER), 0);
            place_join(&place);
            assert_int_equal(letter.status, 0);
            assert_int_equal(letter.n, 6);
            assert_memory_equal(letter.bytes, "abcd\0", 5);
            assert_true(tp_address_is_same(&letter.from, &nobody));
            letter.deadline_ns = 1;
            place_start(&place, receive, &letter);
            place_join(&place);
            assert_int_equal(letter.status, TP_ETIMEDOUT);
            close_all((struct tp_fd[]){sender, letter.fd}, 2);
        }
    }
    struct tp_fd connected;
    struct tp_address gone;
    assert_int_equal(tp_fd_close(listen_at("127.0.0.1:0", &gone)), 0);
    assert_int_equal(tp_datagram_open(NULL, &gone, &connected), 0);
    assert_int_equal(tp_send_to(connected, "x", 1, NULL, TP_FOREVER), 0);
    assert_int_equal(tp_send_to(connected, "x", 1, NULL, TP_FOREVER), TP_EREFUSED);
    assert_int_equal(tp_fd_close(connected), 0);
    assert_int_equal(tp_datagram_open(NULL, NULL, &connected), TP_EINVAL);
}

/* A receiver of Unix datagrams that has enough: the sender's own socket has room all the while. */
static int send_one(void *argument)
{
    struct letter *letter = argument;
    letter->status = tp_send_to(letter->fd, "late", 4, &letter->to, letter->deadline_ns);
    return 0;
}

static void test_full_datagram_receiver(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct letter letter = {.to = parsed("unix:@tidepool-test-mailbox-#"), .deadline_ns = TP_FOREVER}, past;
        struct tp_fd receiver;
        struct tp_address from = parsed("unix:@tidepool-test-writer-#");
        char bytes[8];
        size_t n, all = 0;
        assert_int_equal(tp_datagram_open(&letter.to, NULL, &receiver), 0);
        assert_int_equal(tp_datagram_open(&from, NULL, &letter.fd), 0);
        while (tp_send_to(letter.fd, "early", 5, &letter.to, 0) == 0)
            all++;
        past = letter;
        past.deadline_ns = 1;
        place_start(&place, send_one, &past);
        place_join(&place);
        assert_int_equal(past.status, TP_ETIMEDOUT);
        place_start(&place, send_one, &letter);
        for (size_t i = 0; i < all; i++) {
            assert_int_equal(tp_recv_from(receiver, bytes, sizeof bytes, TP_FOREVER, NULL, &n), 0);
            assert_memory_equal(bytes, "early", 5);
        }
        assert_int_equal(tp_recv_from(receiver, bytes, sizeof bytes, TP_FOREVER, NULL, &n), 0);
        assert_memory_equal(bytes, "late", 4);
        place_join(&place);
        assert_int_equal(letter.status, 0);
        close_all((struct tp_fd[]){receiver, letter.fd}, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_of_addresses),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_stale_paths),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_full_unix_listener),
        cmocka_unit_test(test_nothing_is_left),
        cmocka_unit_test(test_datagrams),
        cmocka_unit_test(test_full_datagram_receiver),
        cmocka_unit_test(test_accept_without_room),
    };
    return run_here(tests);
}
