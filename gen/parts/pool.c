/* The template: a working pool named `job`, in the order a reader wants it. options.h fills its
 * holes for the compiler, the generator fills them in the text; docs/generated-code.md says how. */
#include "options.h"

#include "pool.h"

#include <tidepool_kit.h>

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "types.c"
#if WITH_RING && WITH_STEALING
#include "queue_shared.c"
#endif
#if WITH_RING && !WITH_STEALING
#include "queue_private.c"
#endif
#if WITH_AUTO || WITH_ADAPTIVE
#include "diary.c"
#endif
#if WITH_BOARD
#include "board_types.c"
#include "board.c"
#endif
#if WITH_BOARD && !WITH_CLASSES
#include "pick_plain.c"
#endif
#if WITH_PRIORITY || WITH_ADAPTIVE
#include "pick_priority.c"
#endif
#if WITH_FAIR || WITH_ADAPTIVE
#include "pick_fair.c"
#endif
#if WITH_ADAPTIVE
#include "pick_adaptive.c"
#endif
#if !WITH_BOARD && WITH_LIFO
#include "lane_lifo.c"
#endif
#if !WITH_BOARD && !WITH_LIFO
#include "lane_fifo.c"
#endif
#include "state.c"
#if WITH_BOUNDED && WITH_BLOCK
#include "room_tell.c"
#endif
#include "counts.c"
#if WITH_BOUNDED && WITH_BOARD
#include "room_board.c"
#endif
#if WITH_BOUNDED && !WITH_BOARD
#include "room.c"
#endif
#if WITH_BOUNDED && WITH_BLOCK
#include "room_wait.c"
#endif
#include "execute.c"
#if WITH_COROUTINE
#include "coroutine.c"
#endif
#if WITH_BOARD || WITH_BOUNDED && WITH_BLOCK || WITH_BOUNDED && WITH_CALLER_RUNS
#include "run_here.c"
#endif
#if WITH_NEWEST
#include "newest.c"
#endif
#if WITH_RING && WITH_STEALING
#include "steal.c"
#endif
#if WITH_BOARD
#include "take_board.c"
#else
#include "take_lanes.c"
#endif
#include "worker.c"
#if WITH_BOUNDED
#include "overload.c"
#endif
#if WITH_BOARD
#include "submit_board.c"
#else
#include "submit_lanes.c"
#endif
#include "submit.c"
#if WITH_TRACKING
#include "tracking.c"
#endif
#if WITH_BOARD
#include "cleanup_board.c"
#else
#include "cleanup_lanes.c"
#endif
#include "read.c"
#if WITH_FAIR || WITH_ADAPTIVE
#include "shares.c"
#endif
#if WITH_TUNE
#include "tune.c"
#endif
#if WITH_KEEPER
#include "keeper.c"
#endif
#if WITH_STATS
#include "stats.c"
#endif
#include "settings.c"
#include "life.c"
#if WITH_OPS
#include "ops.c"
#endif
