/* The timing wheel. All that is done to an entry is done by `place` and `take_out`, so the bits of filled slots and levels are right. */
#include "wheel.h"

#include "base/assert.h"

#include <stddef.h>
#include <string.h>

/* Of a slot, in its word. */
static uint64_t bit(unsigned i)
{
    return UINT64_C(1) << i % 64;
}

static unsigned lowest(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

void tp_wheel_init(struct tp_wheel *wheel, unsigned shift)
{
    tp_assert(shift <= 32);
    wheel->base = 0;
    wheel->moving.next = wheel->moving.prev = &wheel->moving;
    wheel->levels = 0;
    wheel->shift = shift;
    memset(wheel->filled, 0, sizeof wheel->filled);
}

/* The first slot of a level that has entries, which there is. */
static unsigned first_filled(const struct tp_wheel *wheel, unsigned level)
{
    unsigned word = 0;
    while (wheel->filled[level][word] == 0)
        word++;
    return word * 64 + lowest(wheel->filled[level][word]);
}

static bool is_moving(const struct tp_wheel *wheel)
{
    return wheel->moving.next != &wheel->moving;
}

/* To the end of the list. */
static void append(struct tp_wheel_entry *head, struct tp_wheel_entry *entry)
{
    entry->next = head;
    entry->prev = head->prev;
    head->prev->next = entry;
    head->prev = entry;
}

/* Into the slot that its tick and `base` say. */
static void place(struct tp_wheel *wheel, struct tp_wheel_entry *entry)
{
    uint64_t differing = entry->tick ^ wheel->base;
    unsigned level = differing == 0 ? 0 : (unsigned)(63 - __builtin_clzll(differing)) / TP_WHEEL_DIGIT;
    unsigned i = entry->tick >> level * TP_WHEEL_DIGIT & (TP_WHEEL_SLOTS - 1);
    struct tp_wheel_entry *slot = &wheel->slots[level][i];
    uint64_t *word = &wheel->filled[level][i / 64];
    if ((*word & bit(i)) == 0) {
        slot->next = slot->prev = slot;
        slot->tick = entry->tick;
        *word |= bit(i);
        wheel->levels |= 1u << level;
    } else if (entry->tick < slot->tick) {
        slot->tick = entry->tick;
    }
    append(slot, entry);
}

static void empty(struct tp_wheel *wheel, unsigned level, unsigned i)
{
    uint64_t *words = wheel->filled[level], any = 0;
    words[i / 64] &= ~bit(i);
    for (unsigned word = 0; word < TP_WHEEL_WORDS; word++)
        any |= words[word];
    if (any == 0)
        wheel->levels &= ~(1u << level);
}

/* Out of the list that it is in; a slot that it leaves empty is not filled any more. */
static void take_out(struct tp_wheel *wheel, struct tp_wheel_entry *entry)
{
    struct tp_wheel_entry *before = entry->prev, *after = entry->next;
    before->next = after;
    after->prev = before;
    if (before != after || after == &wheel->moving)
        return;
    unsigned at = (unsigned)(after - (struct tp_wheel_entry *)wheel->slots); /* alone, it was between its slot and its slot */
    empty(wheel, at / TP_WHEEL_SLOTS, at % TP_WHEEL_SLOTS);
}

void tp_wheel_add(struct tp_wheel *wheel, struct tp_wheel_entry *entry, uint64_t at_ns)
{
    uint64_t tick = at_ns >> wheel->shift;
    tick += at_ns != tick << wheel->shift; /* up: never early */
    entry->tick = tick > wheel->base ? tick : wheel->base;
    if (is_moving(wheel) && entry->tick <= wheel->moving.tick)
        append(&wheel->moving, entry); /* behind those that were there before */
    else
        place(wheel, entry);
}

void tp_wheel_remove(struct tp_wheel *wheel, struct tp_wheel_entry *entry)
{
    take_out(wheel, entry);
}

/* Time has reached the beginning of a slot above level 0: its entries are to move down. */
static void open_slot(struct tp_wheel *wheel, unsigned level, unsigned i)
{
    struct tp_wheel_entry *slot = &wheel->slots[level][i], *moving = &wheel->moving;
    moving->next = slot->next;
    moving->prev = slot->prev;
    moving->next->prev = moving->prev->next = moving;
    moving->tick = wheel->base | ((UINT64_C(1) << level * TP_WHEEL_DIGIT) - 1);
    empty(wheel, level, i);
}

struct tp_wheel_entry *tp_wheel_take(struct tp_wheel *wheel, uint64_t now_ns, unsigned *budget)
{
    uint64_t now = now_ns >> wheel->shift;
    if (now < wheel->base)
        return NULL;
    for (; *budget > 0; --*budget) {
        struct tp_wheel_entry *entry = wheel->moving.next;
        if (is_moving(wheel)) {
            take_out(wheel, entry);
            place(wheel, entry);
            continue;
        }
        unsigned level = wheel->levels == 0 ? 0 : lowest(wheel->levels);
        unsigned i = wheel->levels == 0 ? 0 : first_filled(wheel, level), digits = level * TP_WHEEL_DIGIT;
        uint64_t first = (wheel->base >> digits & ~(uint64_t)(TP_WHEEL_SLOTS - 1)) | i; /* of the slot, without the lower digits */
        if (wheel->levels == 0 || first << digits > now) {
            wheel->base = now; /* no entry is before, or in a slot with it */
            return NULL;
        }
        wheel->base = first << digits;
        if (level == 0) {
            --*budget;
            entry = wheel->slots[0][i].next;
            take_out(wheel, entry);
            return entry;
        }
        open_slot(wheel, level, i);
    }
    return NULL;
}

uint64_t tp_wheel_next_ns(const struct tp_wheel *wheel)
{
    uint64_t tick = wheel->base;
    if (!is_moving(wheel)) {
        if (wheel->levels == 0)
            return TP_FOREVER;
        unsigned level = lowest(wheel->levels);
        tick = wheel->slots[level][first_filled(wheel, level)].tick;
    }
    return tick > TP_FOREVER >> wheel->shift ? TP_FOREVER : tick << wheel->shift;
}
