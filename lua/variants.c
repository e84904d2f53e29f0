/* The generated pools behind tide.pool; see variants.h. */
#include "variants.h"

#include "lua_shared_block_pool.h"
#include "lua_shared_reject_pool.h"
#include "lua_steal_block_pool.h"
#include "lua_steal_reject_pool.h"

const struct tp_pool_ops *tide_variant(bool stealing, bool reject)
{
    static const struct tp_pool_ops *const variants[2][2] = {
        {&lua_shared_block_pool_ops, &lua_shared_reject_pool_ops},
        {&lua_steal_block_pool_ops, &lua_steal_reject_pool_ops},
    };
    return variants[stealing][reject];
}
