
/* -- 4 Pick by share ----------------------------------------------------------------------------
 * Classes share the run time of the workers by weight: stride scheduling (Waldspurger and Weihl,
 * 1995) with the time that tasks took in place of a fixed quantum. Each class pays run time over
 * weight; the one that has paid least is next. A worker stays with its class for a slice. The class
 * pays in advance for what is to be expected of that, by the average of its tasks, and what they
 * really took as they end: so several workers spread over the classes. A class that comes back starts
 * where the least paying one is [PICK-2] (docs/policies.md). */

/* Is virtual time a before b? They are less than half of the range apart. */
static inline bool job_is_before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}

static inline uint64_t job_virtual(const struct job_account *account, uint64_t ns)
{
    return ns * JOB_SCALE / account->weight;
}

/* What the classes that take part have paid at least. */
static uint64_t job_account_floor(const struct job_board *board)
{
    const struct job_account *least = NULL;
    for (uint32_t c = 0; c < JOB_CLASSES; c++) {
        const struct job_account *account = &board->accounts[c];
        if (account->is_in && (!least || job_is_before(account->paid, least->paid)))
            least = account;
    }
    return least ? least->paid : board->virtual_now;
}

/* The class that has paid least, of those with tasks; there is one. Classes that have come since the
 * last look start at the floor: they have no credit for the time they had nothing to do. */
static uint32_t job_account_next(struct job_board *board)
{
    uint64_t floor = job_account_floor(board);
    uint32_t next = JOB_CLASSES;
    uint64_t least = 0;
    for (uint32_t c = 0; c < JOB_CLASSES; c++) {
        struct job_account *account = &board->accounts[c];
        bool has_tasks = board->shelves[c].n > 0;
        if (!account->is_in && job_is_before(account->paid, floor))
            account->paid = floor;
        account->is_in = has_tasks || account->n_running > 0;
        if (has_tasks && (next == JOB_CLASSES || job_is_before(account->paid + account->prepaid, least))) {
            next = c;
            least = account->paid + account->prepaid;
        }
    }
    return next;
}

/* Ends the worker's slice, if it has one, and writes it down. */
static void job_slice_end(struct job_board *board, struct job_turn *turn, uint64_t now_ns)
{
    if (turn->slice_n == 0)
        return;
    board->slices[board->n_slices++ % JOB_HISTORY] = (struct tp_slice){
        .end_ns = now_ns, .task_ns = turn->slice_ns, .class_index = turn->class_index, .n_tasks = turn->slice_n};
    turn->slice_n = 0;
    turn->slice_ns = 0;
}

/* May the worker stay with its class? */
static inline bool job_slice_goes_on(const struct job_board *board, const struct job_turn *turn)
{
    return turn->slice_n > 0 && turn->slice_n < JOB_SLICE_TASKS && turn->slice_ns < VALUE_SLICE_NS &&
           board->shelves[turn->class_index].n > 0;
}

/* The run time to expect of the rest of the worker's slice, a task at least. */
static uint64_t job_slice_expected(const struct job_board *board, const struct job_turn *turn, uint32_t class_index)
{
    uint64_t task_ns = board->accounts[class_index].expected_ns + 1; /* never nothing: it breaks ties */
    uint64_t n = JOB_SLICE_TASKS - turn->slice_n, n_there = board->shelves[class_index].n + 1;
    uint64_t ns = task_ns * (n < n_there ? n : n_there), rest_ns = VALUE_SLICE_NS - turn->slice_ns;
    return ns < rest_ns ? ns : (rest_ns > task_ns ? rest_ns : task_ns);
}

/* Takes a class's oldest task, and what is to be expected from the class's account. */
static void job_account_begin(struct job_board *board, struct job_turn *turn, uint32_t class_index, uint64_t now_ns, struct job_slot *task)
{
    struct job_account *account = &board->accounts[class_index];
    job_shelf_take_oldest(board, &board->shelves[class_index], task);
    turn->class_index = class_index;
    turn->is_running = true;
    turn->began_ns = now_ns;
    turn->prepaid = job_virtual(account, job_slice_expected(board, turn, class_index));
    account->prepaid += turn->prepaid;
    account->n_running++;
}

/* The task has ended: its class pays what it took. */
static void job_account_end(struct job_board *board, struct job_turn *turn, uint64_t now_ns)
{
    struct job_account *account = &board->accounts[turn->class_index];
    uint64_t ns = now_ns > turn->began_ns ? now_ns - turn->began_ns : 1; /* nothing is free */
    account->prepaid -= turn->prepaid;
    account->paid += job_virtual(account, ns);
    account->n_tasks++;
    account->task_ns += ns;
    account->expected_ns = account->n_tasks == 1 ? ns : account->expected_ns - account->expected_ns / 8 + ns / 8;
    board->virtual_now = job_account_floor(board); /* with this class: it took part until now */
    account->n_running--;
    account->is_in = account->n_running > 0 || board->shelves[turn->class_index].n > 0;
    turn->is_running = false;
    turn->slice_n++;
    turn->slice_ns += ns;
}

static void job_share_read(const struct job_board *board, uint32_t class_index, struct tp_share *out)
{
    const struct job_account *account = &board->accounts[class_index];
    *out = (struct tp_share){.n_tasks = account->n_tasks, .task_ns = account->task_ns, .pending = board->shelves[class_index].n, .weight = (uint32_t)account->weight};
}

/* Copies the last slices, the oldest first, at most n. Returns how many. */
static size_t job_slices_read(const struct job_board *board, struct tp_slice *out, size_t n)
{
    uint64_t n_kept = board->n_slices < JOB_HISTORY ? board->n_slices : JOB_HISTORY;
    n = n < n_kept ? n : (size_t)n_kept;
    for (size_t i = 0; i < n; i++)
        out[i] = board->slices[(board->n_slices - n + i) % JOB_HISTORY];
    return n;
}
#if WITH_FAIR

/* Ends what the worker took last. To be called as soon as that has ended, unless a pick follows. */
static void job_board_charge(struct job_board *board, struct job_turn *turn, uint64_t now_ns)
{
    if (turn->is_running)
        job_account_end(board, turn, now_ns);
}

/* Ends what the worker took last and takes the next task. Returns false if there is none. */
static bool job_board_pick(struct job_board *board, struct job_turn *turn, uint64_t now_ns, struct job_slot *task)
{
    job_board_charge(board, turn, now_ns);
    bool stays = job_slice_goes_on(board, turn);
    if (!stays)
        job_slice_end(board, turn, now_ns);
    if (board->n == 0)
        return false;
    job_account_begin(board, turn, stays ? turn->class_index : job_account_next(board), now_ns, task);
    return true;
}
#endif
