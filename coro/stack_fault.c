/* Overflows: how they are reported, and the signal handler that sees a guard being touched.
 * Invariant: from the fault to the end of the program only functions that a signal handler may call are called, on the
 * thread's signal stack, since there is no room left on the other. */
#include "stack_parts.h"

#include "../runtime/base/apart.h"
#include "../runtime/base/status.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIGNAL_STACK_BYTES = 32 << 10, /* besides what the processor's registers take */
    NAME_MAX_BYTES = 64 };

static tp_atomic(uintptr_t) namer_address; /* of tp_stack_set_namer */
static struct sigaction previous_segv, previous_bus;
static tp_atomic(uint32_t) watching;
static _Thread_local void *signal_stack; /* ours, if the thread had none; all that touch it stay apart [CORO-2] */

/* -- the report --------------------------------------------------------------------------------------- */

struct line {
    char text[256];
    size_t n;
};

static void say(struct line *line, const char *text, size_t most)
{
    for (size_t i = 0; i < most && text[i] != 0 && line->n < sizeof line->text; i++)
        line->text[line->n++] = text[i];
}

static void say_number(struct line *line, size_t number)
{
    char digits[24], *first = digits + sizeof digits;
    do
        *--first = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    say(line, first, (size_t)(digits + sizeof digits - first));
}

_Noreturn void tp__stack_report(const struct tp_stack *stack, const char *what)
{
    struct line line = {.n = 0};
    const char *name = NULL;
    const char *(*namer)(const struct tp_stack *) = NULL;
    uintptr_t address = tp_load_acq(&namer_address); /* pairs with the release in tp_stack_set_namer */
    memcpy(&namer, &address, sizeof namer);
    if (stack && namer)
        name = namer(stack);
    say(&line, "tidepool: ", SIZE_MAX);
    say(&line, what, SIZE_MAX);
    if (stack) {
        say(&line, " in coroutine ", SIZE_MAX);
        say(&line, name ? name : "(no name)", NAME_MAX_BYTES);
        say(&line, ": ", SIZE_MAX);
        say_number(&line, (size_t)(stack->top + sizeof *stack - tp__stack_bottom(stack)));
        say(&line, " bytes, high water ", SIZE_MAX);
        say_number(&line, tp_stack_high_water(stack));
    }
    say(&line, "\n", 1);
    if (write(STDERR_FILENO, line.text, line.n) < 0)
        abort();
    abort();
}

void tp_stack_set_namer(const char *(*namer)(const struct tp_stack *stack))
{
    uintptr_t address = 0;
    memcpy(&address, &namer, sizeof address);
    tp_store_rel(&namer_address, address); /* pairs with the acquire in tp__stack_report */
}

/* -- the handler -------------------------------------------------------------------------------------- */

/* The live stack whose guard the address is in, or NULL. */
static const struct tp_stack *overflown(uintptr_t address)
{
    const struct tp_slab *slab = tp__slab_find(address);
    if (!slab)
        return NULL;
    uintptr_t first = tp_load_acq(&slab->base) + slab->front_bytes; /* pairs with the release in tp__slab_map */
    if (address < first || (address - first) % slab->stride >= slab->guard_bytes)
        return NULL;
    const struct tp_stack *stack = tp__slab_stack(slab, (uint32_t)((address - first) / slab->stride));
    return stack->check == tp__stack_check(stack, TP_STACK_LIVE) ? stack : NULL;
}

/* A fault that is not ours is as if we were not there. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    struct sigaction *previous = number == SIGBUS ? &previous_bus : &previous_segv;
    if (previous->sa_flags & SA_SIGINFO) {
        previous->sa_sigaction(number, info, context);
    } else if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN) {
        previous->sa_handler(number);
    } else if (previous->sa_handler == SIG_DFL || info->si_code > 0) { /* a fault cannot be ignored */
        struct sigaction by_default = {.sa_handler = SIG_DFL};
        sigaction(number, &by_default, NULL);
        if (info->si_code <= 0) /* sent, not raised by an instruction that will do it again */
            raise(number);
    }
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    const struct tp_stack *stack = info->si_code > 0 ? overflown((uintptr_t)info->si_addr) : NULL;
    if (stack)
        tp__stack_report(stack, "stack overflow");
    pass_on(number, info, context);
}

static void watch(int number, struct sigaction *previous)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_fault;
    sigemptyset(&action.sa_mask);
    sigaction(number, NULL, previous); /* there before the handler may be called */
    sigaction(number, &action, NULL);
}

static size_t signal_stack_bytes(void)
{
    long least = 0;
#ifdef _SC_MINSIGSTKSZ
    least = sysconf(_SC_MINSIGSTKSZ);
#endif
    return SIGNAL_STACK_BYTES + (least > 0 ? (size_t)least : 0);
}

TP_APART int tp_stack_watch_faults(void)
{
    stack_t present;
    if (sigaltstack(NULL, &present) == 0 && (present.ss_flags & SS_DISABLE)) {
        stack_t own = {.ss_size = signal_stack_bytes()};
        own.ss_sp = malloc(own.ss_size);
        if (!own.ss_sp)
            return TP_ENOMEM;
        sigaltstack(&own, NULL);
        signal_stack = own.ss_sp;
    }
    if (tp_swap_acq_rel(&watching, 1) == 0) {
        watch(SIGSEGV, &previous_segv);
        watch(SIGBUS, &previous_bus);
    }
    return 0;
}

TP_APART void tp__stack_unwatch(void)
{
    stack_t present, none = {.ss_flags = SS_DISABLE};
    if (!signal_stack)
        return;
    if (sigaltstack(NULL, &present) == 0 && present.ss_sp == signal_stack)
        sigaltstack(&none, NULL);
    free(signal_stack);
    signal_stack = NULL;
}
