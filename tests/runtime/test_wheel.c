/* The timing wheel, in a time of the test's own: whatever is added, removed and taken, it holds what a plain list of the same
 * entries does, each in the place that belongs to it; nothing is had early, and all that is due is had, by ascending ticks, and of one tick in
 * the order in which it was added. */
#include "tests/support/unit.h"

#include "runtime/wheel.h"

#include <string.h>

enum { ENTRIES = 120,
    STEPS = 20000 };

static struct tp_wheel wheel;
static struct tp_wheel_entry entries[ENTRIES];
static uint64_t at_of[ENTRIES];
static bool is_in[ENTRIES];
static uint64_t number_of[ENTRIES], n_added; /* in the order in which they were added */
static uint64_t reached_ns;                  /* the latest now */
static uint64_t random_state;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13; /* xorshift64 (Marsaglia 2003) */
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Of any order of magnitude. */
static uint64_t random_magnitude(void)
{
    uint64_t bits = random_bits();
    return random_bits() >> (bits % 64);
}

static void begin(unsigned shift)
{
    memset(&wheel, 0xa5, sizeof wheel); /* what is not initialised is never looked at */
    tp_wheel_init(&wheel, shift);
    memset(is_in, 0, sizeof is_in);
    reached_ns = 0;
    random_state = 88172645463325252 + shift;
}

static uint64_t tick_of(uint64_t at_ns)
{
    return (at_ns >> wheel.shift) + ((at_ns & ((UINT64_C(1) << wheel.shift) - 1)) != 0);
}

/* The list's links are right; all in it are ours, and none is before `base`. Returns how many there are. */
static size_t check_list(const struct tp_wheel_entry *head, uint64_t *least)
{
    size_t n = 0;
    *least = UINT64_MAX;
    assert_ptr_equal(head->next->prev, head);
    for (const struct tp_wheel_entry *entry = head->next; entry != head; entry = entry->next, n++) {
        assert_ptr_equal(entry->next->prev, entry);
        assert_true(is_in[entry - entries]);
        assert_true(entry->tick >= wheel.base);
        *least = entry->tick < *least ? entry->tick : *least;
    }
    return n;
}

static bool is_moving(void)
{
    return wheel.moving.next != &wheel.moving;
}

/* Everything is where it belongs, and there is as much as there should be. */
static void check(void)
{
    uint64_t least, least_of_all = UINT64_MAX;
    size_t n = check_list(&wheel.moving, &least), n_in = 0;
    for (unsigned level = 0; level < TP_WHEEL_LEVELS; level++) {
        static const uint64_t none[TP_WHEEL_WORDS];
        assert_int_equal(wheel.levels >> level & 1, memcmp(wheel.filled[level], none, sizeof none) != 0);
        for (unsigned i = 0; i < TP_WHEEL_SLOTS; i++) {
            const struct tp_wheel_entry *slot = &wheel.slots[level][i];
            if ((wheel.filled[level][i / 64] >> i % 64 & 1) == 0)
                continue;
            assert_ptr_not_equal(slot->next, slot);
            n += check_list(slot, &least);
            assert_true(slot->tick <= least);
            least_of_all = least < least_of_all ? least : least_of_all;
            for (const struct tp_wheel_entry *entry = slot->next; entry != slot; entry = entry->next) {
                assert_int_equal(entry->tick >> level * TP_WHEEL_DIGIT & (TP_WHEEL_SLOTS - 1), i);
                if (level < TP_WHEEL_LEVELS - 1) /* all higher digits are those of `base` */
                    assert_int_equal(entry->tick >> (level + 1) * TP_WHEEL_DIGIT, wheel.base >> (level + 1) * TP_WHEEL_DIGIT);
                assert_true(level == 0 || (wheel.base >> level * TP_WHEEL_DIGIT & (TP_WHEEL_SLOTS - 1)) < i);
            }
        }
    }
    for (size_t i = 0; i < ENTRIES; i++)
        n_in += is_in[i];
    assert_int_equal(n, n_in);
    uint64_t next_ns = tp_wheel_next_ns(&wheel);
    assert_true(next_ns == TP_FOREVER || is_moving() || next_ns >> wheel.shift <= least_of_all);
    assert_true(n > 0 || next_ns == TP_FOREVER);
}

static void add(size_t i, uint64_t at_ns)
{
    at_of[i] = at_ns;
    is_in[i] = true;
    number_of[i] = n_added++;
    tp_wheel_add(&wheel, &entries[i], at_ns);
    check();
    /* Bound of what is to come: exact, or what was due before. */
    assert_true(tp_wheel_next_ns(&wheel) == TP_FOREVER || tp_wheel_next_ns(&wheel) >> wheel.shift <= entries[i].tick);
}

static void take_back(size_t i)
{
    tp_wheel_remove(&wheel, &entries[i]);
    is_in[i] = false;
    check();
}

/* One that is due: not early, and in order. last: that before, or NULL. Returns whether there was one. */
static bool take(uint64_t now_ns, const struct tp_wheel_entry **last, unsigned *budget)
{
    struct tp_wheel_entry *entry = tp_wheel_take(&wheel, now_ns, budget);
    check_list(&wheel.moving, &(uint64_t){0});
    if (!entry)
        return false;
    assert_true(at_of[entry - entries] <= now_ns);
    assert_true(is_in[entry - entries]);
    is_in[entry - entries] = false;
    if (*last)
        assert_true(entry->tick > (*last)->tick || (entry->tick == (*last)->tick && number_of[entry - entries] > number_of[*last - entries]));
    *last = entry;
    return true;
}

/* All that is due, at most `stride` touched at a time; unless time has been further, nothing that is stays. Returns how many. */
static size_t take_all(uint64_t now_ns, unsigned stride)
{
    const struct tp_wheel_entry *last = NULL;
    size_t n = 0;
    unsigned budget;
    do {
        budget = stride;
        while (take(now_ns, &last, &budget))
            n++;
        check();
        assert_true(budget > 0 || stride < ENTRIES * 12);
    } while (budget == 0 && tp_wheel_next_ns(&wheel) <= now_ns);
    if (now_ns < reached_ns)
        return n;
    reached_ns = now_ns;
    for (size_t i = 0; i < ENTRIES; i++)
        if (is_in[i])
            assert_true(tick_of(at_of[i]) > now_ns >> wheel.shift); /* hence no later than a tick */
    return n;
}

static void test_empty(void **state)
{
    (void)state;
    begin(0);
    assert_int_equal(tp_wheel_next_ns(&wheel), TP_FOREVER);
    assert_int_equal(take_all(0, 10), 0);
    assert_int_equal(take_all(UINT64_MAX, 10), 0);
    check();
}

/* From each power of two to each other one, exactly then and not a tick earlier. */
static void test_each_power(void **state)
{
    (void)state;
    for (unsigned from = 0; from < 64; from++)
        for (unsigned to = from; to < 64; to++)
            for (unsigned near = 0; near < 9; near++) {
                uint64_t now_ns = (UINT64_C(1) << from) + near / 3 - 1, at_ns = (UINT64_C(1) << to) + near % 3 - 1;
                begin(0);
                take_all(now_ns, ENTRIES);
                add(0, at_ns);
                uint64_t due_ns = at_ns > now_ns ? at_ns : now_ns;
                assert_int_equal(tp_wheel_next_ns(&wheel), due_ns);
                if (due_ns > now_ns)
                    assert_int_equal(take_all(due_ns - 1, ENTRIES), 0);
                assert_int_equal(tp_wheel_next_ns(&wheel), due_ns);
                assert_int_equal(take_all(due_ns, ENTRIES), 1);
            }
}

/* By steps of each power, so that the entry moves through all levels. */
static void test_each_stride(void **state)
{
    (void)state;
    for (unsigned step = 20; step < 64; step++)
        for (unsigned near = 0; near < 3; near++) {
            uint64_t stride = (UINT64_C(1) << step) + near - 1, at_ns = UINT64_MAX - (UINT64_C(1) << 20);
            begin(0);
            add(0, at_ns);
            for (uint64_t n = 0, now_ns = 0; n < 200 && at_ns - now_ns > stride; n++, now_ns += stride)
                assert_int_equal(take_all(now_ns, ENTRIES), 0);
            assert_int_equal(tp_wheel_next_ns(&wheel), at_ns);
            assert_int_equal(take_all(at_ns - 1, ENTRIES), 0);
            assert_int_equal(take_all(at_ns, ENTRIES), 1);
        }
}

static void test_far_and_past(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift <= 32; shift++) {
        begin(shift);
        add(0, UINT64_MAX);
        assert_int_equal(tp_wheel_next_ns(&wheel), TP_FOREVER);
        assert_int_equal(take_all(UINT64_MAX - 1, ENTRIES), 0);
        assert_int_equal(take_all(UINT64_MAX, ENTRIES), shift == 0);
        begin(shift);
        add(1, 0);
        assert_int_equal(tp_wheel_next_ns(&wheel), 0);
        assert_int_equal(take_all(0, ENTRIES), 1);
        assert_int_equal(take_all(TP_SECOND << 6, ENTRIES), 0);
        add(2, TP_SECOND); /* long over */
        assert_true(tp_wheel_next_ns(&wheel) <= TP_SECOND << 6);
        assert_int_equal(take_all(TP_SECOND, ENTRIES), 0); /* who is late with his clock leaves it to others */
        assert_int_equal(take_all(TP_SECOND << 6, ENTRIES), 1);
    }
}

static void test_equal(void **state)
{
    (void)state;
    begin(10);
    for (size_t i = 0; i < ENTRIES; i++)
        add(i, 5 * TP_SECOND);
    assert_int_equal(take_all(5 * TP_SECOND - 1, ENTRIES), 0);
    assert_int_equal(take_all(5 * TP_SECOND + 1023, 7), ENTRIES);
}

/* One tick is had in the order in which it was added to, from however far, also while a slot moves down: time goes half of what is left
 * again and again, for a few steps of the wheel, and one more is added whenever it stands still. Some are taken back. */
static void test_order_of_one_tick(void **state)
{
    static const uint64_t ticks[] = {0x123456, UINT64_C(0x5a5a5a5a5a5a5a), UINT64_C(1) << 63, UINT64_MAX - 1};
    bool has_moved = false;
    (void)state;
    for (size_t t = 0; t < sizeof ticks / sizeof *ticks; t++)
        for (unsigned stride = 1; stride < 30; stride++) {
            size_t n = 0, n_back = 0;
            begin(0);
            for (uint64_t left = ticks[t]; left > 0; left /= 2) {
                unsigned budget = stride;
                add(n++, ticks[t]);
                assert_null(tp_wheel_take(&wheel, ticks[t] - left, &budget));
                has_moved = has_moved || is_moving();
                if (n % 5 == 4)
                    take_back(n - 1 - n_back++ % 3 * 2);
            }
            assert_int_equal(take_all(ticks[t], stride), n - n_back);
        }
    assert_true(has_moved);
}

/* The first, the last, and one in between of a slot's list, and while the list moves down. */
static void test_remove(void **state)
{
    (void)state;
    for (int order = 0; order < 6; order++) {
        static const size_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        for (unsigned moved = 0; moved < 4; moved++) {
            begin(0);
            for (size_t i = 0; i < 3; i++)
                add(i, 256 * 256 + 255);
            unsigned budget = 1 + moved; /* the slot is opened, and so many move down */
            assert_null(tp_wheel_take(&wheel, 256 * 256 + 1, &budget));
            check();
            for (size_t i = 0; i < 3; i++)
                take_back(orders[order][i]);
            assert_int_equal(tp_wheel_next_ns(&wheel), TP_FOREVER);
            assert_int_equal(take_all(256 * 256 * 256, ENTRIES), 0);
        }
    }
}

/* The bound is exact while nothing is removed, and after that early at most once. */
static void test_next(void **state)
{
    (void)state;
    begin(0);
    add(0, 100000);
    add(1, 100001);
    assert_int_equal(tp_wheel_next_ns(&wheel), 100000);
    take_back(0);
    assert_int_equal(tp_wheel_next_ns(&wheel), 100000);
    assert_int_equal(take_all(100000, ENTRIES), 0);
    assert_int_equal(tp_wheel_next_ns(&wheel), 100001);
    assert_int_equal(take_all(100001, ENTRIES), 1);
}

/* A few steps: some that are due may stay, or be on their way down. */
static void take_some(uint64_t now_ns)
{
    const struct tp_wheel_entry *last = NULL;
    unsigned budget = 1 + (unsigned)(random_bits() % 5);
    while (take(now_ns, &last, &budget))
        ;
    check();
    reached_ns = now_ns;
}

static void any_sequence(unsigned shift)
{
    begin(shift);
    for (int step = 0; step < STEPS; step++) {
        size_t i = random_bits() % ENTRIES;
        if (random_bits() % 8 == 0) {
            uint64_t jump = random_bits() % 4 != 0 ? random_bits() % (UINT64_C(2000) << shift) : random_magnitude() >> 12;
            uint64_t now_ns = reached_ns + jump < reached_ns ? UINT64_MAX : reached_ns + jump;
            if (random_bits() % 2 == 0)
                take_some(now_ns);
            else
                take_all(now_ns, random_bits() % 2 == 0 ? ENTRIES * 12 : 1 + (unsigned)(random_bits() % 5));
        } else if (!is_in[i]) {
            uint64_t ahead = random_bits() % 2 == 0 ? random_bits() % (UINT64_C(5000) << shift) : random_magnitude();
            uint64_t at_ns = random_bits() % 8 == 0 ? reached_ns - ahead % (reached_ns + 1) : reached_ns + ahead;
            add(i, at_ns < reached_ns && random_bits() % 2 == 0 ? UINT64_MAX : at_ns);
        } else {
            take_back(i);
        }
    }
    for (size_t i = 0; i < ENTRIES; i++)
        if (is_in[i])
            take_back(i);
    assert_int_equal(wheel.levels, 0);
    assert_false(is_moving());
}

static void test_any_sequence(void **state)
{
    (void)state;
    any_sequence(0);
    any_sequence(1);
    any_sequence(14);
    any_sequence(32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_each_power),
        cmocka_unit_test(test_each_stride),
        cmocka_unit_test(test_far_and_past),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_order_of_one_tick),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_any_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
