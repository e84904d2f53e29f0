/* One table of functions for each generated pool; see variants.h. */
#include "variants.h"

#include "lua_shared_block_pool.h"
#include "lua_shared_reject_pool.h"
#include "lua_steal_block_pool.h"
#include "lua_steal_reject_pool.h"

/* STEALS is a statement that copies the counters which only a stealing pool has. */
#define TIDE_VARIANT(NAME, STEALS)                                                         \
    static int NAME##_open(void **out, uint32_t workers, uint64_t capacity)                \
    {                                                                                      \
        struct NAME##_pool_settings settings = {.workers = workers, .capacity = capacity}; \
        struct NAME##_pool *pool;                                                          \
        int status = NAME##_pool_open(&pool, &settings);                                   \
        if (status == 0)                                                                   \
            *out = pool;                                                                   \
        return status;                                                                     \
    }                                                                                      \
    static int NAME##_put(void *pool, struct tide_call *call)                              \
    {                                                                                      \
        return NAME##_submit(pool, call);                                                  \
    }                                                                                      \
    static int NAME##_quiet(void *pool, uint64_t deadline_ns)                              \
    {                                                                                      \
        return NAME##_join_all(pool, deadline_ns);                                         \
    }                                                                                      \
    static int NAME##_close(void *pool, uint64_t deadline_ns)                              \
    {                                                                                      \
        return NAME##_pool_close(pool, deadline_ns);                                       \
    }                                                                                      \
    static void NAME##_free(void *pool)                                                    \
    {                                                                                      \
        NAME##_pool_free(pool);                                                            \
    }                                                                                      \
    static void NAME##_stats(void *pool, struct tide_pool_stats *out)                      \
    {                                                                                      \
        struct NAME##_stats stats;                                                         \
        NAME##_pool_stats(pool, &stats);                                                   \
        *out = (struct tide_pool_stats){                                                   \
            .submitted = stats.submitted,                                                  \
            .completed = stats.completed,                                                  \
            .failed = stats.failed,                                                        \
            .rejected = stats.rejected,                                                    \
            .parks = stats.parks,                                                          \
            .capacity = stats.capacity,                                                    \
            .pending = stats.pending,                                                      \
            .running = stats.running,                                                      \
            .waiting = stats.waiting,                                                      \
            .parked = stats.parked,                                                        \
            .workers = stats.workers,                                                      \
        };                                                                                 \
        STEALS                                                                             \
    }                                                                                      \
    static const struct tide_pool_ops NAME##_ops = {                                       \
        .open = NAME##_open,                                                               \
        .submit = NAME##_put,                                                              \
        .join_all = NAME##_quiet,                                                          \
        .close = NAME##_close,                                                             \
        .free = NAME##_free,                                                               \
        .stats = NAME##_stats,                                                             \
    };

#define COPY_STEALS                             \
    out->steal_attempts = stats.steal_attempts; \
    out->steals = stats.steals;                 \
    out->stolen = stats.stolen;

TIDE_VARIANT(lua_steal_block, COPY_STEALS)
TIDE_VARIANT(lua_steal_reject, COPY_STEALS)
TIDE_VARIANT(lua_shared_block, )
TIDE_VARIANT(lua_shared_reject, )

const struct tide_pool_ops *tide_variant(bool stealing, bool reject)
{
    static const struct tide_pool_ops *const variants[2][2] = {
        {&lua_shared_block_ops, &lua_shared_reject_ops},
        {&lua_steal_block_ops, &lua_steal_reject_ops},
    };
    return variants[stealing][reject];
}
