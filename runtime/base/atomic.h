/* Atomics: the only file that knows <stdatomic.h>.
 * Names end in the memory order, so that a reader sees it at each use and a reviewer can ask
 * for its partner: rlx (relaxed), acq (acquire), rel (release), sc (sequentially consistent).
 * The model build (TP_MODEL) swaps every operation for one that the interleaving explorer in
 * tests/model schedules, on the same source. */
#ifndef TP_ATOMIC_H
#define TP_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
/* Hosts in C++ embed structs with atomic fields, and leave looking inside to C. Size and alignment are the same. */
#define tp_atomic(T) T
#elif TP_MODEL
#include "model_atomic.h"
#else

#include <stdatomic.h>

/* An atomic field of type T. */
#define tp_atomic(T) _Atomic(T)

/* Plain set-up of a field that no other thread can see yet. */
#define tp_atomic_init(p, v) atomic_init((p), (v))

#define tp_load_rlx(p) atomic_load_explicit((p), memory_order_relaxed)
#define tp_load_acq(p) atomic_load_explicit((p), memory_order_acquire)
#define tp_load_sc(p) atomic_load_explicit((p), memory_order_seq_cst)

#define tp_store_rlx(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define tp_store_rel(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define tp_store_sc(p, v) atomic_store_explicit((p), (v), memory_order_seq_cst)

/* A value for those who look from outside, which nothing in the library acts upon: written by one thread at a time, relaxed, and read
 * by it as its own. No scheduling point of the model: no order of these has a consequence. */
#define tp_note(p, v) tp_store_rlx((p), (v))
#define tp_own(p) tp_load_rlx(p)

/* Exchange: store v, return what was there. */
#define tp_swap_acq(p, v) atomic_exchange_explicit((p), (v), memory_order_acquire)
#define tp_swap_acq_rel(p, v) atomic_exchange_explicit((p), (v), memory_order_acq_rel)
#define tp_swap_sc(p, v) atomic_exchange_explicit((p), (v), memory_order_seq_cst)

/* Add (subtract with a negative or wrapped v), return the value before. */
#define tp_add_rlx(p, v) atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define tp_add_sc(p, v) atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)

/* Compare-exchange, strong: true if *p was *expected and is now desired; else *expected is
 * what was found. */
#define tp_cas_sc(p, expected, desired) \
    atomic_compare_exchange_strong_explicit((p), (expected), (desired), memory_order_seq_cst, memory_order_acquire)

/* Is this ThreadSanitizer's build? gcc and clang say so in different ways. */
#if defined(__SANITIZE_THREAD__)
#define TP__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TP__TSAN 1
#endif
#endif

/* Full fence, for "write mine, then read yours" on both sides. ThreadSanitizer does not
 * understand fences, so its build uses a read-modify-write, which orders as much. */
static inline void tp_fence_sc(void)
{
#if TP__TSAN
    static _Atomic(unsigned) everyone;
    atomic_fetch_add_explicit(&everyone, 1, memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* One turn of a spin loop: tells the processor that this thread waits for another. */
static inline void tp_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

#endif
#endif
