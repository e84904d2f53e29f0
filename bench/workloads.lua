-- What ./tidepool bench can measure: workloads, their rows, and the contenders of each.
-- A contender is one program below build/release/bench/ (source: bench/PROGRAM.c or .cc), run as
-- PROGRAM TASKS WORKERS PRODUCERS [VARIANT]; `package` is what Debian calls a peer's library.
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
    },
    absent = { { "libuv", "uv_queue_work may be called by the loop's thread only, never by a task" } },
  },
  {
    name = "lock",
    what = "threads enter one critical section of about 20 ns",
    unit = "ns/entry",
    tasks = 1000000,
    things = "entries",
    rows = {
      { name = "2 threads", workers = 2, producers = 2 },
      { name = "16 threads", workers = 2, producers = 16 },
    },
    contenders = {
      { name = "tidepool spin lock", program = "lock_spin" },
      peer("pthread mutex", "lock_pthread", "libc6-dev"),
      peer("pthread spin lock", "lock_pthread", "libc6-dev", "spin"),
    },
  },
}
