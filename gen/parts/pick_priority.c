
/* -- 4 Pick by level ----------------------------------------------------------------------------
 * The highest level that has tasks, except that levels age: each pick that goes elsewhere is counted
 * for every level that has tasks, and the one that was passed over most often is served once it is
 * due. So no level with tasks is passed over more than VALUE_AGE times in a row, or than there are
 * other levels, if these are more [PICK-1] (docs/policies.md). */

/* The level to take from. There is a task. */
static uint32_t job_level_next(struct job_board *board)
{
    uint32_t highest = JOB_CLASSES, due = JOB_CLASSES;
    for (uint32_t c = JOB_CLASSES; c-- > 0;) {
        if (board->shelves[c].n == 0)
            continue;
        highest = c;
        /* Of equals, the higher level. */
        if (board->passed[c] >= JOB_AGE && (due == JOB_CLASSES || board->passed[c] >= board->passed[due]))
            due = c;
    }
    uint32_t next = due < JOB_CLASSES ? due : highest;
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        board->passed[c] = c == next || board->shelves[c].n == 0 ? 0 : board->passed[c] + 1;
    return next;
}
#if WITH_PRIORITY

/* Takes the next task. Returns false if there is none. */
static bool job_board_pick(struct job_board *board, struct job_slot *task)
{
    if (board->n == 0)
        return false;
    job_shelf_take_oldest(board, &board->shelves[job_level_next(board)], task);
    return true;
}
#endif
