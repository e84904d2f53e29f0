/* What the parts of wordcount share: the payload of the pool's tasks, which the generated header
 * includes, and the few functions that one file has for another.
 * Invariant: a text_file lives until its last piece has run. Rules of counting: README.md. */
#ifndef WORDCOUNT_H
#define WORDCOUNT_H

#include <stdbool.h>
#include <stdint.h>

struct tally;
struct text_file; /* piece.c: a file, and how many of its pieces are still to be counted */
struct words_pool;

/* The payload: one task counts the words that begin in one piece of a file. */
struct piece {
    struct text_file *file;
    uint64_t begin; /* offset of the first byte */
    uint64_t end;   /* offset behind the last; UINT64_MAX: the end of the file */
};

/* submit_file: have the words of one regular file counted.
 * path:        copied.
 * is_argument: it was named on the command line.
 * Returns 0, or what words_submit returned, or TP_ENOMEM. Waits while the pool is full. */
int submit_file(struct words_pool *pool, const char *path, bool is_argument);

/* submit_tree: find and submit every file at and below a path.
 * tally: the caller's; counts what is skipped.
 * Returns as submit_file: what cannot be read is noted and is no error. */
int submit_tree(struct words_pool *pool, struct tally *tally, char *path);

/* note_unreadable: say on the standard error why a path was not read, and count it.
 * error: an errno. */
void note_unreadable(struct tally *tally, const char *path, int error, bool is_argument);

#endif
