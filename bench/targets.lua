-- The targets, as constants, and figures of peers that Debian does not package.
-- A target is for one row of a workload and one contender of ours, and is one of
--   at_most      the median in the row's unit
--   times_peer   how many times faster than the fastest peer of the same run that hands every task
--                to another thread (see `shares` in workloads.lua)
--   times, of    how many times faster than that contender
--   not_above    the contender whose median must not be exceeded
--   at_most_more, than   by how much that contender's median may be exceeded
-- `recorded` figures come from another machine (2 virtual cores, Skylake-SP 2.5 GHz, noisy): they
-- are printed as a scale and never compared with what is measured here.

return {
  submit = {
    { row = "1 producer", contender = "tidepool", at_most = 40 },
    { row = "1 producer", contender = "tidepool, batches of 64", at_most = 15 },
    { row = "1 producer", contender = "tidepool", times_peer = 4 },
    recorded = {
      { "Boost.Fiber channel", 451 },
      { "Rayon", 502 },
      { "ants MultiPool", 837 },
      { "Taskflow", 939 },
      { "ants", 1003 },
      { "Tokio", 1311 },
    },
  },
  spawn = {
    { row = "1 parent", contender = "tidepool", at_most = 30 },
    recorded = {
      { "libdill, 1 thread", 67 },
      { "libfork", 170 },
      { "Argobots", 309 },
      { "Rayon", 358 },
      { "Tokio", 714 },
      { "ants", 817 },
    },
  },
  fork = {
    { row = "fib(32)", contender = "tidepool", at_most = 8 },
    { row = "fib(32)", contender = "tidepool", times = 0.625, of = "plain calls, 1 thread" },
    { row = "fib(32)", contender = "tidepool, tp_unfork", times = 0.625, of = "plain calls, 1 thread" },
    recorded = {
      { "Rayon", 13.5 },
      { "libfork", 80 },
      { "Taskflow", 141 },
      { "Argobots", 589 },
      { "Tokio", 958 },
    },
  },
  skynet = {
    { row = "1 M leaves", contender = "tidepool, forks", at_most = 30 },
    { row = "1 M leaves", contender = "tidepool, coroutines", at_most = 150 },
    { row = "1 M leaves", contender = "tidepool, coroutines", not_above = "Go, a goroutine per branch" },
    recorded = {
      { "libfork", 57 },
      { "Rayon", 67 },
      { "Taskflow", 153 },
      { "Argobots", 486 },
      { "Tokio", 1207 },
      { "Boost.Fiber", 2693 },
      { "libdill", 5285 },
    },
  },
  lock = {
    { row = "2 threads", contender = "tidepool spin lock", at_most = 50 },
    { row = "16 threads", contender = "tidepool spin lock", not_above = "pthread mutex" },
    recorded = { { "ants spin lock", 59 } },
  },
  mutex = {
    { row = "1 task", contender = "tidepool mutex", not_above = "pthread mutex, threads" },
    { row = "2 tasks", contender = "tidepool mutex", not_above = "pthread mutex, threads" },
    { row = "16 tasks", contender = "tidepool mutex", not_above = "pthread mutex, threads" },
  },
  objects = {
    { row = "1 task", contender = "tidepool", not_above = "Go channel" },
    { row = "2 tasks", contender = "tidepool", not_above = "Go channel" },
    { row = "16 tasks", contender = "tidepool", not_above = "Go channel" },
  },
  reuse = {
    { row = "one at a time", contender = "tidepool", times = 50, of = "pthread_create + join" },
    { row = "64 together", contender = "tidepool", times = 50, of = "pthread_create + join" },
  },
  latency = {
    { row = "1 producer, p50", contender = "tidepool", at_most = 6 },
    { row = "1 producer, p99", contender = "tidepool", at_most = 20 },
    { row = "1 producer, p99.9", contender = "tidepool", at_most = 150 },
    { row = "1 producer, processors", contender = "tidepool", at_most = 120 },
    recorded = { { "Tokio, p50", 11 }, { "ants, p50", 70 } },
  },
  stats = {
    { row = "submit, 1 producer", contender = "tidepool, stats on", at_most_more = 15,
      than = "tidepool, stats off" },
    { row = "spawn, 1 parent", contender = "tidepool, stats on", at_most_more = 15,
      than = "tidepool, stats off" },
  },
  variant = {
    { row = "submit, 1 producer", contender = "tidepool, generated", times = 1.5, of = "tidepool, stock" },
    { row = "spawn, 1 parent", contender = "tidepool, generated", times = 1.5, of = "tidepool, stock" },
  },
  multi = {
    { row = "4 producers", contender = "tidepool, multi of 1", not_above = "tidepool" },
    { row = "4 producers", contender = "tidepool, multi of 2", not_above = "tidepool" },
    { row = "4 producers", contender = "tidepool, multi of 4", not_above = "tidepool" },
    { row = "4 producers", contender = "tidepool, multi of 2, least tasks", not_above = "tidepool" },
    { row = "4 producers", contender = "tidepool, multi of 4, least tasks", not_above = "tidepool" },
  },
  create = {
    { row = "1 at a time", contender = "tidepool", at_most = 30 },
    { row = "1 at a time", contender = "tidepool", times = 100, of = "Boost.Context, fresh stacks" },
    recorded = {
      { "minicoro, reused", 59 },
      { "libdill", 67 },
      { "Argobots", 142 },
      { "Photon", 418 },
      { "Boost.Fiber", 985 },
    },
  },
  switch = {
    { row = "1 coroutine", contender = "tidepool", at_most = 10 },
    { row = "1 coroutine", contender = "tidepool", not_above = "Boost.Context" },
    recorded = {
      { "Boost.Context", 15 },
      { "libaco", 29 },
      { "minicoro", 44 },
      { "Photon", 93 },
      { "libdill", 104 },
      { "Argobots", 119 },
      { "Go", 198 },
      { "Boost.Fiber", 305 },
    },
  },
  echo = {
    { row = "1 worker", contender = "tidepool", times = 0.95, of = "epoll alone" },
    { row = "2 workers", contender = "tidepool", times = 0.95, of = "epoll alone" },
    recorded = {
      { "luv, callbacks", 13333 },
    },
  },
  idle = {},
  pingpong = {
    { row = "1 worker", contender = "tidepool", at_most = 60 },
    { row = "1 worker", contender = "tidepool", not_above = "Go" },
    { row = "2 workers", contender = "tidepool", at_most = 250 },
    { row = "2 workers", contender = "tidepool", not_above = "Go" },
    recorded = {
      { "libdill, 1 worker", 141 },
      { "Tokio, 1 worker", 249 },
      { "Go, 1 worker", 367 },
      { "Go, 2 workers", 340 },
      { "Tokio, 2 workers", 430 },
      { "Argobots, 2 workers", 479 },
      { "Boost.Fiber, 2 workers", 8000 },
    },
  },
  timers = {
    { row = "1 M sleeps", contender = "tidepool", at_most = 300 },
    { row = "1 M sleeps", contender = "tidepool", not_above = "Go, a goroutine each" },
    { row = "1 M sleeps", contender = "tidepool, a timer each", not_above = "Go, AfterFunc" },
    { row = "set and cancel", contender = "tidepool", at_most = 40 },
    recorded = { { "Go, 1 M sleeps", 2329 }, { "Tokio, 1 M sleeps", 4991 }, { "Tokio, set and cancel", 230 }, { "Go, set and cancel", 427 } },
  },
  parked = {
    { row = "all at once", contender = "tidepool", at_most = 4400 },
    recorded = {
      { "libaco, stacks copied", 328 },
      { "Tokio, stackless", 448 },
      { "Go", 2659 },
      { "Argobots", 4615 },
      { "minicoro", 8200 },
      { "libdill", 8200 },
      { "Photon", 8600 },
    },
  },
  frame = {
    { row = "alternate", contender = "tidepool", at_most = 3 },
    { row = "alternate", contender = "tidepool", times = 20, of = "malloc" },
    { row = "1000 live", contender = "tidepool", at_most = 10 },
    { row = "1000 live", contender = "tidepool", times = 100, of = "malloc" },
  },
  size = {},
}
