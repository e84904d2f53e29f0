
/* -- 4 Pick -------------------------------------------------------------------------------------
 * Which task is next.
#if WITH_LIFO
 * The newest.
#else
 * The oldest.
#endif
 */

/* Takes the next task. Returns false if there is none. */
static bool job_board_pick(struct job_board *board, struct job_slot *task)
{
    if (board->n == 0)
        return false;
#if WITH_LIFO
    job_shelf_take_newest(board, &board->shelves[0], task);
#else
    job_shelf_take_oldest(board, &board->shelves[0], task);
#endif
    return true;
}
