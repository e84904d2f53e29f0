
/* -- 3 Board ------------------------------------------------------------------------------------
 * Where pending tasks wait when their order is exact: a shelf per class, oldest task first, all
 * under one lock that the caller holds. Memory is asked for and given back without the lock: put
 * says that a segment is missing, stock brings one, surplus takes what is too much. */

static void job_board_init(struct job_board *board)
{
    memset(board, 0, sizeof *board);
    board->n_keep = JOB_BOARD_SPARES;
#if WITH_FAIR || WITH_ADAPTIVE
    static const uint32_t weights[JOB_CLASSES] = {VALUE_WEIGHTS};
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        board->accounts[c].weight = weights[c];
#endif
#if WITH_ADAPTIVE
    board->adapt.order = TP_POLICY_PRIORITY;
    tp_atomic_init(&board->adapt.mode, TP_POLICY_PRIORITY);
#endif
#if WITH_ADAPTIVE && WITH_STEALING
    board->adapt.home = TP_POLICY_PRIORITY;
    board->adapt.n_since = JOB_PROBE_EVERY - JOB_PROBE_FIRST;
#endif
}

#if WITH_FAIR || WITH_ADAPTIVE
/* Sets the weights before the first task; 0 leaves one as configured. */
static void job_board_weigh(struct job_board *board, const uint32_t *weights)
{
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        if (weights[c] > 0)
            board->accounts[c].weight = weights[c];
}
#endif

/* Nobody else touches the board any more. */
static void job_board_free(struct job_board *board)
{
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        job_segments_free(board->shelves[c].first);
    job_segments_free(board->spares);
    job_segments_free(board->surplus);
}

/* Hands in an empty segment, made without the lock. */
static void job_board_stock(struct job_board *board, struct job_segment *segment)
{
    segment->next = board->spares;
    board->spares = segment;
    board->n_spares++;
}

/* Forgets what an empty board has learned; its segments stay. */
static void job_board_renew(struct job_board *board)
{
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        if (board->shelves[c].first)
            job_board_stock(board, board->shelves[c].first);
    struct job_segment *spares = board->spares;
    uint32_t n_spares = board->n_spares, n_keep = board->n_keep;
    job_board_init(board);
    board->spares = spares;
    board->n_spares = n_spares;
    board->n_keep = n_keep;
}

#if WITH_PREALLOCATE
/* Holds memory for n tasks from now on, however they spread over the classes: a shelf's first and
 * last segment may be nearly empty. Returns 0 or TP_ENOMEM. */
static int job_board_reserve(struct job_board *board, uint64_t n)
{
    uint64_t n_segments = n / JOB_SEGMENT + 2 * JOB_CLASSES;
    if (n_segments > UINT32_MAX)
        return TP_ENOMEM;
    while (board->n_spares < n_segments) {
        struct job_segment *segment = job_segment_new();
        if (!segment)
            return TP_ENOMEM;
        job_board_stock(board, segment);
    }
    board->n_keep = board->n_keep > n_segments ? board->n_keep : (uint32_t)n_segments;
    return 0;
}
#endif

/* Takes an emptied segment out of use. */
static void job_board_return(struct job_board *board, struct job_segment *segment)
{
    if (board->n_spares < board->n_keep) {
        job_board_stock(board, segment);
    } else {
        segment->next = board->surplus;
        board->surplus = segment;
    }
}

/* Segments to give to job_segments_free once the lock is released; NULL nearly always. */
static inline struct job_segment *job_board_surplus(struct job_board *board)
{
    struct job_segment *surplus = board->surplus;
    board->surplus = NULL;
    return surplus;
}

/* Appends an empty segment to a shelf. Returns false if there is none. */
static bool job_board_grow(struct job_board *board, struct job_shelf *shelf)
{
    struct job_segment *segment = board->spares;
    if (!segment)
        return false;
    board->spares = segment->next;
    board->n_spares--;
    segment->next = NULL;
    segment->prev = shelf->last;
    if (shelf->last)
        shelf->last->next = segment;
    else
        shelf->first = segment;
    shelf->last = segment;
    shelf->last_at = 0;
    return true;
}

/* Puts a task down. Returns false if there is no segment for it: see job_board_stock. */
static inline bool job_board_put(struct job_board *board, uint32_t class_index, const struct job_slot *task)
{
    struct job_shelf *shelf = &board->shelves[class_index];
    if ((!shelf->last || shelf->last_at == JOB_SEGMENT) && !job_board_grow(board, shelf))
        return false;
    shelf->last->slots[shelf->last_at++] = *task;
    shelf->n++;
    board->n++;
    return true;
}

/* Takes the oldest task of a shelf that has one. No segment is left empty but a shelf's only one, so
 * tasks that come and go one by one move none. */
static void job_shelf_take_oldest(struct job_board *board, struct job_shelf *shelf, struct job_slot *task)
{
    *task = shelf->first->slots[shelf->first_at++];
    shelf->n--;
    board->n--;
    if (shelf->n == 0) {
        shelf->first_at = shelf->last_at = 0;
    } else if (shelf->first_at == JOB_SEGMENT) {
        struct job_segment *empty = shelf->first;
        shelf->first = empty->next;
        shelf->first->prev = NULL;
        shelf->first_at = 0;
        job_board_return(board, empty);
    }
}

#if WITH_LIFO
/* Takes the newest task of a shelf that has one. */
static void job_shelf_take_newest(struct job_board *board, struct job_shelf *shelf, struct job_slot *task)
{
    *task = shelf->last->slots[--shelf->last_at];
    shelf->n--;
    board->n--;
    if (shelf->n == 0) {
        shelf->first_at = shelf->last_at = 0;
    } else if (shelf->last_at == 0) {
        struct job_segment *empty = shelf->last;
        shelf->last = empty->prev;
        shelf->last->next = NULL;
        shelf->last_at = JOB_SEGMENT;
        job_board_return(board, empty);
    }
}
#endif

#if WITH_DROP_OLDEST
/* Takes the oldest task of the lowest class that has any, to make room. Returns false if there is none. */
static bool job_board_drop(struct job_board *board, struct job_slot *dropped)
{
    for (uint32_t c = JOB_CLASSES; c-- > 0;) {
        if (board->shelves[c].n > 0) {
            job_shelf_take_oldest(board, &board->shelves[c], dropped);
            return true;
        }
    }
    return false;
}
#endif
