
/* -- 22 Keeper ----------------------------------------------------------------------------------
 * One thread that looks after the pool now and then. It ends with the pool. */

#if WITH_TIMEOUT
/* Reports a task that is over its limit, and asks it to stop at its next tp_task_check. */
static void job_report_overdue(struct job_worker *worker, uint64_t begun)
{
    struct job_pool *pool = worker->pool;
    struct tp_panic_report report = {.is_overdue = true, .pool = VALUE_NAME, .worker = worker->base.index, .message = "the task is asked to stop"};
    tp_store_rlx(&worker->run.overdue, begun); /* relaxed: the task looks again and again */
#endif
#if WITH_TIMEOUT && WITH_TRACKING
    report.id = tp_load_rlx(&worker->begun_id); /* relaxed: a task that ended just now is reported as well */
#endif
#if WITH_TIMEOUT
    if (pool->settings.on_panic)
        pool->settings.on_panic(&report, pool->settings.context);
    else
        tp_panic_log(&report, NULL);
}

/* Looks whether a worker still runs the task it ran at an earlier look, a limit ago. */
static void job_watch(struct job_worker *worker, uint64_t now_ns)
{
    uint64_t begun = tp_load_acq(&worker->n_begun); /* pairs with job_count */
    if (begun % 2 == 0 || begun != worker->seen_begun) {
        worker->seen_begun = begun;
        worker->seen_ns = now_ns;
    } else if (worker->seen_ns != UINT64_MAX && now_ns - worker->seen_ns >= worker->pool->settings.timeout_ns) {
        worker->seen_ns = UINT64_MAX; /* once per task */
        job_report_overdue(worker, begun);
    }
}
#endif
#if WITH_AUTO

/* Changes the number of workers and writes down why. The control lock is held. */
static void job_decide(struct job_pool *pool, uint64_t now_ns, uint32_t workers, uint64_t before, const char *why)
{
    struct tp_decision decision = {.time_ns = now_ns, .kind = TP_DECISION_WORKERS, .from = pool->n_wanted, .before = before, .why = why};
    int status = job_resize(pool, workers);
    if (status == TP_ECLOSED)
        return;
    if (status == TP_ETHREAD)
        decision.why = "the system refused another thread";
    decision.to = pool->n_wanted;
    decision.after = pool->n_wanted;
    pool->n_idle_looks = 0;
    job_diary_add(&pool->diary, &decision);
}

/* One look of the monitor: a worker more while tasks or submitters wait and no worker is free, one
 * less when some have been free for JOB_IDLE_LOOKS looks in a row. minute: of the day. */
static void job_monitor(struct job_pool *pool, uint64_t now_ns, uint32_t minute)
{
    struct tp_pool_counts counts;
    job_pool_counts(pool, &counts);
    uint32_t parked = tp_idle_parked(&pool->idle);
    uint32_t most = pool->settings.workers;
#endif
#if WITH_AUTO && WITH_HOURS
    /* Counted from where the hours begin, so they may go over midnight. */
    if ((minute + (1440 - VALUE_HOURS_FROM)) % 1440 >= (1440 + VALUE_HOURS_TO - VALUE_HOURS_FROM) % 1440)
        most = pool->settings.workers_min;
#endif
#if WITH_AUTO
    (void)minute;
    pthread_mutex_lock(&pool->control);
    uint64_t backlog = counts.pending + counts.waiting;
    pool->n_idle_looks = parked > 0 ? pool->n_idle_looks + 1 : 0;
    if (pool->n_wanted > most)
        job_decide(pool, now_ns, most, pool->n_wanted, "so many workers are more than the bound that holds now");
    else if (backlog > 0 && parked == 0 && pool->n_wanted < most)
        job_decide(pool, now_ns, pool->n_wanted + 1, backlog, "so many tasks and submitters wait, and no worker is free");
    else if (pool->n_idle_looks >= JOB_IDLE_LOOKS && pool->n_wanted > pool->settings.workers_min)
        job_decide(pool, now_ns, pool->n_wanted - 1, pool->n_idle_looks, "a worker was free for so many looks in a row");
    pthread_mutex_unlock(&pool->control);
}
#endif

static void job_tick(void *context, uint64_t now_ns)
{
    struct job_pool *pool = context;
    if (job_is_work_visible(pool))
        tp_idle_notify(&pool->idle); /* the system may have refused a thread then */
#if WITH_EXPIRE
    pthread_mutex_lock(&pool->control);
    if (now_ns > pool->settings.expire_ns)
        tp_idle_expire(&pool->idle, now_ns - pool->settings.expire_ns, pool->settings.workers_min);
    if (tp_idle_live(&pool->idle) == 0 && tp_life_is_open(tp_life_look(&pool->life))) /* the last one was surplus */
        tp_idle_grow(&pool->idle, &pool->workers[0].base);
    pthread_mutex_unlock(&pool->control);
    tp_crew_sweep(&pool->crew);
#endif
#if WITH_TIMEOUT
    uint32_t n_workers = job_n_workers(pool);
    for (uint32_t i = 0; i < n_workers; i++)
        job_watch(&pool->workers[i], now_ns);
#endif
#if WITH_AUTO
    job_monitor(pool, now_ns, tp_clock_minute_of_day());
#endif
}

enum { JOB_PERIOD_LEAST_NS = 1000 };

/* How often the keeper looks: four times per limit, if that is not below a microsecond. */
static uint64_t job_period_ns(struct job_pool *pool)
{
    uint64_t ns = UINT64_MAX;
#if WITH_EXPIRE
    ns = pool->settings.expire_ns / 4;
#endif
#if WITH_TIMEOUT
    ns = pool->settings.timeout_ns / 4 < ns ? pool->settings.timeout_ns / 4 : ns;
#endif
#if WITH_AUTO
    ns = VALUE_PERIOD_NS < ns ? VALUE_PERIOD_NS : ns;
#endif
    (void)pool;
    return ns > JOB_PERIOD_LEAST_NS ? ns : JOB_PERIOD_LEAST_NS;
}
