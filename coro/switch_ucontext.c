/* tp__switch by POSIX ucontext: for machines without assembly here. A hundred times slower, since it also exchanges the
 * signal mask by a system call. Invariant: a place lives on the stack that it describes, from the switch away from it to the
 * switch back. */
#include "switch.h"

#if TP__SWITCH_PORTABLE
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

struct place {
    ucontext_t context;
    void *value;             /* for who goes on here */
    struct tp__float floats; /* likewise: swapcontext exchanges them, and should not */
    void (*begin)(void *value, void *argument);
    void *argument;
};

void *tp__switch(void **from, void *to, void *value)
{
    struct place here, *there = to;
    here.context.uc_stack.ss_size = 0; /* AddressSanitizer's wrapper looks at it */
    there->value = value;
    tp__float_save(&there->floats);
    *from = &here;
    if (swapcontext(&here.context, &there->context) != 0)
        abort();
    tp__float_load(&here.floats);
    return here.value;
}

/* makecontext hands over integers only: the two halves of a pointer. */
static void begin_at(unsigned high, unsigned low)
{
    struct place *place = (struct place *)((uintptr_t)high << 16 << 16 | (uintptr_t)low);
    tp__float_load(&place->floats);
    place->begin(place->value, place->argument);
}

void *tp__switch_make(void *low, void *top, void (*begin)(void *value, void *argument), void *argument)
{
    uintptr_t at = ((uintptr_t)top - sizeof(struct place)) & ~(uintptr_t)63;
    struct place *place = (struct place *)at;
    memset(place, 0, sizeof *place);
    if (getcontext(&place->context) != 0)
        abort();
    place->context.uc_stack.ss_sp = low;
    place->context.uc_stack.ss_size = (size_t)((char *)place - (char *)low);
    place->context.uc_link = NULL;
    place->begin = begin;
    place->argument = argument;
    makecontext(&place->context, (void (*)(void))begin_at, 2, (unsigned)(at >> 16 >> 16), (unsigned)at);
    return place;
}
#else
typedef int tp__switch_is_assembly; /* ISO C wants at least one declaration */
#endif
