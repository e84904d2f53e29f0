
/* The last decisions of the pool about itself. Written and read under one lock. */
enum {
    JOB_DECISIONS = 64 /* decisions that can be read back */
};

struct job_diary {
    uint64_t n; /* ever written */
    struct tp_decision decisions[JOB_DECISIONS];
};

/* A verdict that nothing changes takes the place of the one before, if that said the same: what was
 * changed stays readable for long. */
static void job_diary_add(struct job_diary *diary, const struct tp_decision *decision)
{
    if (diary->n > 0 && decision->from == decision->to) {
        const struct tp_decision *last = &diary->decisions[(diary->n - 1) % JOB_DECISIONS];
        if (last->kind == decision->kind && last->from == decision->from && last->to == decision->to)
            diary->n--;
    }
    diary->decisions[diary->n++ % JOB_DECISIONS] = *decision;
}

/* Copies the last decisions, the oldest first, at most n. Returns how many. */
static size_t job_diary_read(const struct job_diary *diary, struct tp_decision *out, size_t n)
{
    uint64_t n_kept = diary->n < JOB_DECISIONS ? diary->n : JOB_DECISIONS;
    n = n < n_kept ? n : (size_t)n_kept;
    for (size_t i = 0; i < n; i++)
        out[i] = diary->decisions[(diary->n - n + i) % JOB_DECISIONS];
    return n;
}
