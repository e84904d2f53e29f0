/* A tally: words and how often each was seen, with the counts of files that go with them.
 * Every thread adds to its own, so counting takes no lock; they are merged when the threads are
 * done. Invariant: a tally is touched by its thread alone until tally_merge_all. */
#ifndef WORDCOUNT_TALLY_H
#define WORDCOUNT_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct tally_word {
    char *letters; /* lower case, not terminated; NULL in an empty slot */
    size_t n_letters;
    uint64_t hash;
    uint64_t count;
};

struct tally {
    struct tally *next; /* of another thread */

    struct tally_word *slots; /* open addressing: a power of two, at most half of them in use */
    size_t n_slots;
    size_t n_distinct;

    char *running; /* the letters of the word that is being read */
    size_t n_running;
    size_t running_size;

    uint64_t words, files, bytes;
    uint64_t links, binary, special, unreadable; /* skipped */
    uint64_t unread_arguments;                   /* those of the unreadable named on the command line */
};

/* tally_mine: the calling thread's tally, made at its first call. NULL: out of memory. */
struct tally *tally_mine(void);

/* tally_letters: how many of n bytes are letters, counted from the first up to one that is not. */
size_t tally_letters(const unsigned char *bytes, size_t n);

/* tally_feed: count the words of the next n bytes; the last may go on in the bytes that follow.
 * Returns 0 or TP_ENOMEM. */
int tally_feed(struct tally *tally, const unsigned char *bytes, size_t n);

/* tally_end_word: count the word that was still running, if any. Returns 0 or TP_ENOMEM. */
int tally_end_word(struct tally *tally);

/* tally_merge_all: add the tallies of all threads to the caller's own. No other thread may be
 * counting. Returns the sum, or NULL: out of memory. */
struct tally *tally_merge_all(void);

/* tally_sort: move the words to the front of slots, most frequent first, equal ones in byte order.
 * Nothing can be fed to the tally afterwards. */
void tally_sort(struct tally *tally);

/* tally_free_all: free the tallies of all threads. No thread may use its own afterwards. */
void tally_free_all(void);

#endif
