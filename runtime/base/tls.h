/* Thread-locals that are looked up anew at each use, at the price of two instructions.
 *
 * A compiler may look up the address of a thread-local once for a whole function, and keep it over calls. A coroutine that is
 * suspended in one of them comes back on another thread, and would go on with the first thread's variable [CORO-2]. Functions that
 * stay apart (apart.h) are safe from that and cost a call. Here the look-up is an instruction of its own that the compiler cannot
 * see into, so it is made where it is written.
 *
 *   TP_TLS_DECLARE(struct thing *, tp__thing);        in a header or above all uses
 *   TP_TLS_DEFINE(struct thing *, tp__thing, NULL);   in one source file
 *   struct thing **place = tp_tls_place(tp__thing);   the calling thread's; valid until the next call that may suspend
 *   struct thing *thing = tp_tls_value(tp__thing);    what is in it: for pointers
 *   uint64_t word = tp_tls_word(tp__table, 8 * i);    the word so many bytes into it
 *
 * Invariant: no form is kept over a call. It is not ordered against plain stores to the variable in the same function: who
 * writes it does so through tp_tls_place, in a function that stays apart from the readers.
 * The variables lie in the initial block of thread-locals, so that shared objects need no call either: keep them small. */
#ifndef TP_TLS_H
#define TP_TLS_H

#include "apart.h"

#include <stdint.h>

#if defined(__x86_64__) && defined(__ELF__) && defined(__LP64__)

#define TP_TLS_DECLARE(type, name) extern __thread type name __attribute__((tls_model("initial-exec")))
/* Used: link-time optimisation does not see where. */
#define TP_TLS_DEFINE(type, name, initial) __thread type name __attribute__((used)) = initial

#define tp_tls_place(name)                                                       \
    __extension__({                                                              \
        __typeof__(&(name)) tp__place;                                           \
        __asm__ volatile("movq %%fs:0, %0\n\taddq " #name "@gottpoff(%%rip), %0" \
                         : "=r"(tp__place)                                       \
                         :                                                       \
                         : "cc");                                                \
        tp__place;                                                               \
    })
#define tp_tls_value(name)                                                           \
    __extension__({                                                                  \
        __typeof__(name) tp__value;                                                  \
        __extension__ _Static_assert(sizeof tp__value == 8, "of a register's size"); \
        __asm__ volatile("movq " #name "@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0"  \
                         : "=r"(tp__value));                                         \
        tp__value;                                                                   \
    })
/* Where the variable lies in each thread's block may be kept; the load may not. */
#define tp_tls_word(name, bytes)                                              \
    __extension__({                                                           \
        uint64_t tp__offset, tp__word;                                        \
        __asm__("movq " #name "@gottpoff(%%rip), %0"                          \
                : "=r"(tp__offset));                                          \
        __asm__ volatile("movq %%fs:(%1), %0"                                 \
                         : "=r"(tp__word)                                     \
                         : "r"(tp__offset + (bytes)));                        \
        tp__word;                                                             \
    })

#else

#define TP_TLS_DECLARE(type, name)                                        \
    extern __thread type name __attribute__((tls_model("initial-exec"))); \
    __typeof__(type) *name##__place(void)
#define TP_TLS_DEFINE(type, name, initial)         \
    __thread type name = initial;                  \
    TP_APART __typeof__(type) *name##__place(void) \
    {                                              \
        return &name;                              \
    }                                              \
    _Static_assert(1, "takes the semicolon")

#define tp_tls_place(name) name##__place()
#define tp_tls_value(name) (*name##__place())
#define tp_tls_word(name, bytes) (*(const uint64_t *)(const void *)((const char *)name##__place() + (bytes)))

#endif
#endif
