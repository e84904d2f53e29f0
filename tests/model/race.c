/* Happens-before: clocks, races on plain data, and memory that ends with the execution.
 * The scenarios are compiled with -fsanitize=thread and linked without its runtime: the calls
 * that the compiler puts before each plain access land here (FastTrack, of whose shortcuts only that for an epoch's second access:
 * Flanagan and Freund, PLDI 2009). So the explorer checks what each acquire and release publishes,
 * by the rules of C11 and not by those of the machine it runs on. */
#include "explorer.h"

#include <stdio.h>
#include <string.h>

enum { CELLS_BITS = 14,
    CELL_BYTES = 8,
    ARENA_BYTES = 1 << 20,
    ARENA_ALIGN = 128 };

/* The last accesses of one kind to eight bytes of memory, of each thread in `by`; bit b of a mask is byte b. */
struct accesses {
    uint8_t by; /* bit i: thread i */
    uint8_t mask[THREADS_MAX];
    uint32_t at[THREADS_MAX];
};

struct cell {
    uintptr_t block;
    unsigned stamp;
    struct accesses reads, writes;
};

static struct cell cells[1 << CELLS_BITS];
static _Alignas(ARENA_ALIGN) char arena[ARENA_BYTES];
static unsigned char freed[ARENA_BYTES / ARENA_ALIGN]; /* per unit: 1 once it was given back */
static size_t n_arena;
static unsigned n_blocks;

void clock_join(struct clock *into, const struct clock *from)
{
    for (int i = 0; i < THREADS_MAX; i++)
        if (into->at[i] < from->at[i])
            into->at[i] = from->at[i];
}

void race_reset(void)
{
    memset(freed, 0, n_arena / ARENA_ALIGN);
    n_arena = n_blocks = 0;
}

static struct cell *cell_at(uintptr_t block)
{
    for (uint64_t i = mix(block, 0);; i++) {
        struct cell *cell = &cells[i & ((1 << CELLS_BITS) - 1)];
        if (cell->stamp != model.number) {
            cell->block = block;
            cell->stamp = model.number;
            cell->reads.by = cell->writes.by = 0; /* and so nobody looks at the rest */
        }
        if (cell->block == block)
            return cell;
    }
}

static void check_alive(const void *address)
{
    size_t at = (size_t)((const char *)address - arena);
    if ((const char *)address >= arena && at < n_arena && freed[at / ARENA_ALIGN])
        model_fail(__FILE__, __LINE__, "freed memory is used");
}

static void fail_race(unsigned other, const char *what)
{
    static char text[128];
    snprintf(text, sizeof text, "race: T%u and T%u touch the same bytes unordered (%s)", model.current->index, other, what);
    model_fail(__FILE__, __LINE__, text);
}

enum access { READS,
    WRITES,
    ATOMIC };

/* Fails if one of the others' accesses to these bytes did not happen before. */
static void check_order(const struct accesses *others, uint8_t mask, const char *what)
{
    const struct thread *self = model.current;
    for (unsigned left = others->by & ~(1u << self->index); left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        if ((others->mask[i] & mask) && others->at[i] > self->clock.at[i])
            fail_race(i, what);
    }
}

static void touch_cell(uintptr_t block, uint8_t mask, enum access access)
{
    const struct thread *self = model.current;
    struct cell *cell = cell_at(block);
    struct accesses *mine = access == WRITES ? &cell->writes : &cell->reads;
    uint32_t now = self->clock.at[self->index];
    uint8_t me = (uint8_t)(1u << self->index), so_far = mine->by & me && mine->at[self->index] == now ? mine->mask[self->index] : 0;
    if (access != ATOMIC && (so_far & mask) == mask)
        return; /* not since the thread last told anyone anything: who came between would have been caught then */
    check_order(&cell->writes, mask, access == READS ? "a read after a write" : "after a write");
    if (access == WRITES)
        check_order(&cell->reads, mask, "a write after a read");
    if (access == ATOMIC)
        return;
    mine->by |= me;
    mine->mask[self->index] = so_far | mask;
    mine->at[self->index] = now;
}

static void touch(const void *address, size_t size, enum access access)
{
    if (!model.current || size == 0)
        return;
    check_alive(address);
    if (access != ATOMIC)
        memory_before_plain(address, size);
    uintptr_t from = (uintptr_t)address, to = from + size;
    for (uintptr_t block = from & ~(uintptr_t)(CELL_BYTES - 1); block < to; block += CELL_BYTES) {
        unsigned mask = 0xff;
        if (block < from)
            mask &= 0xffu << (from - block);
        if (block + CELL_BYTES > to)
            mask &= 0xffu >> (block + CELL_BYTES - to);
        touch_cell(block, (uint8_t)mask, access);
    }
}

void race_atomic(const void *address, size_t size)
{
    touch(address, size, ATOMIC);
}

/* -- memory ----------------------------------------------------------------------------------- */

/* In front of each block: its size. */
void *model_alloc(size_t bytes)
{
    size_t total = (bytes + 2 * ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (n_arena + total > ARENA_BYTES)
        model_fail(__FILE__, __LINE__, "out of model memory");
    char *block = arena + n_arena;
    n_arena += total;
    n_blocks++;
    memcpy(block, &total, sizeof total);
    memset(block + ARENA_ALIGN, 0xa5, total - ARENA_ALIGN);
    return block + ARENA_ALIGN;
}

void model_free(void *memory)
{
    if (!memory)
        return;
    size_t total;
    char *block = (char *)memory - ARENA_ALIGN;
    memcpy(&total, block, sizeof total);
    check_alive(memory);
    if (model.current) {
        memory_before_free(memory, total - ARENA_ALIGN);
        touch(memory, total - ARENA_ALIGN, WRITES);
    }
    n_blocks--;
    memset(&freed[(block - arena) / ARENA_ALIGN], 1, total / ARENA_ALIGN);
}

unsigned model_n_blocks(void)
{
    return n_blocks;
}

/* -- what the compiler calls ------------------------------------------------------------------ */

#define CALLS(n)                                   \
    void __tsan_read##n(void *address);            \
    void __tsan_write##n(void *address);           \
    void __tsan_unaligned_read##n(void *address);  \
    void __tsan_unaligned_write##n(void *address); \
    void __tsan_read##n(void *address)             \
    {                                              \
        touch(address, n, READS);                  \
    }                                              \
    void __tsan_write##n(void *address)            \
    {                                              \
        touch(address, n, WRITES);                 \
    }                                              \
    void __tsan_unaligned_read##n(void *address)   \
    {                                              \
        touch(address, n, READS);                  \
    }                                              \
    void __tsan_unaligned_write##n(void *address)  \
    {                                              \
        touch(address, n, WRITES);                 \
    }
CALLS(1)
CALLS(2)
CALLS(4)
CALLS(8)
CALLS(16)

void __tsan_init(void);
void __tsan_init(void)
{
}
void __tsan_read_range(void *address, size_t size);
void __tsan_read_range(void *address, size_t size)
{
    touch(address, size, READS);
}
void __tsan_write_range(void *address, size_t size);
void __tsan_write_range(void *address, size_t size)
{
    touch(address, size, WRITES);
}
