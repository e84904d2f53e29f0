/* The holes of the template: everything a config can change, and nothing else.
 *
 * gen/parts is a working pool named `job`. The preprocessor fills the holes here; the generator
 * does the same to the text: it keeps or deletes what stands between `#if WITH_X` and `#endif`,
 * writes a value for each VALUE_X, and renames job_ and JOB_. So what the compiler, the sanitizers
 * and the model explorer see of the template is what a generated pool says.
 * A test chooses a variant with -D. */

/* -- switches: 0 or 1 ----------------------------------------------------------------------- */

#ifndef WITH_CORES /* workers follow the number of cores */
#define WITH_CORES 1
#endif
#ifndef WITH_BOUNDED /* the capacity is a number, not unlimited */
#define WITH_BOUNDED 1
#endif
#ifndef WITH_BLOCK /* overload: block the submitter; else reject */
#define WITH_BLOCK 1
#endif
#ifndef WITH_WAITING /* overload: a limit on blocked submitters */
#define WITH_WAITING 0
#endif
#ifndef WITH_DEADLINE /* overload: a limit on how long a submitter is blocked */
#define WITH_DEADLINE 0
#endif
#ifndef WITH_LIFO /* policy: newest first; else oldest first */
#define WITH_LIFO 0
#endif
#ifndef WITH_STEALING /* idle workers take tasks from the queues of others */
#define WITH_STEALING 1
#endif
#ifndef WITH_HALF /* a thief takes half of a queue; else one task */
#define WITH_HALF 1
#endif
#ifndef WITH_STATS /* counters and job_pool_stats */
#define WITH_STATS 1
#endif

/* -- values ---------------------------------------------------------------------------------- */

#ifndef VALUE_NAME /* the pool's name, for its threads */
#define VALUE_NAME "job"
#endif
#ifndef VALUE_INCLUDE /* headers that declare the payload type; the line is repeated or left out */
#define VALUE_INCLUDE <stdint.h>
#endif
#ifndef VALUE_PAYLOAD /* the type of a task's argument */
#define VALUE_PAYLOAD uintptr_t
#endif
#ifndef VALUE_RUN /* the function that runs a task */
#define VALUE_RUN job_run
#endif
#ifndef VALUE_WORKERS /* a number, or cores * VALUE_WORKERS / VALUE_WORKERS_DIVISOR */
#define VALUE_WORKERS 1
#endif
#ifndef VALUE_WORKERS_DIVISOR
#define VALUE_WORKERS_DIVISOR 1
#endif
#ifndef VALUE_CAPACITY /* tasks in flight */
#define VALUE_CAPACITY 1024
#endif
#ifndef VALUE_WAITING /* blocked submitters at most */
#define VALUE_WAITING 100
#endif
#ifndef VALUE_DEADLINE_NS /* longest time a submitter is blocked */
#define VALUE_DEADLINE_NS 2000000000
#endif
#ifndef VALUE_QUEUE /* slots of one worker's queue: a power of two, 2 .. 16384 */
#define VALUE_QUEUE 256
#endif
