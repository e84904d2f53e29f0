-- What ./tidepool bench can measure: workloads, their rows, and the contenders of each.
-- A contender is one program below build/release/bench/ (source: bench/PROGRAM.c, .cc, .go or .lua), run
-- as PROGRAM TASKS WORKERS PRODUCERS [VARIANT]; `package` is what Debian calls a peer's library.
-- A contender that is slow may have `tasks` of its own, a row `contenders` of its own. What a
-- program prints is shown by `views`, each naming a figure, its processor time if any, and its unit.
-- Contenders whose names begin with "tidepool" are ours; the first of a workload is the unit of
-- the ratios. `shares` marks a contender whose submitting thread runs tasks too, so that part of
-- them never change threads. `absent` says which peers cannot do the workload, and why.

local function peer(name, program, package, variant)
  return { name = name, program = program, package = package, variant = variant }
end

local function sharing(contender)
  contender.shares = true
  return contender
end

local function few(contender)
  contender.tasks = 20000
  return contender
end

-- With a mapping and a guard for each there can be no more.
local function within_mappings(contender)
  contender.tasks = 30000
  return contender
end

local function fib26(contender)
  contender.tasks = 196417
  return contender
end

return {
  {
    name = "submit",
    what = "outside threads submit empty tasks to 2 workers; until all are done",
    unit = "ns/task",
    tasks = 1000000,
    things = "tasks",
    rows = {
      { name = "1 producer", workers = 2, producers = 1 },
      { name = "4 producers", workers = 2, producers = 4 },
    },
    contenders = {
      { name = "tidepool", program = "submit_tidepool" },
      { name = "tidepool, batches of 64", program = "submit_tidepool", variant = "batch" },
      sharing(peer("OpenMP, team of workers", "submit_openmp", "gcc")),
      sharing(peer("OpenMP, extra producers", "submit_openmp", "gcc", "extra")),
      sharing(peer("oneTBB task_group", "submit_tbb", "libtbb-dev", "group")),
      peer("oneTBB enqueue", "submit_tbb", "libtbb-dev", "enqueue"),
      peer("libuv", "submit_libuv", "libuv1-dev"),
      peer("GLib", "submit_glib", "libglib2.0-dev"),
      sharing(peer("Go channel", "submit_go", "golang-go", "channel")),
      sharing(peer("Go, a goroutine per task", "submit_go", "golang-go", "go")),
    },
  },
  {
    name = "spawn",
    what = "one task spawns empty children, 2 workers; until all are done",
    unit = "ns/task",
    tasks = 1000000,
    things = "tasks",
    rows = { { name = "1 parent", workers = 2, producers = 1 } },
    contenders = {
      { name = "tidepool", program = "spawn_tidepool" },
      { name = "tidepool, capacity 65536", program = "spawn_tidepool_bounded" },
      peer("OpenMP", "spawn_openmp", "gcc"),
      peer("oneTBB task_group", "spawn_tbb", "libtbb-dev"),
      peer("GLib", "spawn_glib", "libglib2.0-dev"),
      peer("Go, a goroutine per task", "spawn_go", "golang-go"),
    },
    absent = { { "libuv", "uv_queue_work may be called by the loop's thread only, never by a task" } },
  },
  {
    name = "fork",
    what = "fib(32) on 2 workers, each call of which forks one of its two calls",
    unit = "ns/fork",
    tasks = 3524577, -- forks of fib(32); of fib(26) for those who take long
    things = "forks",
    rows = { { name = "fib(32)", workers = 2, producers = 1 } },
    contenders = {
      { name = "tidepool", program = "fork_tidepool", variant = "fib" },
      { name = "tidepool, tp_unfork", program = "fork_tidepool", variant = "fib, tp_unfork" },
      peer("plain calls, 1 thread", "fork_serial", "gcc", "fib"),
      peer("oneTBB task_group", "fork_tbb", "libtbb-dev", "fib"),
      fib26(peer("OpenMP", "fork_openmp", "gcc", "fib")),
      fib26(peer("Go, a goroutine per branch", "fork_go", "golang-go", "fib")),
    },
  },
  {
    name = "skynet",
    what = "a tree of tens to a million leaves, on 2 workers; the sum of their numbers",
    unit = "ns/leaf", -- so the figure is also the milliseconds of a round
    tasks = 1000000,
    things = "leaves",
    rows = { { name = "1 M leaves", workers = 2, producers = 1 } },
    contenders = {
      { name = "tidepool, forks", program = "fork_tidepool", variant = "skynet" },
      { name = "tidepool, coroutines", program = "skynet_tidepool" },
      peer("plain calls, 1 thread", "fork_serial", "gcc", "skynet"),
      peer("oneTBB task_group", "fork_tbb", "libtbb-dev", "skynet"),
      peer("OpenMP", "fork_openmp", "gcc", "skynet"),
      peer("Go, a goroutine per branch", "fork_go", "golang-go", "skynet"),
    },
  },
  {
    name = "lock",
    what = "threads enter one critical section of about 20 ns",
    unit = "ns/entry",
    tasks = 4000000,
    things = "entries",
    rows = {
      { name = "2 threads", workers = 2, producers = 2 },
      { name = "16 threads", workers = 2, producers = 16 },
    },
    contenders = {
      { name = "tidepool spin lock", program = "lock_spin" },
      peer("pthread mutex", "lock_pthread", "libc6-dev"),
      peer("pthread spin lock", "lock_pthread", "libc6-dev", "spin"),
      peer("oneTBB spin_mutex", "lock_tbb", "libtbb-dev"),
      peer("Go mutex", "lock_go", "golang-go"),
    },
  },
  {
    name = "mutex",
    what = "tasks enter one critical section of about 20 ns",
    unit = "ns/entry",
    tasks = 4000000,
    things = "entries",
    rows = {
      { name = "1 task", workers = 1, producers = 1 },
      { name = "2 tasks", workers = 2, producers = 2 },
      { name = "16 tasks", workers = 2, producers = 16 },
    },
    contenders = {
      { name = "tidepool mutex", program = "mutex_tidepool" },
      { name = "tidepool mutex, threads", program = "mutex_tidepool", variant = "threads" },
      peer("pthread mutex, threads", "lock_pthread", "libc6-dev"),
      peer("Go mutex", "lock_go", "golang-go"),
    },
  },
  {
    name = "objects",
    what = "tasks take one of two objects, use it for about 20 ns, and give it back",
    unit = "ns/use",
    tasks = 2000000,
    things = "uses",
    rows = {
      { name = "1 task", workers = 1, producers = 1 },
      { name = "2 tasks", workers = 2, producers = 2 },
      { name = "16 tasks", workers = 2, producers = 16 },
    },
    contenders = {
      { name = "tidepool", program = "objects_tidepool" },
      { name = "tidepool, threads", program = "objects_tidepool", variant = "threads" },
      peer("Go channel", "objects_go", "golang-go"),
    },
  },
  {
    name = "reuse",
    what = "tasks on workers that stay; each group handed over and waited for before the next",
    unit = "ns/task",
    tasks = 200000,
    things = "tasks",
    rows = { -- `producers` is how many tasks are in flight together
      { name = "one at a time", workers = 2, producers = 1 },
      { name = "64 together", workers = 2, producers = 64 },
    },
    contenders = {
      { name = "tidepool", program = "reuse_tidepool" },
      few(peer("pthread_create + join", "reuse_pthread", "libc6-dev")),
      few(peer("libuv", "reuse_libuv", "libuv1-dev")),
      sharing(peer("Go channel", "reuse_go", "golang-go", "channel")),
      sharing(peer("Go, a goroutine per task", "reuse_go", "golang-go", "go")),
    },
  },
  {
    name = "latency",
    what = "one task every 100 µs to idle workers; from its submission to its start",
    unit = "µs",
    tasks = 10000,
    things = "tasks",
    rows = { { name = "1 producer", workers = 2, producers = 1 } },
    views = {
      { name = "p50", field = "p50_us" },
      { name = "p99", field = "p99_us" },
      { name = "p99.9", field = "p999_us" },
      { name = "processors", field = "cpu_percent", unit = "%" },
    },
    contenders = {
      { name = "tidepool", program = "latency_tidepool" },
      peer("a thread and a futex", "latency_futex", "libc6-dev"),
      peer("oneTBB enqueue", "latency_tbb", "libtbb-dev"),
      peer("libuv", "latency_libuv", "libuv1-dev"),
      peer("GLib", "latency_glib", "libglib2.0-dev"),
      peer("OpenMP", "latency_openmp", "gcc"),
      peer("Go channel", "latency_go", "golang-go", "channel"),
      peer("Go, a goroutine per task", "latency_go", "golang-go", "go"),
    },
  },
  {
    name = "stats",
    what = "the submit and spawn workloads, with counters and without",
    unit = "ns/task",
    tasks = 1000000,
    things = "tasks",
    rows = {
      {
        name = "submit, 1 producer", workers = 2, producers = 1,
        contenders = {
          { name = "tidepool, stats off", program = "submit_tidepool" },
          { name = "tidepool, stats on", program = "submit_tidepool_stats" },
        },
      },
      {
        name = "spawn, 1 parent", workers = 2, producers = 1,
        contenders = {
          { name = "tidepool, stats off", program = "spawn_tidepool" },
          { name = "tidepool, stats on", program = "spawn_tidepool_stats" },
        },
      },
    },
  },
  {
    name = "variant",
    what = "the submit and spawn workloads, on a generated pool and on the stock pool of the same settings",
    unit = "ns/task",
    tasks = 1000000,
    things = "tasks",
    rows = {
      {
        name = "submit, 1 producer", workers = 2, producers = 1,
        contenders = {
          { name = "tidepool, generated", program = "submit_tidepool" },
          { name = "tidepool, stock", program = "variant_tidepool", variant = "submit" },
        },
      },
      {
        name = "spawn, 1 parent", workers = 2, producers = 1,
        contenders = {
          { name = "tidepool, generated", program = "spawn_tidepool_bounded" },
          { name = "tidepool, stock", program = "variant_tidepool", variant = "spawn" },
        },
      },
    },
  },
  {
    name = "multi",
    what = "the submit workload on one pool, and on several behind one face that share out the workers",
    unit = "ns/task",
    tasks = 1000000,
    things = "tasks",
    rows = { { name = "4 producers", workers = 2, producers = 4 } },
    contenders = {
      { name = "tidepool", program = "submit_tidepool" },
      { name = "tidepool, multi of 1", program = "multi_tidepool", variant = "1" },
      { name = "tidepool, multi of 2", program = "multi_tidepool", variant = "2" },
      { name = "tidepool, multi of 4", program = "multi_tidepool", variant = "4" },
      { name = "tidepool, multi of 1, least tasks", program = "multi_tidepool", variant = "least1" },
      { name = "tidepool, multi of 2, least tasks", program = "multi_tidepool", variant = "least2" },
      { name = "tidepool, multi of 4, least tasks", program = "multi_tidepool", variant = "least4" },
    },
  },
  {
    name = "switch",
    what = "a coroutine is resumed, counts, and yields",
    unit = "ns/pair",
    tasks = 10000000,
    things = "pairs",
    rows = { { name = "1 coroutine", workers = 1, producers = 1 } },
    contenders = {
      { name = "tidepool", program = "switch_tidepool" },
      { name = "tidepool, fp_environment", program = "switch_tidepool", variant = "float" },
      { name = "tidepool, bare switch", program = "switch_tidepool", variant = "bare" },
      peer("Boost.Context", "switch_boost", "libboost-context-dev"),
      few(peer("ucontext", "switch_ucontext", "libc6-dev")),
    },
  },
  {
    name = "pingpong",
    what = "two tasks send a number back and forth through two channels without room",
    unit = "ns/message",
    tasks = 2000000,
    things = "messages",
    rows = {
      { name = "1 worker", workers = 1, producers = 1 },
      { name = "2 workers", workers = 2, producers = 1 },
    },
    contenders = {
      { name = "tidepool", program = "pingpong_tidepool" },
      peer("Go", "pingpong_go", "golang-go"),
      few(peer("Boost.Fiber", "pingpong_boost", "libboost-fiber-dev")),
    },
  },
  {
    name = "echo",
    what = "50 connections on loopback send 64 bytes and wait for them; the client is a process of its own",
    unit = "ns/request",
    tasks = 200000,
    things = "requests",
    rows = {
      { name = "1 worker", workers = 1, producers = 1 },
      {
        name = "2 workers", workers = 2, producers = 1,
        contenders = {
          { name = "tidepool", program = "echo_tidepool" },
          peer("epoll alone", "echo_epoll", "libc6-dev"),
          peer("Go, a goroutine each", "echo_go", "golang-go"),
        },
      },
    },
    contenders = {
      { name = "tidepool", program = "echo_tidepool" },
      peer("epoll alone", "echo_epoll", "libc6-dev"),
      peer("Go, a goroutine each", "echo_go", "golang-go"),
      peer("luv, callbacks in Lua", "echo_luv", "lua-luv"),
    },
  },
  {
    name = "timers",
    what = "sleeps of random times below a second, all at once; a timer that is set and cancelled: processor time",
    unit = "ns",
    tasks = 1000000, -- so the figure of the sleeps is also the milliseconds of a round
    things = "timers",
    views = { { field = "cpu_ns_per_task" } },
    rows = {
      {
        name = "1 M sleeps", workers = 2, producers = 1,
        contenders = {
          { name = "tidepool", program = "timers_tidepool" },
          { name = "tidepool, a timer each", program = "timers_tidepool", variant = "object" },
          { name = "tidepool, a timer each, slack 1 ms", program = "timers_tidepool", variant = "object-ms" },
          peer("libuv, a timer each", "timers_libuv", "libuv1-dev"),
          peer("Go, a goroutine each", "timers_go", "golang-go"),
          peer("Go, AfterFunc", "timers_go", "golang-go", "after"),
        },
      },
      {
        name = "set and cancel", workers = 1, producers = 1,
        contenders = {
          { name = "tidepool", program = "timers_tidepool", variant = "cancel" },
          { name = "tidepool, a timer", program = "timers_tidepool", variant = "cancel-object" },
          peer("libuv", "timers_libuv", "libuv1-dev", "cancel"),
          peer("Go", "timers_go", "golang-go", "cancel"),
        },
      },
    },
  },
  {
    name = "idle",
    what = "connections on loopback, each heard once, then quiet: memory of the server for each, page tables included",
    unit = "bytes",
    tasks = 10000,
    things = "connections",
    views = { { field = "bytes" } },
    rows = { { name = "10 000 connections", workers = 2, producers = 1 } },
    contenders = {
      { name = "tidepool", program = "echo_tidepool", variant = "idle" },
      peer("epoll alone", "echo_epoll", "libc6-dev", "idle"),
      peer("Go, a goroutine each", "echo_go", "golang-go", "idle"),
      peer("luv, callbacks in Lua", "echo_luv", "lua-luv", "idle"),
    },
  },
  {
    name = "create",
    what = "a coroutine with a stack of 64 KiB is had, runs to its end, and goes back",
    unit = "ns",
    tasks = 3000000,
    things = "coroutines",
    rows = { { name = "1 at a time", workers = 1, producers = 1 } },
    contenders = {
      { name = "tidepool", program = "create_tidepool" },
      { name = "tidepool, set again by hand", program = "create_tidepool", variant = "reset" },
      few { name = "tidepool, fresh stacks", program = "create_tidepool", variant = "fresh" },
      peer("Boost.Context, pooled stacks", "create_boost", "libboost-context-dev"),
      few(peer("Boost.Context, fresh stacks", "create_boost", "libboost-context-dev", "fresh")),
    },
  },
  {
    name = "parked",
    what = "coroutines with guarded stacks are suspended, all at once: memory of each, page tables included",
    unit = "bytes",
    tasks = 1000000,
    things = "coroutines",
    views = { { field = "bytes" } },
    rows = { { name = "all at once", workers = 1, producers = 1 } },
    contenders = {
      { name = "tidepool", program = "parked_tidepool" },
      { name = "tidepool, stacks of 64 KiB", program = "parked_tidepool", variant = "64k" },
      within_mappings(peer("Boost.Context", "parked_boost", "libboost-context-dev")),
      within_mappings(peer("ucontext", "parked_ucontext", "libc6-dev")),
      peer("Go, a goroutine each", "parked_go", "golang-go"),
    },
  },
  {
    name = "frame",
    what = "blocks of 4000 bytes are taken, written to, and given back, by one thread",
    unit = "ns/pair",
    tasks = 10000000,
    things = "pairs",
    rows = {
      {
        name = "alternate", workers = 1, producers = 1,
        contenders = {
          { name = "tidepool", program = "frame_tidepool" },
          { name = "tidepool, own cache", program = "frame_tidepool", variant = "own" },
          peer("malloc", "frame_malloc", "libc6-dev"),
        },
      },
      {
        name = "1000 live", workers = 1, producers = 1,
        contenders = {
          { name = "tidepool", program = "frame_tidepool", variant = "live" },
          { name = "tidepool, own cache", program = "frame_tidepool", variant = "own-live" },
          { name = "tidepool, in bulk", program = "frame_tidepool", variant = "many" },
          few(peer("malloc", "frame_malloc", "libc6-dev", "live")),
        },
      },
    },
  },
  {
    name = "size",
    what = "code and data of one pool, as gcc -O2 makes it; a stock program has all of the stock pools",
    unit = "bytes",
    tasks = 1,
    things = "object",
    views = { { field = "bytes" } },
    rows = {
      {
        name = "one pool", workers = 1, producers = 1,
        contenders = {
          { name = "tidepool, generated", program = "size_object", variant = "build/release/bench/empty_pool.o" },
          { name = "tidepool, stock", program = "size_object", variant = "build/release/stock/stock_fifo_half_pool.o" },
        },
      },
    },
  },
}
