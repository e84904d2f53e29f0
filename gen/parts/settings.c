
/* -- 24 Settings --------------------------------------------------------------------------------
 * What was asked for, completed by what was configured. */

static uint32_t job_workers_configured(void)
{
#if WITH_CORES
    uint32_t n = tp_cpu_count() * VALUE_WORKERS / VALUE_WORKERS_DIVISOR;
    return n < 1 ? 1 : (n < JOB_WORKERS_MAX ? n : JOB_WORKERS_MAX);
#else
    return VALUE_WORKERS;
#endif
}

/* Resolves the numbers of workers. */
static void job_workers_resolve(const struct tp_pool_settings *asked, struct tp_pool_settings *is)
{
    is->workers = asked->workers > 0 ? asked->workers : job_workers_configured();
    is->workers_min = is->workers;
    is->workers_max = is->workers;
#if WITH_RANGE
    is->workers_min = asked->workers_min > 0 ? asked->workers_min : VALUE_WORKERS_MIN;
#endif
#if WITH_EXPIRE && !WITH_RANGE
    is->workers_min = asked->workers_min > 0 ? asked->workers_min : 1;
#endif
#if WITH_TUNE
    is->workers_max = is->workers > JOB_WORKERS_ROOM ? is->workers : JOB_WORKERS_ROOM;
    is->workers_max = asked->workers_max > 0 ? asked->workers_max : is->workers_max;
#endif
    if (asked->workers_min == 0 && is->workers_min > is->workers)
        is->workers_min = is->workers;
}

/* Fills *is with the settings in force. Returns 0 or TP_EINVAL. */
static int job_settings_resolve(const struct tp_pool_settings *settings, struct tp_pool_settings *is)
{
    struct tp_pool_settings asked;
    memset(&asked, 0, sizeof asked);
    if (settings)
        asked = *settings;
    memset(is, 0, sizeof *is);
    job_workers_resolve(&asked, is);
    is->on_panic = asked.on_panic;
    is->context = asked.context;
    is->affinity = TP_AFFINITY_OFF;
#if WITH_AFFINITY
    is->affinity = asked.affinity != TP_AFFINITY_CONFIGURED ? asked.affinity : TP_AFFINITY_ON;
    if ((unsigned)is->affinity > TP_AFFINITY_ON)
        return TP_EINVAL;
#endif
    is->capacity = UINT64_MAX;
#if WITH_BOUNDED
    is->capacity = asked.capacity > 0 ? asked.capacity : VALUE_CAPACITY;
#endif
#if WITH_PREALLOCATE
    is->preallocate = asked.preallocate > 0 ? asked.preallocate : VALUE_PREALLOCATE;
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_WAITING
    is->waiting_max = asked.waiting_max > 0 ? asked.waiting_max : JOB_WAITING_MAX;
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_DEADLINE
    is->deadline_ns = asked.deadline_ns > 0 ? asked.deadline_ns : JOB_DEADLINE_NS;
#endif
#if WITH_TIMEOUT
    is->timeout_ns = asked.timeout_ns > 0 ? asked.timeout_ns : VALUE_TIMEOUT_NS;
#endif
#if WITH_EXPIRE
    is->expire_ns = asked.expire_ns > 0 ? asked.expire_ns : VALUE_EXPIRE_NS;
#endif
#if WITH_PRIORITY
    is->policy = TP_POLICY_PRIORITY;
#endif
#if WITH_FAIR
    is->policy = TP_POLICY_FAIR;
#endif
#if WITH_ADAPTIVE
    is->policy = TP_POLICY_ADAPTIVE;
#endif
#if WITH_LIFO
    is->policy = TP_POLICY_LIFO;
#endif
#if !WITH_CLASSES && !WITH_LIFO
    is->policy = TP_POLICY_FIFO;
#endif
#if WITH_FAIR || WITH_ADAPTIVE
    static const uint32_t weights[JOB_CLASSES] = {VALUE_WEIGHTS};
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        is->weights[c] = asked.weights[c] > 0 ? asked.weights[c] : weights[c];
#endif
#if WITH_RING && WITH_STEALING && WITH_HALF
    is->stealing = TP_STEALING_HALF;
#endif
#if WITH_RING && WITH_STEALING && !WITH_HALF
    is->stealing = TP_STEALING_ONE;
#endif
#if !WITH_RING || !WITH_STEALING
    is->stealing = TP_STEALING_OFF;
#endif
#if WITH_RING && WITH_STEALING && WITH_RANDOM
    is->seed = asked.seed;
#endif
#if WITH_COROUTINE
    is->tasks = TP_TASKS_COROUTINE;
#else
    is->tasks = TP_TASKS_FUNCTION;
#endif
#if WITH_BOUNDED && WITH_ANY
    is->overload = asked.overload != TP_OVERLOAD_CONFIGURED ? asked.overload : TP_OVERLOAD_BLOCK;
    if ((unsigned)is->overload > TP_OVERLOAD_SPILL)
        return TP_EINVAL;
#endif
#if WITH_BOUNDED && WITH_ANY && !WITH_BOARD
    if (is->overload == TP_OVERLOAD_DROP_OLDEST)
        return TP_EINVAL;
#endif
#if WITH_BOUNDED && WITH_BLOCK && !WITH_ANY
    is->overload = TP_OVERLOAD_BLOCK;
#endif
#if WITH_BOUNDED && WITH_REJECT && !WITH_ANY
    is->overload = TP_OVERLOAD_REJECT;
#endif
#if WITH_BOUNDED && WITH_CALLER_RUNS && !WITH_ANY
    is->overload = TP_OVERLOAD_CALLER_RUNS;
#endif
#if WITH_BOUNDED && WITH_DROP_OLDEST && !WITH_ANY
    is->overload = TP_OVERLOAD_DROP_OLDEST;
#endif
#if WITH_BOUNDED && WITH_DROP_NEWEST && !WITH_ANY
    is->overload = TP_OVERLOAD_DROP_NEWEST;
#endif
#if WITH_BOUNDED && WITH_SPILL && !WITH_ANY
    is->overload = TP_OVERLOAD_SPILL;
#endif
    if (is->workers > JOB_WORKERS_MAX || is->workers_max > JOB_WORKERS_MAX || is->workers > is->workers_max || is->workers_min > is->workers)
        return TP_EINVAL;
    return tp_pool_settings_fit(&asked, is);
}
