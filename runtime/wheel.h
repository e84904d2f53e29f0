/* A hierarchical timing wheel (Varghese and Lauck 1987): entries with points in time, of which those that are due are had at any
 * later one. Time is cut into ticks of 2^shift ns; an entry's tick is the first that begins at its time or later. A level has 256 slots;
 * one of level 0 holds the entries of one tick, one of each next level those of 256 times as many. An entry is added and removed in
 * constant time, and moves down at most once per level until it is due.
 * Invariant: no entry's tick is before `base`, and its level is that of the highest digit, of 8 bits, in which its tick and `base` differ. So
 * all of 64 bits fit, nothing wraps, the earliest entry is in the first filled slot of the lowest filled level, and entries of one tick are
 * in one slot, in the order in which they were added.
 * No locks, no clock: the caller has both. docs/timers.md says more. */
#ifndef TP_WHEEL_H
#define TP_WHEEL_H

#include "clock.h"

#include <stdbool.h>
#include <stdint.h>

/* Belongs to the caller, who embeds it. Also the head of a list of them, which is a ring. */
struct tp_wheel_entry {
    struct tp_wheel_entry *next, *prev;
    uint64_t tick; /* of a slot: no tick in it is less, and one is this, or was */
};

enum { TP_WHEEL_DIGIT = 8, /* bits */
    TP_WHEEL_SLOTS = 1 << TP_WHEEL_DIGIT,
    TP_WHEEL_LEVELS = 8,
    TP_WHEEL_WORDS = TP_WHEEL_SLOTS / 64 };

struct tp_wheel {
    uint64_t base;
    uint32_t levels;                                  /* a bit for each that has a filled slot */
    uint32_t shift;                                   /* a tick is 2^shift ns */
    struct tp_wheel_entry moving;                     /* entries of a slot that `base` has reached, on their way down; its last tick */
    uint64_t filled[TP_WHEEL_LEVELS][TP_WHEEL_WORDS]; /* a bit for each slot with entries; of others nothing is defined */
    struct tp_wheel_entry slots[TP_WHEEL_LEVELS][TP_WHEEL_SLOTS];
};

/* tp_wheel_init: no entries, at time 0. Leaves most of the memory alone.
 * shift: 0 to 32. Nothing is due early; it is had up to one tick of 2^shift ns late.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_wheel_init(struct tp_wheel *wheel, unsigned shift);

/* tp_wheel_add: from at_ns on, tp_wheel_take returns the entry. One for the past is due in the tick that was reached.
 * entry: in no wheel; the wheel's until it is taken or removed.
 * [thread: owner] [suspends: no] [blocks: no] [allocates: no] */
void tp_wheel_add(struct tp_wheel *wheel, struct tp_wheel_entry *entry, uint64_t at_ns);

/* tp_wheel_remove: take an entry back that is in the wheel.
 * [thread: owner] [suspends: no] [blocks: no] [allocates: no] */
void tp_wheel_remove(struct tp_wheel *wheel, struct tp_wheel_entry *entry);

/* tp_wheel_take: take out an entry that is due, if there is one: by ascending ticks, of one tick in the order in which they were
 * added.
 * now_ns: if it is before what another call was given, there may be none.
 * budget: how many entries may be touched, by this call and further ones; counted down. If it is 0 afterwards there may be more to
 *         be had, and tp_wheel_next_ns says so.
 * Returns NULL if nothing is due, or the budget is used up.
 * [thread: owner] [suspends: no] [blocks: no] [allocates: no] */
struct tp_wheel_entry *tp_wheel_take(struct tp_wheel *wheel, uint64_t now_ns, unsigned *budget);

/* tp_wheel_next_ns: when tp_wheel_take should be called next: no entry is due before; one is then, unless it was removed.
 * Returns TP_FOREVER if there is no entry, or none that will ever be due.
 * [thread: owner] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_wheel_next_ns(const struct tp_wheel *wheel);

#endif
