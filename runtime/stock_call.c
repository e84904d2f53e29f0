/* What the pools of stock.pool call for a task. In a file of its own, for programs that open one of them only, by its table. */
#include "stock.h"

int stock_call_run(struct tp_call call);

int stock_call_run(struct tp_call call)
{
    return call.run(call.argument);
}
