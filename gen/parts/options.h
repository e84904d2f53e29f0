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
#ifndef WITH_AFFINITY /* workers stay on one processor each */
#define WITH_AFFINITY 0
#endif
#ifndef WITH_RANGE /* workers: a range; some threads are started when there is work for them */
#define WITH_RANGE 0
#endif
#ifndef WITH_BOUNDED /* the capacity is a number, not unlimited */
#define WITH_BOUNDED 1
#endif
#ifndef WITH_PREALLOCATE /* memory for some tasks is held from the beginning */
#define WITH_PREALLOCATE 0
#endif
#ifndef WITH_ANY /* overload: chosen when the pool is opened */
#define WITH_ANY 0
#endif
#ifndef WITH_REJECT /* overload: refuse the task */
#define WITH_REJECT WITH_ANY
#endif
#ifndef WITH_CALLER_RUNS /* overload: the submitter runs the task */
#define WITH_CALLER_RUNS WITH_ANY
#endif
#ifndef WITH_DROP_OLDEST /* overload: drop the oldest task that has not started */
#define WITH_DROP_OLDEST (WITH_ANY && (WITH_PRIORITY || WITH_FAIR || WITH_ADAPTIVE))
#endif
#ifndef WITH_DROP_NEWEST /* overload: drop the task */
#define WITH_DROP_NEWEST WITH_ANY
#endif
#ifndef WITH_SPILL /* overload: accept the task all the same */
#define WITH_SPILL WITH_ANY
#endif
#ifndef WITH_BLOCK /* overload: the submitter waits */
#define WITH_BLOCK (WITH_ANY || !(WITH_REJECT || WITH_CALLER_RUNS || WITH_DROP_OLDEST || WITH_DROP_NEWEST || WITH_SPILL))
#endif
#ifndef WITH_WAITING /* block: a limit on waiting submitters */
#define WITH_WAITING WITH_ANY
#endif
#ifndef WITH_DEADLINE /* block: a limit on how long a submitter waits */
#define WITH_DEADLINE WITH_ANY
#endif
#ifndef WITH_DROPPED /* drop: a function is told of dropped tasks */
#define WITH_DROPPED 0
#endif
#ifndef WITH_LIFO /* policy: newest first; else oldest first */
#define WITH_LIFO 0
#endif
#ifndef WITH_PRIORITY /* policy: by level */
#define WITH_PRIORITY 0
#endif
#ifndef WITH_FAIR /* policy: by shares of time */
#define WITH_FAIR 0
#endif
#ifndef WITH_ADAPTIVE /* policy: changes by measured evidence */
#define WITH_ADAPTIVE 0
#endif
#ifndef WITH_CLASSES /* tasks have classes */
#define WITH_CLASSES (WITH_PRIORITY || WITH_FAIR || WITH_ADAPTIVE)
#endif
#ifndef WITH_BOARD /* one ordered queue for the pool, not lanes */
#define WITH_BOARD (WITH_CLASSES || WITH_DROP_OLDEST)
#endif
#ifndef WITH_STEALING /* idle workers take tasks from the queues of others */
#define WITH_STEALING 1
#endif
#ifndef WITH_RING /* workers have queues of their own */
#define WITH_RING (!WITH_BOARD || (WITH_ADAPTIVE && WITH_STEALING))
#endif
#ifndef WITH_HALF /* a thief takes half of a queue; else one task */
#define WITH_HALF 1
#endif
#ifndef WITH_MOST /* but only so many */
#define WITH_MOST 0
#endif
#ifndef WITH_RANDOM /* a thief begins with a random victim; else with its neighbour */
#define WITH_RANDOM 1
#endif
#ifndef WITH_NEWEST /* a task's newest child runs next */
#define WITH_NEWEST 0
#endif
#ifndef WITH_TRACKING /* tasks have ids and handles */
#define WITH_TRACKING 0
#endif
#ifndef WITH_COROUTINE /* a task runs in a coroutine, and waits without its worker */
#define WITH_COROUTINE 0
#endif
#ifndef WITH_FORKS /* tasks share what they fork, by tp_fork */
#define WITH_FORKS 0
#endif
#ifndef WITH_PINNED /* a coroutine goes on on the worker that began it */
#define WITH_PINNED 0
#endif
#ifndef WITH_TIMEOUT /* a limit on how long a task runs */
#define WITH_TIMEOUT 0
#endif
#ifndef WITH_EXPIRE /* threads of idle workers end */
#define WITH_EXPIRE 0
#endif
#ifndef WITH_TUNE /* capacity and workers can be changed */
#define WITH_TUNE 0
#endif
#ifndef WITH_AUTO /* a monitor changes the number of workers */
#define WITH_AUTO 0
#endif
#ifndef WITH_HOURS /* the monitor keeps hours */
#define WITH_HOURS 0
#endif
#ifndef WITH_KEEPER /* a thread that looks after the pool */
#define WITH_KEEPER (WITH_TIMEOUT || WITH_EXPIRE || WITH_AUTO)
#endif
#ifndef WITH_STATS /* counters and job_pool_stats */
#define WITH_STATS 1
#endif
#ifndef WITH_OPS /* job_pool_ops: the pool behind a table of functions */
#define WITH_OPS 0
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
#ifndef VALUE_PAYLOAD_NAME /* the same as text */
#define VALUE_PAYLOAD_NAME "uintptr_t"
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
#ifndef VALUE_WORKERS_MIN /* workers kept when idle */
#define VALUE_WORKERS_MIN 1
#endif
#ifndef VALUE_CAPACITY /* tasks in flight */
#define VALUE_CAPACITY 1024
#endif
#ifndef VALUE_PREALLOCATE /* tasks for which memory is held */
#define VALUE_PREALLOCATE 256
#endif
#ifndef VALUE_WAITING /* blocked submitters at most */
#define VALUE_WAITING (WITH_ANY ? 0xffffffff : 100)
#endif
#ifndef VALUE_DEADLINE_NS /* longest time a submitter is blocked */
#define VALUE_DEADLINE_NS (WITH_ANY ? 0xffffffffffffffff : 2000000000)
#endif
#ifndef VALUE_DROPPED /* the function told of dropped tasks */
#define VALUE_DROPPED job_dropped
#endif
#ifndef VALUE_CLASSES /* the classes; of a priority pool the highest comes first */
#define VALUE_CLASSES JOB_CLASS_HIGH, JOB_CLASS_NORMAL, JOB_CLASS_LOW
#endif
#ifndef VALUE_CLASS_DEFAULT /* the class of a task that names none */
#define VALUE_CLASS_DEFAULT JOB_CLASS_NORMAL
#endif
#ifndef VALUE_WEIGHTS /* of the classes */
#define VALUE_WEIGHTS 4, 2, 1
#endif
#ifndef VALUE_EXCEED /* tasks of the highest level accepted beyond the capacity */
#define VALUE_EXCEED 64
#endif
#ifndef VALUE_PENDING /* tasks of the lowest level accepted beyond the capacity */
#define VALUE_PENDING 0
#endif
#ifndef VALUE_AGE /* times in a row that a level with tasks is passed over */
#define VALUE_AGE 64
#endif
#ifndef VALUE_SLICE_NS /* how long a worker stays with a class */
#define VALUE_SLICE_NS 1000000
#endif
#ifndef VALUE_QUEUE /* slots of one worker's queue: a power of two, 2 .. 16384 */
#define VALUE_QUEUE 256
#endif
#ifndef VALUE_MOST /* tasks a thief takes at most */
#define VALUE_MOST 32
#endif
#ifndef VALUE_NEWEST /* newest children run in a row at most */
#define VALUE_NEWEST 3
#endif
#ifndef VALUE_STACK /* bytes of a coroutine's stack */
#define VALUE_STACK 65536
#endif
#ifndef VALUE_TIMEOUT_NS /* how long a task may run */
#define VALUE_TIMEOUT_NS 30000000000
#endif
#ifndef VALUE_EXPIRE_NS /* how long a worker is idle before its thread ends */
#define VALUE_EXPIRE_NS 60000000000
#endif
#ifndef VALUE_PERIOD_NS /* how often the monitor looks */
#define VALUE_PERIOD_NS 100000000
#endif
#ifndef VALUE_HOURS_FROM /* minutes of the day */
#define VALUE_HOURS_FROM 480
#endif
#ifndef VALUE_HOURS_TO
#define VALUE_HOURS_TO 1080
#endif
#ifndef VALUE_BALANCE /* of a multi-pool; its VALUE_MEMBERS, { ops, how many }, ..., have no default */
#define VALUE_BALANCE TP_BALANCE_ROUND_ROBIN
#endif
