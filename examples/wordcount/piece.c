/* The task: count the words of one piece of one file.
 * The first task of a file opens it and, if it is large, submits its other pieces to the pool it
 * runs on; such a submit never waits. A word belongs to the piece in which it begins: a piece
 * reads on past its end to finish its last word, and skips the word that runs into its beginning.
 * Invariant: the file is closed by whichever of its pieces ends last. */
#define _DEFAULT_SOURCE 1 /* pread */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tally.h"
#include "words_pool.h"

enum {
    PIECE_BYTES = 1 << 20,
    BLOCK_BYTES = 1 << 16, /* one read */
    PROBE_BYTES = 8192,    /* a NUL byte in these makes a file binary */
};

struct text_file {
    struct words_pool *pool;
    int fd;        /* -1 until the first task has opened it */
    uint64_t size; /* when it was opened */
    bool is_argument;
    atomic_bool failed;    /* a read error was reported: once is enough */
    atomic_ulong n_pieces; /* not yet ended; whoever takes it to 0 closes the file */
    char path[];
};

static void end_piece(struct text_file *file)
{
    if (atomic_fetch_sub(&file->n_pieces, 1) > 1)
        return;
    if (file->fd >= 0)
        close(file->fd);
    free(file);
}

int submit_file(struct words_pool *pool, const char *path, bool is_argument)
{
    size_t path_size = strlen(path) + 1;
    struct text_file *file = malloc(sizeof *file + path_size);
    if (!file)
        return TP_ENOMEM;
    file->pool = pool;
    file->fd = -1;
    file->size = 0;
    file->is_argument = is_argument;
    atomic_init(&file->failed, false);
    atomic_init(&file->n_pieces, 1);
    memcpy(file->path, path, path_size);
    int err = words_submit(pool, (struct piece){.file = file});
    if (err)
        free(file); /* not accepted: no task will see it */
    return err;
}

/* Returns the bytes read, 0 at the end of the file, or -1 with errno. */
static ssize_t read_at(int fd, unsigned char *bytes, size_t n, uint64_t offset)
{
    ssize_t got;
    do
        got = pread(fd, bytes, n, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Opens the file for its first task; if the path has become a pipe since it was found, without
 * waiting for a writer. Returns true if it is to be counted, else counts it as skipped. */
static bool open_text(struct text_file *file, struct tally *tally)
{
    unsigned char probe[PROBE_BYTES];
    struct stat status;
    ssize_t n = 0;
    do
        file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (file->fd < 0 && errno == EINTR);
    bool is_open = file->fd >= 0 && fstat(file->fd, &status) == 0;
    bool is_regular = is_open && S_ISREG(status.st_mode);
    if (is_regular)
        n = read_at(file->fd, probe, sizeof probe, 0);
    if (!is_open || n < 0)
        note_unreadable(tally, file->path, errno, file->is_argument);
    else if (!is_regular)
        tally->special++;
    else if (memchr(probe, 0, (size_t)n))
        tally->binary++;
    else {
        tally->files++;
        file->size = (uint64_t)status.st_size;
        return true;
    }
    return false;
}

/* Submits the pieces of an open file, but for the first: returned for the caller to count. It
 * takes over what the pool does not accept. */
static struct piece split(struct text_file *file)
{
    uint64_t end = UINT64_MAX; /* the last piece has the rest, and what the file grows by */
    for (uint64_t n_pieces = file->size / PIECE_BYTES; n_pieces > 1; n_pieces--) {
        struct piece piece = {.file = file, .begin = (n_pieces - 1) * PIECE_BYTES, .end = end};
        atomic_fetch_add(&file->n_pieces, 1);
        if (words_submit(file->pool, piece)) {
            atomic_fetch_sub(&file->n_pieces, 1);
            break;
        }
        end = piece.begin;
    }
    return (struct piece){.file = file, .begin = 0, .end = end};
}

/* Counts the words that begin in a piece of an open file. Returns 0 or TP_ENOMEM. */
static int count_open(struct piece piece, struct tally *tally)
{
    unsigned char block[BLOCK_BYTES];
    struct text_file *file = piece.file;
    uint64_t at = piece.begin;
    ssize_t n = 0;
    int err = 0;
    bool skipping = at > 0 && read_at(file->fd, block, 1, at - 1) == 1 && tally_letters(block, 1) == 1;
    while (!err && at < piece.end) {
        size_t most = piece.end - at < sizeof block ? (size_t)(piece.end - at) : sizeof block;
        n = read_at(file->fd, block, most, at);
        if (n <= 0)
            break;
        size_t n_skipped = skipping ? tally_letters(block, (size_t)n) : 0;
        skipping = n_skipped == (size_t)n;
        err = tally_feed(tally, block + n_skipped, (size_t)n - n_skipped);
        tally->bytes += (uint64_t)n;
        at += (uint64_t)n;
    }
    bool runs_on = n > 0;
    while (!err && runs_on && tally->n_running > 0) {
        n = read_at(file->fd, block, sizeof block, at);
        size_t n_letters = n > 0 ? tally_letters(block, (size_t)n) : 0;
        err = tally_feed(tally, block, n_letters);
        at += n_letters;
        runs_on = n > 0 && n_letters == (size_t)n;
    }
    if (n < 0 && !atomic_exchange(&file->failed, true))
        note_unreadable(tally, file->path, errno, file->is_argument);
    return err ? err : tally_end_word(tally);
}

int count_piece(struct piece piece)
{
    struct text_file *file = piece.file;
    struct tally *tally = tally_mine();
    int err = 0;
    if (!tally)
        err = TP_ENOMEM;
    else if (file->fd >= 0)
        err = count_open(piece, tally);
    else if (open_text(file, tally))
        err = count_open(split(file), tally);
    end_piece(file);
    return err;
}
