/* Status codes: every fallible call returns 0 or one of these negative values.
 * The one map below pairs each name with its value and its sentence; the enum, the names
 * and the messages are all expansions of it, so they cannot drift apart. */
#ifndef TP_STATUS_H
#define TP_STATUS_H

#define TP_STATUS_MAP(X)                                                           \
    X(TP_EINVAL, -1, "an argument is out of its documented range")                 \
    X(TP_ENOMEM, -2, "out of memory")                                              \
    X(TP_ETHREAD, -3, "the system refused to create another thread")               \
    X(TP_EFULL, -4, "the pool is full")                                            \
    X(TP_ECLOSED, -5, "the pool is closed")                                        \
    X(TP_ETIMEDOUT, -6, "the deadline passed")                                     \
    X(TP_EDEADLK, -7, "a worker of the pool would wait for itself")                \
    X(TP_EDROPPED, -8, "the task was dropped because the pool was full")           \
    X(TP_ECANCELED, -9, "the task was cancelled")                                  \
    X(TP_ESTALE, -10, "the id or handle belongs to a task that is no longer kept") \
    X(TP_EUNCHANGED, -11, "nothing was changed")                                   \
    X(TP_ENOTSUP, -12, "this pool was built without it")                           \
    X(TP_EFORKED, -13, "the pool belongs to the process that forked this one")     \
    X(TP_EPANICKED, -14, "the task panicked")                                      \
    X(TP_EBUSY, -15, "it is in use: it runs, or has resumed another")              \
    X(TP_EDONE, -16, "the coroutine has ended")                                    \
    X(TP_EOUTSIDE, -17, "only a coroutine or a task can do this")                  \
    X(TP_EIO, -18, "the system reported an error that has no status of its own")   \
    X(TP_EMFILE, -19, "too many descriptors are open")                             \
    X(TP_EPIPE, -20, "nobody reads any more what is written")                      \
    X(TP_ERESET, -21, "the peer broke the connection off")                         \
    X(TP_EREFUSED, -22, "nobody listens there")                                    \
    X(TP_EUNREACH, -23, "there is no way to that address")                         \
    X(TP_EADDRINUSE, -24, "the address is in use")                                 \
    X(TP_EACCES, -25, "the system does not permit it")                             \
    X(TP_ENOENT, -26, "there is no such file or name")                             \
    X(TP_EEXIST, -27, "it is there already")                                       \
    X(TP_ENOSPC, -28, "there is no space left")                                    \
    X(TP_ELAGGED, -29, "the reader was too slow, and has missed values")

enum tp_status {
#define TP__STATUS_ENUM(name, value, sentence) name = value,
    TP_STATUS_MAP(TP__STATUS_ENUM)
#undef TP__STATUS_ENUM
};

#ifdef __cplusplus
extern "C" {
#endif

/* tp_status_name: the name of a status code, such as "TP_EFULL".
 * status: any int.
 * Returns a static string; "TP_OK" for 0, "TP_E?" for an unknown value; never NULL.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
const char *tp_status_name(int status);

/* tp_strerror: the sentence that belongs to a status code.
 * status: any int.
 * Returns a static string, lower case without a full stop; never NULL.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
const char *tp_strerror(int status);

#ifdef __cplusplus
}
#endif

#endif
