/* Tallies: a hash table of words per thread, and the list of all tables. See tally.h. */
#include "tally.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <tidepool.h>

enum { FIRST_SLOTS = 1024 };

static const uint64_t HASH_START = UINT64_C(0xcbf29ce484222325); /* FNV-1a, 64 bit */
static const uint64_t HASH_FACTOR = UINT64_C(0x100000001b3);

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct tally *all; /* under all_lock */
static _Thread_local struct tally *mine;

struct tally *tally_mine(void)
{
    if (mine)
        return mine;
    struct tally *tally = calloc(1, sizeof *tally);
    if (!tally)
        return NULL;
    pthread_mutex_lock(&all_lock);
    tally->next = all;
    all = tally;
    pthread_mutex_unlock(&all_lock);
    return mine = tally;
}

/* The slot that holds the word, or the empty one where it belongs. There is always an empty one. */
static struct tally_word *find(struct tally_word *slots, size_t n_slots, const char *letters, size_t n, uint64_t hash)
{
    for (size_t i = (size_t)hash;; i++) {
        struct tally_word *slot = &slots[i & (n_slots - 1)];
        if (!slot->letters)
            return slot;
        if (slot->hash == hash && slot->n_letters == n && memcmp(slot->letters, letters, n) == 0)
            return slot;
    }
}

static int grow(struct tally *tally)
{
    size_t n_slots = tally->n_slots ? tally->n_slots * 2 : FIRST_SLOTS;
    struct tally_word *slots = calloc(n_slots, sizeof *slots);
    if (!slots)
        return TP_ENOMEM;
    for (size_t i = 0; i < tally->n_slots; i++) {
        struct tally_word *word = &tally->slots[i];
        if (word->letters)
            *find(slots, n_slots, word->letters, word->n_letters, word->hash) = *word;
    }
    free(tally->slots);
    tally->slots = slots;
    tally->n_slots = n_slots;
    return 0;
}

static int add(struct tally *tally, const char *letters, size_t n, uint64_t hash, uint64_t count)
{
    if (tally->n_distinct >= tally->n_slots / 2 && grow(tally))
        return TP_ENOMEM;
    struct tally_word *slot = find(tally->slots, tally->n_slots, letters, n, hash);
    if (!slot->letters) {
        char *copy = malloc(n);
        if (!copy)
            return TP_ENOMEM;
        memcpy(copy, letters, n);
        *slot = (struct tally_word){.letters = copy, .n_letters = n, .hash = hash};
        tally->n_distinct++;
    }
    slot->count += count;
    tally->words += count;
    return 0;
}

/* The lower case of a letter; 0 for any other byte, whatever the locale. */
static inline char letter_of(unsigned char byte)
{
    unsigned char lower = byte | 0x20;
    return lower >= 'a' && lower <= 'z' ? (char)lower : 0;
}

size_t tally_letters(const unsigned char *bytes, size_t n)
{
    size_t i = 0;
    while (i < n && letter_of(bytes[i]))
        i++;
    return i;
}

int tally_end_word(struct tally *tally)
{
    size_t n = tally->n_running;
    if (n == 0)
        return 0;
    uint64_t hash = HASH_START;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)tally->running[i]) * HASH_FACTOR;
    tally->n_running = 0;
    return add(tally, tally->running, n, hash ^ hash >> 32, 1);
}

/* Room for n more letters, so that feeding need not ask for each. */
static int reserve(struct tally *tally, size_t n)
{
    size_t needed = tally->n_running + n;
    if (needed <= tally->running_size)
        return 0;
    char *running = realloc(tally->running, needed * 2);
    if (!running)
        return TP_ENOMEM;
    tally->running = running;
    tally->running_size = needed * 2;
    return 0;
}

int tally_feed(struct tally *tally, const unsigned char *bytes, size_t n)
{
    int err = reserve(tally, n);
    for (size_t i = 0; i < n && !err; i++) {
        char letter = letter_of(bytes[i]);
        if (letter)
            tally->running[tally->n_running++] = letter;
        else if (tally->n_running > 0)
            err = tally_end_word(tally);
    }
    return err;
}

static int merge(struct tally *into, const struct tally *from)
{
    for (size_t i = 0; i < from->n_slots; i++) {
        const struct tally_word *word = &from->slots[i];
        if (word->letters && add(into, word->letters, word->n_letters, word->hash, word->count))
            return TP_ENOMEM;
    }
    into->files += from->files;
    into->bytes += from->bytes;
    into->links += from->links;
    into->binary += from->binary;
    into->special += from->special;
    into->unreadable += from->unreadable;
    into->unread_arguments += from->unread_arguments;
    return 0;
}

struct tally *tally_merge_all(void)
{
    struct tally *sum = tally_mine();
    for (struct tally *from = all; sum && from; from = from->next)
        if (from != sum && merge(sum, from))
            return NULL;
    return sum;
}

static int compare(const void *left, const void *right)
{
    const struct tally_word *a = left, *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    size_t n = a->n_letters < b->n_letters ? a->n_letters : b->n_letters;
    int order = memcmp(a->letters, b->letters, n);
    if (order != 0)
        return order;
    return (a->n_letters > b->n_letters) - (a->n_letters < b->n_letters);
}

void tally_sort(struct tally *tally)
{
    size_t n = 0;
    for (size_t i = 0; i < tally->n_slots; i++)
        if (tally->slots[i].letters)
            tally->slots[n++] = tally->slots[i];
    for (size_t i = n; i < tally->n_slots; i++)
        tally->slots[i].letters = NULL; /* moved: not to be freed twice */
    if (n > 0)
        qsort(tally->slots, n, sizeof *tally->slots, compare);
}

void tally_free_all(void)
{
    while (all) {
        struct tally *tally = all;
        all = tally->next;
        for (size_t i = 0; i < tally->n_slots; i++)
            free(tally->slots[i].letters);
        free(tally->slots);
        free(tally->running);
        free(tally);
    }
    mine = NULL;
}
