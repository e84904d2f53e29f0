
/* -- 4 Adapting ---------------------------------------------------------------------------------
#if WITH_STEALING
 * Which of three ways is best now: each class in turn (throughput first: workers take many tasks at
 * once and steal from each other), by level, or by share. Time is looked at in windows. Order is kept
 * while it leaves the stated part of the throughput; the other way is tried now and then, for one
 * window, and stays if it is clearly better. Between the two orders, starving classes decide.
#else
 * Which of two orders is best now: by level or by share. Time is looked at in windows; starving
 * classes decide.
#endif
 * Every decision is written down with its numbers (docs/policies.md). */

/* How tasks are chosen now. Any thread: a worker that hears late of a change takes one more batch. */
static inline uint32_t job_board_mode(struct job_board *board)
{
    return tp_load_rlx(&board->adapt.mode); /* relaxed: a hint; what counts is done under the lock */
}

/* Begins to choose tasks in another way. */
static void job_adapt_set(struct job_board *board, uint32_t mode)
{
    tp_store_rlx(&board->adapt.mode, mode); /* relaxed: a hint for those without the lock */
    if (mode == TP_POLICY_FAIR) {           /* all classes begin alike */
        board->virtual_now = 0;
        for (uint32_t c = 0; c < JOB_CLASSES; c++) {
            board->accounts[c].paid = 0;
            board->accounts[c].is_in = false;
        }
    }
}

/* What was seen in another mode does not count in this one. */
static void job_adapt_forget(struct job_adapt *adapt)
{
    adapt->n_calm = 0;
    memset(adapt->n_starved, 0, sizeof adapt->n_starved);
}

static void job_adapt_note(struct job_board *board, uint64_t now_ns, uint32_t from, uint32_t to, uint64_t before, uint64_t after, const char *why)
{
    struct tp_decision decision = {.time_ns = now_ns, .kind = TP_DECISION_POLICY, .from = from, .to = to, .before = before, .after = after, .why = why};
    job_diary_add(&board->adapt.diary, &decision);
}

/* Changes from one order to the other. */
static void job_adapt_order(struct job_board *board, uint64_t now_ns, uint32_t order, uint64_t before, uint64_t after, const char *why)
{
    job_adapt_note(board, now_ns, board->adapt.order, order, before, after, why);
    board->adapt.order = order;
#if WITH_STEALING
    board->adapt.home = order;
#endif
    job_adapt_forget(&board->adapt);
    job_adapt_set(board, order);
}

/* By level: has a class had tasks all the time, and still less than half of its share of the window's
 * run time, for several windows in a row? Then levels starve it, and shares are better. */
static void job_adapt_feed(struct job_board *board, uint64_t now_ns)
{
    struct job_adapt *adapt = &board->adapt;
    uint64_t ns = 0, weight = 0;
    for (uint32_t c = 0; c < JOB_CLASSES; c++) {
        ns += adapt->class_ns[c];
        if (adapt->class_ns[c] > 0 || adapt->waiting >> c & 1)
            weight += board->accounts[c].weight;
    }
    for (uint32_t c = 0; c < JOB_CLASSES; c++) {
        uint64_t had = ns > 0 ? adapt->class_ns[c] * 1000 / ns : 0;
        uint64_t due = weight > 0 ? board->accounts[c].weight * 1000 / weight : 0;
        bool starves = ns > 0 && (adapt->waiting >> c & 1) && had * 2 < due;
        adapt->n_starved[c] = starves ? adapt->n_starved[c] + 1 : 0;
        if (adapt->n_starved[c] >= JOB_STARVED) {
            job_adapt_order(board, now_ns, TP_POLICY_FAIR, had, due, "a class with tasks waiting had less than half of its share of time, here in 1/1000");
            return;
        }
    }
}

/* By share: if there is no backlog, nobody starves, and levels are better. */
static void job_adapt_calm(struct job_board *board, uint64_t now_ns)
{
    struct job_adapt *adapt = &board->adapt;
    adapt->n_calm = adapt->was_empty ? adapt->n_calm + 1 : 0;
    if (adapt->n_calm >= JOB_CALM)
        job_adapt_order(board, now_ns, TP_POLICY_PRIORITY, 0, adapt->n_calm, "so many windows in a row without a backlog");
}
#if WITH_STEALING

/* What a throughput is worth in a mode: order has its price. */
static inline uint64_t job_adapt_worth(uint32_t mode, uint64_t rate)
{
    return rate * (mode == TP_POLICY_FIFO ? JOB_ORDER_OF : JOB_ORDER_WORTH);
}

/* The other way has been tried for a window: does it stay? */
static void job_adapt_judge(struct job_board *board, uint64_t now_ns, uint64_t rate)
{
    struct job_adapt *adapt = &board->adapt;
    uint32_t home = adapt->home, other = job_board_mode(board);
    bool is_better = job_adapt_worth(other, rate) * JOB_BETTER_THAN >= job_adapt_worth(home, adapt->rate) * JOB_BETTER;
    if (rate == 0) { /* too few tasks to tell */
        job_adapt_set(board, home);
    } else if (is_better) {
        job_adapt_note(board, now_ns, home, other, adapt->rate, rate, other == TP_POLICY_FIFO ? "order cost too many tasks per second" : "order costs few tasks per second");
        adapt->home = other;
        adapt->rate = rate;
        job_adapt_forget(adapt);
    } else {
        job_adapt_note(board, now_ns, home, home, adapt->rate, rate, "tried the other way: not better, in tasks per second");
        job_adapt_set(board, home);
    }
    adapt->n_since = 0;
}

/* A window in the mode that is kept: remembers its throughput, and tries the other way now and then. */
static void job_adapt_try(struct job_board *board, uint64_t rate)
{
    struct job_adapt *adapt = &board->adapt;
    if (rate > 0)
        adapt->rate = adapt->rate > 0 ? adapt->rate - adapt->rate / 8 + rate / 8 : rate;
    if (++adapt->n_since < JOB_PROBE_EVERY || rate == 0)
        return;
    if (adapt->rate < rate) /* tasks have become shorter: what is compared must not be an old average */
        adapt->rate = rate;
    job_adapt_set(board, adapt->home == TP_POLICY_FIFO ? adapt->order : TP_POLICY_FIFO);
}
#endif

static void job_window_begin(struct job_board *board, uint64_t now_ns)
{
    struct job_adapt *adapt = &board->adapt;
    adapt->window_ns = now_ns;
    adapt->n_tasks = adapt->worker_ns = 0;
    memset(adapt->class_ns, 0, sizeof adapt->class_ns);
    adapt->waiting = 0;
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        adapt->waiting |= (board->shelves[c].n > 0 ? 1u : 0u) << c;
    adapt->was_empty = board->n == 0;
}

/* Looks at the window if it is over, and begins the next. */
static void job_window_turn(struct job_board *board, uint64_t now_ns)
{
    struct job_adapt *adapt = &board->adapt;
    if (adapt->window_ns == 0)
        job_window_begin(board, now_ns);
    uint64_t ns = now_ns > adapt->window_ns ? now_ns - adapt->window_ns : 0;
    if (ns < JOB_WINDOW_NS || (adapt->n_tasks < JOB_WINDOW_TASKS && ns < JOB_WINDOW_LONGEST))
        return;
    uint32_t mode = job_board_mode(board);
#if WITH_STEALING
    uint64_t rate = adapt->n_tasks < JOB_WINDOW_TASKS || adapt->worker_ns == 0 ? 0 : adapt->n_tasks * JOB_SECOND / adapt->worker_ns;
    if (mode != adapt->home) {
        job_adapt_judge(board, now_ns, rate);
        job_window_begin(board, now_ns);
        return;
    }
#endif
    if (mode == TP_POLICY_PRIORITY)
        job_adapt_feed(board, now_ns);
    else if (mode == TP_POLICY_FAIR)
        job_adapt_calm(board, now_ns);
#if WITH_STEALING
    job_adapt_try(board, rate);
#endif
    job_window_begin(board, now_ns);
}

/* Ends what the worker took last. To be called as soon as that has ended, unless a pick follows. */
static void job_board_charge(struct job_board *board, struct job_turn *turn, uint64_t now_ns)
{
    if (!turn->is_running)
        return;
    struct job_adapt *adapt = &board->adapt;
    uint64_t ns = now_ns > turn->began_ns ? now_ns - turn->began_ns : 0;
    if (turn->mode == job_board_mode(board)) { /* what another mode began says nothing about this one */
        adapt->n_tasks += turn->n_run;
        adapt->worker_ns += ns;
    }
#if WITH_STEALING
    if (turn->mode == TP_POLICY_FIFO)
        turn->is_running = false;
#endif
    if (turn->is_running) {
        job_account_end(board, turn, now_ns);
        adapt->class_ns[turn->class_index] += ns;
    }
    job_window_turn(board, now_ns);
}
#if WITH_STEALING

/* Takes a task from each class in turn. There is one. */
static uint32_t job_turn_about(struct job_board *board, struct job_turn *turn, uint64_t now_ns, struct job_slot *task)
{
    uint32_t c = board->adapt.next_class;
    while (board->shelves[c].n == 0)
        c = (c + 1) % JOB_CLASSES;
    board->adapt.next_class = (c + 1) % JOB_CLASSES;
    job_shelf_take_oldest(board, &board->shelves[c], task);
    turn->is_running = true;
    turn->began_ns = now_ns;
    return c;
}
#endif

/* Ends what the worker took last and takes the next task; in the mode TP_POLICY_FIFO it may be called
 * again at once, for more tasks with the same now_ns, each with a zeroed turn. Returns false if there is none. */
static bool job_board_pick(struct job_board *board, struct job_turn *turn, uint64_t now_ns, struct job_slot *task)
{
    struct job_adapt *adapt = &board->adapt;
    job_board_charge(board, turn, now_ns);
    uint32_t mode = job_board_mode(board), c = turn->class_index;
    bool stays = mode == turn->mode && job_slice_goes_on(board, turn);
    if (!stays)
        job_slice_end(board, turn, now_ns);
    adapt->was_empty |= board->n <= 1; /* nothing waits, now or after this */
    if (board->n == 0)
        return false;
    turn->mode = mode;
    turn->n_run = 0;
    if (mode == TP_POLICY_PRIORITY) {
        c = job_level_next(board);
        if (c != turn->class_index)
            job_slice_end(board, turn, now_ns);
        job_account_begin(board, turn, c, now_ns, task);
    } else if (mode == TP_POLICY_FAIR) {
        c = stays ? c : job_account_next(board);
        job_account_begin(board, turn, c, now_ns, task);
    }
#if WITH_STEALING
    if (mode == TP_POLICY_FIFO)
        c = job_turn_about(board, turn, now_ns, task);
#endif
    if (board->shelves[c].n == 0)
        adapt->waiting &= ~(1u << c);
    return true;
}
