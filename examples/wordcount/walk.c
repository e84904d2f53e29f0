/* The walk: finds regular files and submits each as it is found, so counting begins at once.
 * It follows a symbolic link given as an argument and no other, so it cannot run in circles.
 * Invariant: every path it meets is submitted, or counted as skipped. */
#define _DEFAULT_SOURCE 1 /* fts */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tally.h"
#include "words_pool.h"

void note_unreadable(struct tally *tally, const char *path, int error, bool is_argument)
{
    flockfile(stderr); /* also for strerror, whose text the next call may change */
    fputs("wordcount: ", stderr);
    for (const char *c = path; *c; c++)
        putc_unlocked((unsigned char)*c < ' ' ? '?' : *c, stderr); /* one line, whatever the name */
    fprintf(stderr, ": %s\n", strerror(error));
    funlockfile(stderr);
    tally->unreadable++;
    tally->unread_arguments += is_argument;
}

/* Submits or counts what the walk has found. Returns as submit_file. */
static int visit(struct words_pool *pool, struct tally *tally, const FTSENT *entry)
{
    bool is_argument = entry->fts_level == FTS_ROOTLEVEL;
    switch (entry->fts_info) {
    case FTS_F:
        return submit_file(pool, entry->fts_path, is_argument);
    case FTS_D: /* about to be entered */
    case FTS_DP:
        return 0;
    case FTS_SL:
        tally->links++;
        return 0;
    case FTS_SLNONE: /* an argument that is a link to nothing */
        note_unreadable(tally, entry->fts_path, ENOENT, is_argument);
        return 0;
    case FTS_DC: /* a file system that contains itself */
        note_unreadable(tally, entry->fts_path, ELOOP, is_argument);
        return 0;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        note_unreadable(tally, entry->fts_path, entry->fts_errno, is_argument);
        return 0;
    default:
        tally->special++;
        return 0;
    }
}

int submit_tree(struct words_pool *pool, struct tally *tally, char *path)
{
    char *paths[] = {path, NULL};
    int err = 0;
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (!tree && errno == ENOMEM)
        return TP_ENOMEM;
    if (!tree) {
        note_unreadable(tally, path, errno, true);
        return 0;
    }
    FTSENT *entry;
    while (!err && (errno = 0, entry = fts_read(tree)))
        err = visit(pool, tally, entry);
    if (!err && errno == ENOMEM)
        err = TP_ENOMEM;
    else if (!err && errno != 0)
        note_unreadable(tally, path, errno, true);
    fts_close(tree);
    return err;
}
