-- Every option of the config language, once: its forms, its default, what it means, and whether
-- this version can generate it. The checker, the banner and the table in docs/config.md read this.
--
-- An option has name, doc, forms, and default (text as a config would have it; none: required or
-- absent). A form has is, show (how it is written) and, where useful, doc:
--   word      a word; may have args ("levels" or "weights"), which may be left out if there are
--             default_args, and block (a list of options)
--   number    from min to max; power_of_two
--   size, duration   from min to max, in bytes or nanoseconds
--   cores     cores, cores * A, cores / B or cores * A / B
--   range     A..B, or A..cores as above
--   hours     a string with two times of a day
--   ctype     a string with a C type
--   cname     the name of a C function
--   pools     a list of pools, each perhaps times a number
-- later = true marks what is checked and then refused, because this version has no code for it.

local schema = {}

local later = { later = true }

local function with(form, more)
  for key, value in pairs(more or {}) do
    form[key] = value
  end
  return form
end

local function word(name, doc, more)
  return with({ is = "word", word = name, show = name, doc = doc }, more)
end

local function number(min, max, more)
  local range = ("%d to %d"):format(min, max)
  return with({ is = "number", min = min, max = max, range = range, show = "N (" .. range .. ")" }, more)
end

local function duration(more)
  local day = 24 * 3600 * 1000 * 1000 * 1000
  return with({ is = "duration", min = 1000, max = day, range = "1us to 24h", show = "DURATION (1us to 24h)" }, more)
end

local function dropped()
  return { name = "dropped", doc = "Is told of each task that was dropped, or cancelled before it started: `void dropped(T payload)`. Must not panic.",
    forms = { { is = "cname", show = "FUNCTION" } } }
end

local function slice()
  return { name = "slice", default = "1ms", doc = "How long a worker stays with a class, in time of its tasks.",
    forms = { duration() } }
end

local function age()
  return { name = "age", default = "64", doc = "How often in a row a class that has tasks is passed over at most.",
    forms = { number(1, 1000000) } }
end

-- The options of a pool, in the order they are shown everywhere.
schema.pool = {
  {
    name = "payload", required = true,
    doc = "The C type of a task's argument. It is stored by value in the queue.",
    forms = { { is = "ctype", show = '"C TYPE"', doc = "anything that `T x;` declares; no array, no function" } },
  },
  {
    name = "run", required = true,
    doc = "The C function that runs a task: `int run(T payload)`, 0 or a negative value if the task failed.",
    forms = { { is = "cname", show = "FUNCTION" } },
  },
  {
    name = "profile",
    doc = "Other defaults, for a kind of work; what a config says itself, or in `defaults`, holds all the same.",
    forms = {
      word("io", "tasks that wait: `workers = cores * 2`, `capacity = 1024`, `stealing = on { batch = 32 }`"),
      word("cpu", "tasks that compute: `workers = cores`, `capacity = 512`, `stealing = on { batch = 16 }`"),
      word("mixed", "both: `workers = cores * 3 / 2`, `capacity = 768`, `stealing = on { batch = 24 }`"),
    },
  },
  {
    name = "workers", default = "cores",
    doc = "Threads that run tasks. `cores` is what the machine and its quotas allow, read when the pool is opened.",
    forms = {
      number(1, 4096),
      { is = "cores", show = "cores [* N] [/ N]", doc = "N from 1 to 1024; at least one worker" },
      { is = "range", show = "N..N | N..cores [* N] [/ N]",
        doc = "the lower bound when the pool is opened and when it is idle, more while there is work for them" },
    },
  },
  {
    name = "affinity", default = "off",
    doc = "Whether each worker stays on one processor: in turn on those that the thread that opens the pool may use.",
    forms = { word("on", "where nothing else runs that wants them; the system's scheduler cannot make way for it"), word("off") },
  },
  {
    name = "capacity", default = "1024",
    doc = "Tasks in flight: accepted and not finished.",
    forms = { number(1, 1000000000), word("unlimited", "as many as memory holds") },
  },
  {
    name = "min",
    doc = "Tasks for which memory is held from the beginning.",
    forms = { number(1, 1000000000) },
  },
  {
    name = "pending",
    doc = "Tasks of the lowest level that may wait beyond the capacity; with `policy = priority`. Without it: none.",
    forms = { number(1, 1000000000) },
  },
  {
    name = "policy", default = "fifo",
    doc = "The order in which tasks start.",
    forms = {
      word("fifo", "oldest first; between tasks of several threads there is no order"),
      word("lifo", "newest first, in the same sense; so old tasks may wait as long as new ones come"),
      word("priority", "by level, the first one is the highest; 2 to 16 of them", {
        show = "priority(LEVEL, ...) { exceed = N  age = N }", args = "levels",
        block = {
          { name = "exceed", default = "64", doc = "Tasks of the highest level that are accepted beyond the capacity.",
            forms = { number(0, 1000000000) } },
          age(),
        },
      }),
      word("fair", "by shares of the workers' time; 2 to 16 classes with weights of 1 to 1000", {
        show = "fair(CLASS = WEIGHT, ...) { slice = DURATION }", args = "weights",
        block = { slice() },
      }),
      word("adaptive", "as one of the others, chosen while the pool runs, by what it measures; classes as for `fair`, or "
        .. "`high = 4, normal = 2, low = 1`", {
        show = "adaptive [(CLASS = WEIGHT, ...)] { slice = DURATION  age = N }", args = "weights",
        default_args = "high = 4, normal = 2, low = 1",
        block = { slice(), age() },
      }),
    },
  },
  {
    name = "stealing", default = "on",
    doc = "Whether a worker without work takes tasks from the queues of others.",
    forms = {
      word("on", "every worker has a queue of its own", {
        show = "on { queue = N  batch = half | one | N  victims = random | next  newest = off | N }",
        block = {
          { name = "queue", default = "256", doc = "Slots of one worker's queue.",
            forms = { number(2, 16384, { power_of_two = true, show = "N (a power of two, 2 to 16384)" }) } },
          { name = "batch", default = "half", doc = "How much a thief takes.",
            forms = { word("half", "half of what it finds"), word("one", "one task"),
              number(2, 16384, { doc = "half of what it finds, but no more than that" }) } },
          { name = "victims", default = "random", doc = "Where it looks first.",
            forms = { word("random", "anywhere"), word("next", "at its neighbour") } },
          { name = "newest", default = "off",
            doc = "Whether the task that a task submitted last is the next of its worker; with `policy = fifo`.",
            forms = { word("off"), number(1, 64, { doc = "at most so many times in a row" }) } },
        },
      }),
      word("off", "a task from outside waits for any worker; what a task submits stays with its worker, so a task must not wait for its own"),
    },
  },
  {
    name = "overload", default = "block",
    doc = "What happens to a task when the pool is full.",
    forms = {
      word("block", "the submitter waits for room", {
        show = "block { waiting = N  deadline = DURATION }",
        block = {
          { name = "waiting", doc = "Submitters that may wait; further ones are refused. Without it: any number.",
            forms = { number(1, 1000000) } },
          { name = "deadline", doc = "How long a submitter waits at most. Without it: until there is room.",
            forms = { duration() } },
        },
      }),
      word("reject", "the task is refused at once"),
      word("caller_runs", "the submitter runs it"),
      word("drop_oldest", "the oldest waiting task is dropped for it", {
        show = "drop_oldest { dropped = FUNCTION }", block = { dropped() },
      }),
      word("drop_newest", "it is dropped", {
        show = "drop_newest { dropped = FUNCTION }", block = { dropped() },
      }),
      word("spill", "it is accepted beyond the capacity"),
      word("any", "one of these, chosen when the pool is opened; `drop_oldest` with `priority`, `fair` and `adaptive` only", {
        show = "any { dropped = FUNCTION }", block = { dropped() },
      }),
    },
  },
  {
    name = "timeout",
    doc = "How long a task may take; one that runs longer is reported, and asked to stop at its next cancellation point.",
    forms = { duration() },
  },
  {
    name = "tasks", default = "function",
    doc = "What a task is: a function that runs to its end, or a coroutine that can wait.",
    forms = {
      word("function"),
      word("coroutine", "with a stack of its own: what it waits for keeps no worker; with `fifo` and `lifo`", {
        show = "coroutine { stack = SIZE  migrate = on | off }",
        block = {
          { name = "stack", default = "64KiB", doc = "Bytes of stack of one coroutine.",
            forms = { { is = "size", min = 4096, max = 8 << 20, range = "4KiB to 8MiB", show = "SIZE (4KiB to 8MiB)" } } },
          { name = "migrate", default = "on", doc = "Whether it may go on on another worker.",
            forms = { word("on"), word("off", "it stays with the worker that began it") } },
        },
      }),
    },
  },
  {
    name = "forks", default = "off",
    doc = "Whether idle workers take a part of a running task, where it offers one by `tp_fork`.",
    forms = { word("on"), word("off", "`tp_fork` and `tp_join` work, in the task's own worker") },
  },
  {
    name = "expire", default = "off",
    doc = "How long a worker is idle before it ends. The lower bound of a range stays, else one worker.",
    forms = { duration(), word("off", "workers stay") },
  },
  {
    name = "tune", default = "off",
    doc = "Whether capacity and number of workers can be changed while the pool runs.",
    forms = {
      word("off"), word("on", "by functions of the pool"),
      word("auto", "besides, it adds workers while tasks wait and removes idle ones, within the range of `workers`", {
        show = "auto { period = DURATION  hours = HOURS }",
        block = {
          { name = "period", default = "100ms", doc = "How often it looks.", forms = { duration() } },
          { name = "hours", doc = "When the upper bound holds, in local time; else the lower one does. Without it: always.",
            forms = { { is = "hours", show = '"HH:MM-HH:MM"', doc = "perhaps over midnight" } } },
        },
      }),
    },
  },
  {
    name = "tracking", default = "off",
    doc = "Whether tasks have ids, by which they can be waited for and cancelled.",
    forms = { word("on"), word("off") },
  },
  {
    name = "stats", default = "off",
    doc = "Counters, and a function to read them.",
    forms = { word("on"), word("off") },
  },
  {
    name = "ops", default = "off",
    doc = "A table of the pool's functions, `struct tp_pool_ops`, through which a host drives pools of different kinds alike, and metrics and the monitor find the pool.",
    forms = { word("on"), word("off") },
  },
  {
    name = "lua", default = "off",
    doc = "Whether Lua scripts can drive the pool.",
    forms = { word("on", nil, later), word("off") },
  },
}

-- What stands in for the defaults above with a profile.
schema.profiles = {
  io = { workers = "cores * 2", capacity = "1024", stealing = "on { batch = 32 }" },
  cpu = { workers = "cores", capacity = "512", stealing = "on { batch = 16 }" },
  mixed = { workers = "cores * 3 / 2", capacity = "768", stealing = "on { batch = 24 }" },
}

-- The options of a multipool.
schema.multipool = {
  {
    name = "pools", required = true,
    doc = "The pools behind one face, with how many of each kind; at most 256 in all.",
    forms = { { is = "pools", show = "POOL [* N], ..." } },
  },
  {
    name = "balance", default = "round_robin",
    doc = "Which of them gets a task.",
    forms = { word("round_robin", "each in turn"), word("least_tasks", "the one with the fewest tasks in flight") },
  },
}

function schema.find(options, name)
  for _, option in ipairs(options) do
    if option.name == name then
      return option
    end
  end
  return nil
end

-- field of each item, such as the names of options
function schema.list(items, field)
  local list = {}
  for _, item in ipairs(items) do
    list[#list + 1] = item[field]
  end
  return list
end

return schema
