/* What a kind of case is, for those who add one; a kind is a file of its own. The argument is in docs/select.md.
 * Invariant [SELECT-2]: `attempt` and `enlist` look at the same condition, and who makes it true looks for entries after that, under the
 * lock under which `enlist` puts them in. */
#ifndef TP_SYNC_SELECT_KIND_H
#define TP_SYNC_SELECT_KIND_H

#include "select.h"

struct tp_case_kind {
    /* Does the case happen now, for whatever it returns? Then it has, and *status is that. It never waits. The case is in no list. */
    bool (*attempt)(struct tp_case *one, int *status);
    /* Puts the case's entry, one->party, whose waiter is an entry of a choice, where it is found; unless the case could happen
     * now, or would have to be attempted to know: then returns false, and it is nowhere. */
    bool (*enlist)(struct tp_case *one);
    /* Takes the entry out again unless somebody has. In any case passes the lock under which that happens. */
    void (*delist)(struct tp_case *one);
    /* Who claims the entry does the case, and says in party.status what it returns. If not, the claim only says that it is worth
     * an attempt, which is then made before any other. */
    bool is_served;
};

/* The choice that the case is an entry of. */
static inline const struct tp_choice *tp_case_choice(const struct tp_case *one)
{
    return one->party.waiter.choice;
}

#endif
