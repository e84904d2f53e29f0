/* Memory as the threads see it: store buffers, and the atomic operations on them.
 * A thread's store waits in its buffer until something asks for it: another thread's access to
 * the same word may see it or not (a choice), its own fence or system call makes it visible.
 * Asking late loses no behaviour: becoming visible commutes with all that touches other words. */
#include "explorer.h"

#include "model_atomic.h"

#include <inttypes.h>
#include <string.h>

enum { WORDS_BITS = 12 };

/* What is known of a word besides its value: which write it holds, what that write released. */
struct word {
    const void *address;
    unsigned stamp;
    uint64_t version;
    struct clock release;
};

static struct word words[1 << WORDS_BITS];
static uint64_t n_entries;

static struct word *word_at(const void *address)
{
    for (uint64_t i = mix((uintptr_t)address, 0);; i++) {
        struct word *word = &words[i & ((1 << WORDS_BITS) - 1)];
        if (word->stamp == model.number && word->address == address)
            return word;
        if (word->stamp == model.number)
            continue;
        *word = (struct word){.address = address, .stamp = model.number};
        return word;
    }
}

static uint64_t peek(const void *address, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, address, size); /* little endian: the low bytes come first */
    return value;
}

static uint64_t cut(uint64_t value, size_t size)
{
    return size == 8 ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

static void write_word(const struct entry *e)
{
    struct word *word = word_at(e->address);
    memcpy(e->address, &e->value, e->size);
    model.signature -= mix((uintptr_t)e->address, word->version);
    word->version = e->version;
    word->release = e->release;
    model.signature += mix((uintptr_t)e->address, word->version);
    for (unsigned i = 0; i < model.n_threads; i++)
        if (model.threads[i].status == PAUSING || model.threads[i].status == YIELDING)
            model.threads[i].status = READY;
    model.n_rounds = 0;
}

/* -- store buffers ---------------------------------------------------------------------------- */

static int find_id(const struct thread *t, uint64_t id)
{
    for (unsigned i = 0; i < t->n_buffered; i++)
        if (t->buffer[i].id == id)
            return (int)i;
    return -1;
}

static const struct entry *find_first(const struct thread *t, const void *address)
{
    for (unsigned i = 0; i < t->n_buffered; i++)
        if (t->buffer[i].address == address)
            return &t->buffer[i];
    return NULL;
}

static void drain_entry(struct thread *t, uint64_t id);

/* Before `self` reads or writes a word: which of the others' waiting stores to it come first? */
static void settle(struct thread *self, const void *address, bool writing)
{
    while (model.n_buffered > self->n_buffered) {
        struct thread *from[THREADS_MAX];
        unsigned n = 0;
        bool forced = false;
        for (unsigned i = 0; i < model.n_threads && !forced; i++) {
            struct thread *t = &model.threads[i];
            const struct entry *e = t == self ? NULL : find_first(t, address);
            if (!e)
                continue;
            if (e->owned && writing) {
                drain_entry(t, e->id);
                forced = true;
            } else if (!t->draining) {
                from[n++] = t;
            }
        }
        if (forced)
            continue;
        unsigned chosen = choose(n + 1);
        if (chosen == n)
            return;
        drain_entry(from[chosen], find_first(from[chosen], address)->id);
    }
}

/* Makes one store visible, after those that must not be later. */
static void drain_entry(struct thread *t, uint64_t id)
{
    int i;
    while ((i = find_id(t, id)) > 0) {
        int first = 0;
        while (first < i && t->buffer[first].address != t->buffer[i].address && !t->buffer[i].releases)
            first++;
        if (first == i)
            break;
        drain_entry(t, t->buffer[first].id);
    }
    if (i < 0)
        return;
    if (!t->buffer[i].owned) {
        bool before = t->draining;
        t->draining = true;
        settle(t, t->buffer[i].address, true);
        t->draining = before;
        i = find_id(t, id);
        if (i < 0)
            return;
    }
    struct entry e = t->buffer[i];
    memmove(&t->buffer[i], &t->buffer[i + 1], (t->n_buffered - (unsigned)i - 1) * sizeof e);
    t->n_buffered--;
    model.n_buffered--;
    model.signature -= mix(e.version, 1);
    if (model.tracing)
        trace_line("    visible: T%u's %s = %" PRIx64, t->index, e.operand, e.value);
    write_word(&e);
}

void memory_drain(struct thread *t)
{
    while (t->n_buffered > 0)
        drain_entry(t, t->buffer[0].id);
}

/* A fence's effect: what it makes visible could be late until here. */
static void drain_self(struct thread *self)
{
    if (self->n_buffered > 0)
        schedule();
    memory_drain(self);
}

static const struct entry *find_ordered(const struct thread *t)
{
    for (unsigned i = 0; i < t->n_buffered; i++)
        if (t->buffer[i].ordered)
            return &t->buffer[i];
    return NULL;
}

/* A sequentially consistent load comes after such stores of its thread, but not after others. */
static void drain_ordered(struct thread *self)
{
    const struct entry *e = find_ordered(self);
    if (e)
        schedule();
    while ((e = find_ordered(self)))
        drain_entry(self, e->id);
}

bool memory_flush_all(void)
{
    if (model.n_buffered == 0)
        return false;
    for (unsigned i = 0; i < model.n_threads; i++)
        memory_drain(&model.threads[i]);
    return true;
}

void memory_reset(void)
{
    n_entries = 0;
}

static const struct entry *find_overlap(const struct thread *t, const void *address, size_t size)
{
    uintptr_t from = (uintptr_t)address, to = from + size;
    for (unsigned i = 0; i < t->n_buffered; i++) {
        uintptr_t e = (uintptr_t)t->buffer[i].address;
        if (e < to && from < e + t->buffer[i].size)
            return &t->buffer[i];
    }
    return NULL;
}

/* A thread's own plain accesses keep their order with its atomic ones on the same bytes. */
void memory_before_plain(const void *address, size_t size)
{
    const struct entry *e;
    while ((e = find_overlap(model.current, address, size)))
        drain_entry(model.current, e->id);
}

void memory_before_free(const void *address, size_t size)
{
    memory_before_plain(address, size);
    for (unsigned i = 0; i < model.n_threads; i++)
        if (find_overlap(&model.threads[i], address, size))
            model_fail(__FILE__, __LINE__, "memory is freed while a store to it is on its way");
}

/* -- operations ------------------------------------------------------------------------------- */

/* The order that is left of an operation's own in this scenario. */
static int weaken(int order, const char *function)
{
    static const int lost[] = {[MODEL_ACQUIRE] = MODEL_SC & ~MODEL_REL, [MODEL_RELEASE] = MODEL_SC & ~MODEL_ACQ};
    enum model_order_kind kind = model.scenario->without.kind;
    if ((kind == MODEL_ACQUIRE || kind == MODEL_RELEASE) && strcmp(function, model.scenario->without.function) == 0)
        return order & ~lost[kind];
    return order;
}

static void acquire(struct thread *self, const struct word *word, int order)
{
    clock_join(order & MODEL_ACQ ? &self->clock : &self->pending, &word->release);
}

static void buffer_store(struct thread *self, void *address, size_t size, uint64_t value, int order, bool owned,
    const char *operand)
{
    if (self->n_buffered == BUFFER_MAX)
        drain_entry(self, self->buffer[0].id);
    struct entry *e = &self->buffer[self->n_buffered++];
    model.n_buffered++;
    *e = (struct entry){
        .address = address,
        .id = ++n_entries,
        .value = value,
        .version = self->chain,
        .release = order & MODEL_REL ? self->clock : self->fenced,
        .size = size,
        .releases = (order & MODEL_REL) != 0,
        .owned = owned,
        .ordered = order == MODEL_SC,
        .operand = operand,
    };
    if (owned) /* a read-modify-write hands on what it found released */
        clock_join(&e->release, &word_at(address)->release);
    model.signature += mix(e->version, 1);
    self->clock.at[self->index]++;
    /* A late store must not hit a frame that is gone; others cannot reach it before it is
     * published, and then it is visible. */
    if ((char *)address >= self->stack && (char *)address < self->stack + STACK_BYTES)
        drain_entry(self, e->id);
}

uint64_t model_load(const void *p, size_t size, int order, const char *function, const char *operand)
{
    struct thread *self = model.current;
    if (!self)
        return peek(p, size);
    order = weaken(order, function);
    if (order == MODEL_SC)
        drain_ordered(self);
    for (unsigned i = self->n_buffered; i-- > 0;)
        if (self->buffer[i].address == p) {
            if (model.tracing)
                trace_line("%-22s load  %s: own %" PRIx64, function, operand, self->buffer[i].value);
            return self->buffer[i].value;
        }
    schedule();
    race_atomic(p, size);
    settle(self, p, false);
    struct word *word = word_at(p);
    acquire(self, word, order);
    self->chain = mix(self->chain, word->version);
    uint64_t value = peek(p, size);
    if (model.tracing)
        trace_line("%-22s load  %s: %" PRIx64, function, operand, value);
    return value;
}

void model_store(void *p, size_t size, uint64_t value, int order, const char *function, const char *operand)
{
    struct thread *self = model.current;
    if (!self) {
        memcpy(p, &value, size);
        return;
    }
    if (model.tracing)
        trace_line("%-22s store %s = %" PRIx64, function, operand, value);
    race_atomic(p, size);
    self->chain = mix(self->chain, mix((uintptr_t)p, value));
    buffer_store(self, p, size, cut(value, size), weaken(order, function), false, operand);
}

/* The read of a read-modify-write; returns what it found. */
static uint64_t modify_begin(void *p, size_t size, int order)
{
    struct thread *self = model.current;
    schedule();
    race_atomic(p, size);
    const struct entry *mine;
    while ((mine = find_first(self, p)))
        drain_entry(self, mine->id);
    settle(self, p, true);
    struct word *word = word_at(p);
    acquire(self, word, order);
    self->chain = mix(self->chain, word->version);
    return peek(p, size);
}

static uint64_t modify(void *p, size_t size, uint64_t value, bool add, int order, const char *function, const char *operand)
{
    uint64_t before;
    if (!model.current) {
        before = peek(p, size);
        value = add ? before + value : value;
        memcpy(p, &value, size);
        return before;
    }
    order = weaken(order, function);
    before = modify_begin(p, size, order);
    value = cut(add ? before + value : value, size);
    if (model.tracing)
        trace_line("%-22s %s  %s: %" PRIx64 " -> %" PRIx64, function, add ? "add " : "swap", operand, before, value);
    buffer_store(model.current, p, size, value, order, true, operand);
    return before;
}

uint64_t model_swap(void *p, size_t size, uint64_t value, int order, const char *function, const char *operand)
{
    return modify(p, size, value, false, order, function, operand);
}

uint64_t model_add(void *p, size_t size, uint64_t value, int order, const char *function, const char *operand)
{
    return modify(p, size, value, true, order, function, operand);
}

bool model_cas(void *p, size_t size, void *expected, uint64_t desired, int order, const char *function, const char *operand)
{
    uint64_t wanted = peek(expected, size), found;
    if (!model.current) {
        found = peek(p, size);
        memcpy(found == wanted ? p : expected, found == wanted ? (void *)&desired : (void *)&found, size);
        return found == wanted;
    }
    order = weaken(order, function);
    found = modify_begin(p, size, order);
    if (model.tracing)
        trace_line("%-22s cas   %s: %" PRIx64 " -> %" PRIx64 "%s", function, operand, found, cut(desired, size),
            found == wanted ? "" : " lost");
    if (found != wanted) {
        memcpy(expected, &found, size);
        return false;
    }
    buffer_store(model.current, p, size, cut(desired, size), order, true, operand);
    return true;
}

void model_fence(const char *function)
{
    struct thread *self = model.current;
    if (!self)
        return;
    if (model.scenario->without.kind == MODEL_FENCE && strcmp(function, model.scenario->without.function) == 0)
        return;
    if (model.tracing)
        trace_line("%-22s fence", function);
    drain_self(self);
    clock_join(&self->clock, &self->pending);
    self->fenced = self->clock;
    self->clock.at[self->index]++;
}

/* -- for the system's calls ---------------------------------------------------------------------- */

void memory_enter_kernel(void)
{
    schedule();
    memory_drain(model.current);
}

uint64_t memory_read(const void *word, size_t size)
{
    struct thread *self = model.current;
    settle(self, word, false);
    self->chain = mix(self->chain, word_at(word)->version);
    return peek(word, size);
}
