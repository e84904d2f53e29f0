/* What the checkers are told about coroutines and their memory: AddressSanitizer where the stack is, ThreadSanitizer which flow of control it
 * sees, Valgrind that another stack is no mistake (a build with TP_VALGRIND=1). Nothing of it is left in other builds.
 *
 * Invariant: AddressSanitizer's own second stack of a coroutine, where locals live that are watched after a return, belongs to
 * the coroutine until tp__check_free. It is never given up by a switch, not even the last: the frames of who switches still
 * stand on it, and the next life of the coroutine uses it again.
 *
 * A switch to the coroutine:   mine = tp__check_enter(); switch; tp__check_left(mine)     by who resumes
 * A switch back:               tp__check_leave(); switch; tp__check_entered()             by the coroutine */
#ifndef TP_SANITIZE_H
#define TP_SANITIZE_H

#if defined(__SANITIZE_ADDRESS__)
#define TP__CHECK_ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TP__CHECK_ADDRESS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TP__CHECK_THREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TP__CHECK_THREAD 1
#endif
#endif

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>

#if TP__CHECK_ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if TP__CHECK_THREAD
#include <sanitizer/tsan_interface.h>
#endif
#if TP_VALGRIND
#include <valgrind/valgrind.h>
#endif

/* Inlined in any build: ThreadSanitizer counts calls and returns per flow of control, so the function that announces a switch
 * must be the one that switches. */
#define TP__CHECK __attribute__((always_inline))

/* For a function that reads what is another's, on purpose. */
#define TP__CHECK_NOTHING __attribute__((noinline, no_sanitize("address"))) __attribute__((no_sanitize("thread")))

struct tp__check {
    char *low; /* the stack, up to the control block */
    size_t bytes;
#if TP__CHECK_ADDRESS
    void *fake;              /* the second stack, while it is not in use */
    const void *resumer_low; /* the stack of who resumed */
    size_t resumer_bytes;
#endif
#if TP__CHECK_THREAD
    void *fiber, *resumer_fiber; /* from the first resume to the end of each life */
#endif
#if TP_VALGRIND
    unsigned stack_id;
#endif
};

/* Memory that nobody may touch, and that somebody may. */
static inline TP__CHECK void tp__check_poison(const void *from, size_t bytes)
{
#if TP__CHECK_ADDRESS
    __asan_poison_memory_region(from, bytes);
#endif
    (void)from;
    (void)bytes;
}

/* As above. */
static inline TP__CHECK void tp__check_unpoison(const void *from, size_t bytes)
{
#if TP__CHECK_ADDRESS
    __asan_unpoison_memory_region(from, bytes);
#endif
    (void)from;
    (void)bytes;
}

/* Memory in which pointers keep what they point to from being a leak, until tp__check_drop_roots. */
static inline TP__CHECK void tp__check_keep_roots(const void *from, size_t bytes)
{
#if TP__CHECK_ADDRESS
    __lsan_register_root_region(from, bytes);
#endif
    (void)from;
    (void)bytes;
}

/* As above. */
static inline TP__CHECK void tp__check_drop_roots(const void *from, size_t bytes)
{
#if TP__CHECK_ADDRESS
    __lsan_unregister_root_region(from, bytes);
#endif
    (void)from;
    (void)bytes;
}

/* A stack is used from now on. */
static inline TP__CHECK void tp__check_init(struct tp__check *check, char *low, char *high)
{
    *check = (struct tp__check){.low = low, .bytes = (size_t)(high - low)};
    tp__check_keep_roots(check->low, check->bytes); /* what only a suspended coroutine knows is no leak */
#if TP_VALGRIND
    check->stack_id = VALGRIND_STACK_REGISTER(low, high);
#endif
}

/* Nobody runs on the stack until tp__check_begin. */
static inline TP__CHECK void tp__check_end(struct tp__check *check)
{
    tp__check_poison(check->low, check->bytes);
#if TP__CHECK_THREAD
    if (check->fiber)
        __tsan_destroy_fiber(check->fiber);
    check->fiber = NULL;
#endif
}

/* A new life; what an earlier one has left poisoned on the stack means nothing any more. */
static inline TP__CHECK void tp__check_begin(struct tp__check *check)
{
    tp__check_unpoison(check->low, check->bytes);
}

/* By who resumes, right before the switch. Returns what tp__check_left wants. */
static inline TP__CHECK void *tp__check_enter(struct tp__check *check)
{
    void *mine = NULL;
#if TP__CHECK_THREAD
    if (!check->fiber)
        check->fiber = __tsan_create_fiber(0);
    check->resumer_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(check->fiber, 0); /* 0: in order, as a call is */
#endif
#if TP__CHECK_ADDRESS
    __sanitizer_start_switch_fiber(&mine, check->low, check->bytes);
#endif
    (void)check;
    return mine;
}

/* By the coroutine, right after a switch to it. */
static inline TP__CHECK void tp__check_entered(struct tp__check *check)
{
#if TP__CHECK_ADDRESS
    __sanitizer_finish_switch_fiber(check->fake, &check->resumer_low, &check->resumer_bytes);
#endif
    (void)check;
}

/* By the coroutine, right before a switch back. */
static inline TP__CHECK void tp__check_leave(struct tp__check *check)
{
#if TP__CHECK_THREAD
    __tsan_switch_to_fiber(check->resumer_fiber, 0); /* 0: in order, as a return is */
#endif
#if TP__CHECK_ADDRESS
    __sanitizer_start_switch_fiber(&check->fake, check->resumer_low, check->resumer_bytes);
#endif
    (void)check;
}

/* By who has resumed, right after the switch back. */
static inline TP__CHECK void tp__check_left(struct tp__check *check, void *mine)
{
#if TP__CHECK_ADDRESS
    __sanitizer_finish_switch_fiber(mine, NULL, NULL);
#endif
    (void)check;
    (void)mine;
}

#if TP__CHECK_ADDRESS
/* Gives back the second stack. Only who stands on it can do that, so the caller steps over, for these four calls, to where
 * no frame is alive any more. */
static __attribute__((noinline, no_sanitize("address"))) void tp__check_drop(void *fake, char *low, size_t bytes)
{
    void *mine = NULL;
    const void *my_low = NULL;
    size_t my_bytes = 0;
    __sanitizer_start_switch_fiber(&mine, low, bytes);
    __sanitizer_finish_switch_fiber(fake, &my_low, &my_bytes);
    __sanitizer_start_switch_fiber(NULL, my_low, my_bytes);
    __sanitizer_finish_switch_fiber(mine, NULL, NULL);
}
#endif

/* The stack goes back to where it came from. */
static inline TP__CHECK void tp__check_free(struct tp__check *check)
{
    tp__check_end(check);
    tp__check_begin(check);
#if TP__CHECK_ADDRESS
    if (check->fake)
        tp__check_drop(check->fake, check->low, check->bytes);
#endif
    tp__check_drop_roots(check->low, check->bytes);
#if TP_VALGRIND
    VALGRIND_STACK_DEREGISTER(check->stack_id);
#endif
}

#endif
#endif
