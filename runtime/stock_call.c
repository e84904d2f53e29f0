/* What the pools of stock.pool call for a task, and for one that will not run. In a file of its own, for programs that open one of them only, by its table. */
#include "stock.h"

int stock_call_run(struct tp_call call);
void stock_call_dropped(struct tp_call call);

int stock_call_run(struct tp_call call)
{
    return call.run(call.argument);
}

void stock_call_dropped(struct tp_call call)
{
    tp_call_dropped(call);
}
