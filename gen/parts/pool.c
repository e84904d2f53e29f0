/* The template: a working pool named `job`, in the order a reader wants it. options.h fills its
 * holes for the compiler, the generator fills them in the text; docs/generated-code.md says how. */
#include "options.h"

#include "pool.h"

#include <tidepool_kit.h>

#if WITH_BOUNDED && WITH_BLOCK
#include <sched.h>
#endif
#include <stdlib.h>
#include <string.h>

#include "types.c"
#if WITH_STEALING
#include "queue_shared.c"
#else
#include "queue_private.c"
#endif
#if WITH_LIFO
#include "lane_lifo.c"
#else
#include "lane_fifo.c"
#endif
#include "counts.c"
#if WITH_BOUNDED
#include "room.c"
#endif
#if WITH_BOUNDED && WITH_BLOCK
#include "room_wait.c"
#endif
#if WITH_STEALING
#include "steal.c"
#endif
#include "worker.c"
#if WITH_BOUNDED && WITH_BLOCK
#include "nested.c"
#endif
#include "submit.c"
#include "life.c"
#if WITH_STATS
#include "stats.c"
#endif
