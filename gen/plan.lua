-- Model to plan: the one place that decides what a pool's options mean for the template: which
-- switches are on, what stands in the holes, and what the banner says. gen/parts/options.h lists the
-- switches and values with their meaning.

local names = require "names"
local schema = require "schema"
local value = require "value"

local plan = {}

-- Is the block of a value there, with this option in it?
local function says(set, name)
  return set.block ~= nil and set.block[name] ~= nil
end

-- A switch for one way to treat a task that finds the pool full; `any` has them all.
local function overload(word)
  return function(v, is) return is.WITH_BOUNDED and (v.overload.word == word or v.overload.word == "any") end
end

-- Each switch, when it is on, and what its absence is called ("Left out: ..."); where a part of
-- something is told only if that something, one of the switches in `of`, is there.
local switches = {
  { name = "WITH_CORES", on = function(v) return v.workers.times ~= nil end },
  { name = "WITH_AFFINITY", on = function(v) return v.affinity.word == "on" end, absent = "affinity" },
  { name = "WITH_RANGE", on = function(v) return v.workers.low ~= nil end },
  { name = "WITH_BOUNDED", on = function(v) return v.capacity.number ~= nil end, absent = "capacity" },
  { name = "WITH_PREALLOCATE", on = function(v) return v.min ~= nil end, absent = "preallocation" },

  { name = "WITH_LIFO", on = function(v) return v.policy.word == "lifo" end },
  { name = "WITH_PRIORITY", on = function(v) return v.policy.word == "priority" end },
  { name = "WITH_FAIR", on = function(v) return v.policy.word == "fair" end },
  { name = "WITH_ADAPTIVE", on = function(v) return v.policy.word == "adaptive" end },
  { name = "WITH_CLASSES", on = function(_, is) return is.WITH_PRIORITY or is.WITH_FAIR or is.WITH_ADAPTIVE end,
    absent = "classes" },

  { name = "WITH_ANY", on = overload "any" },
  { name = "WITH_BLOCK", on = overload "block",
    absent = "waiting for room", of = { "WITH_BOUNDED" } },
  { name = "WITH_WAITING", on = function(v, is) return is.WITH_BLOCK and (is.WITH_ANY or says(v.overload, "waiting")) end,
    absent = "limit on waiting submitters", of = { "WITH_BLOCK" } },
  { name = "WITH_DEADLINE", on = function(v, is) return is.WITH_BLOCK and (is.WITH_ANY or says(v.overload, "deadline")) end,
    absent = "deadline of waiting submitters", of = { "WITH_BLOCK" } },
  { name = "WITH_REJECT", on = overload "reject" },
  { name = "WITH_CALLER_RUNS", on = overload "caller_runs" },
  { name = "WITH_DROP_OLDEST", on = function(v, is)
    return is.WITH_BOUNDED and (v.overload.word == "drop_oldest" or is.WITH_ANY and is.WITH_CLASSES)
  end },
  { name = "WITH_DROP_NEWEST", on = overload "drop_newest" },
  { name = "WITH_SPILL", on = overload "spill" },
  { name = "WITH_DROPPED", on = function(v, is) return is.WITH_BOUNDED and says(v.overload, "dropped") end,
    absent = "notice of dropped tasks", of = { "WITH_DROP_OLDEST", "WITH_DROP_NEWEST" } },

  { name = "WITH_STEALING", on = function(v) return v.stealing.word == "on" end, absent = "stealing", of = { "WITH_RING" } },
  { name = "WITH_BOARD", on = function(_, is) return is.WITH_CLASSES or is.WITH_DROP_OLDEST end },
  { name = "WITH_RING", on = function(_, is) return not is.WITH_BOARD or is.WITH_ADAPTIVE and is.WITH_STEALING end },
  { name = "WITH_HALF", on = function(v, is)
    return is.WITH_STEALING and is.WITH_RING and v.stealing.block.batch.word ~= "one"
  end },
  { name = "WITH_MOST", on = function(v, is) return is.WITH_HALF and v.stealing.block.batch.number ~= nil end },
  { name = "WITH_RANDOM", on = function(v, is)
    return is.WITH_STEALING and is.WITH_RING and v.stealing.block.victims.word == "random"
  end },
  { name = "WITH_NEWEST", on = function(v, is)
    return is.WITH_STEALING and not is.WITH_BOARD and v.policy.word == "fifo" and v.stealing.block.newest.number ~= nil
  end },

  { name = "WITH_TRACKING", on = function(v) return v.tracking.word == "on" end, absent = "tracking" },
  { name = "WITH_COROUTINE", on = function(v) return v.tasks.word == "coroutine" end },
  { name = "WITH_FORKS", on = function(v) return v.forks.word == "on" end },
  { name = "WITH_PINNED", on = function(v, is) return is.WITH_COROUTINE and v.tasks.block.migrate.word == "off" end },
  { name = "WITH_TIMEOUT", on = function(v) return v.timeout ~= nil end, absent = "time limit" },
  { name = "WITH_EXPIRE", on = function(v) return v.expire.number ~= nil end, absent = "expiry of workers" },
  { name = "WITH_TUNE", on = function(v) return v.tune.word ~= "off" end, absent = "tuning" },
  { name = "WITH_AUTO", on = function(v) return v.tune.word == "auto" end, absent = "automatic tuning",
    of = { "WITH_TUNE" } },
  { name = "WITH_HOURS", on = function(v, is) return is.WITH_AUTO and says(v.tune, "hours") end },
  { name = "WITH_KEEPER", on = function(_, is) return is.WITH_TIMEOUT or is.WITH_EXPIRE or is.WITH_AUTO end },
  { name = "WITH_STATS", on = function(v) return v.stats.word == "on" end, absent = "statistics" },
  { name = "WITH_OPS", on = function(v) return v.ops.word == "on" end, absent = "table of functions" },
}

-- Slots of a worker's own queue when nobody else looks at it.
local QUEUE = "256"

-- Where `any` is configured, waiting has no limit unless the settings say one.
local NO_LIMIT, NO_DEADLINE = "0xffffffff", "0xffffffffffffffff"

-- The enumerators of the classes, the one of tasks that name none, and the weights.
local function fill_classes(out, pool)
  local enumerators, weights, default = {}, {}, nil
  for i, arg in ipairs(pool.values.policy.args) do
    enumerators[i] = names.class(pool.name, arg.name)
    weights[i] = ("%d"):format(arg.weight or 1)
    default = arg.name:upper() == "NORMAL" and i or default
  end
  default = default or pool.values.policy.word == "fair" and 1 or (#enumerators + 1) // 2
  out.VALUE_CLASSES = table.concat(enumerators, ",\n")
  out.VALUE_CLASS_DEFAULT = enumerators[default]
  out.VALUE_WEIGHTS = table.concat(weights, ", ")
end

local function ns(set)
  return ("%d"):format(set.number)
end

-- What stands in the holes. A value whose switch is off is nil: the template must not ask for it.
local function fill(pool, is)
  local v = pool.values
  local out = {
    VALUE_NAME = '"' .. pool.name .. '"',
    VALUE_PAYLOAD = v.payload.type.text,
    VALUE_PAYLOAD_NAME = is.WITH_OPS and '"' .. v.payload.type.text .. '"' or nil,
    VALUE_RUN = v.run.name,
    VALUE_WORKERS = ("%d"):format(v.workers.number or v.workers.times or v.workers.high),
    VALUE_WORKERS_DIVISOR = ("%d"):format(v.workers.divided or 1),
    VALUE_WORKERS_MIN = is.WITH_RANGE and ("%d"):format(v.workers.low) or nil,
    VALUE_CAPACITY = is.WITH_BOUNDED and v.capacity.text or nil,
    VALUE_PREALLOCATE = is.WITH_PREALLOCATE and v.min.text or nil,
    VALUE_QUEUE = is.WITH_RING and (is.WITH_STEALING and v.stealing.block.queue.text or QUEUE) or nil,
    VALUE_MOST = is.WITH_MOST and v.stealing.block.batch.text or nil,
    VALUE_NEWEST = is.WITH_NEWEST and v.stealing.block.newest.text or nil,
    VALUE_DROPPED = is.WITH_DROPPED and v.overload.block.dropped.name or nil,
    VALUE_STACK = is.WITH_COROUTINE and ("%d"):format(v.tasks.block.stack.number) or nil,
    VALUE_TIMEOUT_NS = is.WITH_TIMEOUT and ns(v.timeout) or nil,
    VALUE_EXPIRE_NS = is.WITH_EXPIRE and ns(v.expire) or nil,
    VALUE_PERIOD_NS = is.WITH_AUTO and ns(v.tune.block.period) or nil,
    VALUE_HOURS_FROM = is.WITH_HOURS and ("%d"):format(v.tune.block.hours.from) or nil,
    VALUE_HOURS_TO = is.WITH_HOURS and ("%d"):format(v.tune.block.hours.to) or nil,
  }
  if is.WITH_WAITING then
    out.VALUE_WAITING = says(v.overload, "waiting") and v.overload.block.waiting.text or NO_LIMIT
  end
  if is.WITH_DEADLINE then
    out.VALUE_DEADLINE_NS = says(v.overload, "deadline") and ns(v.overload.block.deadline) or NO_DEADLINE
  end
  if is.WITH_CLASSES then
    fill_classes(out, pool)
  end
  if is.WITH_PRIORITY then
    out.VALUE_EXCEED = v.policy.block.exceed.text
    out.VALUE_PENDING = v.pending and is.WITH_BOUNDED and v.pending.text or "0"
  end
  if is.WITH_PRIORITY or is.WITH_ADAPTIVE then
    out.VALUE_AGE = v.policy.block.age.text
  end
  if is.WITH_FAIR or is.WITH_ADAPTIVE then
    out.VALUE_SLICE_NS = ns(v.policy.block.slice)
  end
  return out
end

-- What of an option's block has no meaning for this pool.
local function hidden(is)
  return { newest = is.WITH_LIFO or is.WITH_BOARD, exceed = not is.WITH_BOUNDED }
end

-- The resolved options as { name, text, default }, in the schema's order; those without a meaning
-- for this pool are not among them.
local function facts(pool, is)
  local list = {}
  local idle = { overload = not is.WITH_BOUNDED, stealing = not is.WITH_RING,
    pending = not is.WITH_BOUNDED or not is.WITH_PRIORITY }
  for _, option in ipairs(schema.pool) do
    local set = pool.values[option.name]
    if set and not idle[option.name] then
      list[#list + 1] = { name = option.name, text = value.text(set, hidden(is)), default = set.from == "schema" }
    end
  end
  return list
end

-- What is absent from a pool's code, in words.
local function left_out(is)
  local list = {}
  for _, switch in ipairs(switches) do
    local partly = not switch.of
    for _, whole in ipairs(switch.of or {}) do
      partly = partly or is[whole]
    end
    if switch.absent and partly and not is[switch.name] then
      list[#list + 1] = switch.absent
    end
  end
  return list
end

-- The plan of a pool.
local function plan_pool(pool)
  local is = {}
  for _, switch in ipairs(switches) do
    is[switch.name] = switch.on(pool.values, is) and true or false
  end
  return { name = pool.name, template = "pool", includes = pool.includes, switches = is, values = fill(pool, is),
    options = facts(pool, is), left_out = left_out(is) }
end

-- The switches that a multipool's template asks for: what it can do is what each of its pools can; it
-- blocks if one of them does.
local FACE = { "WITH_CLASSES", "WITH_TRACKING", "WITH_TUNE", "WITH_STATS" }

local function fold(members)
  local is = { WITH_BLOCK = false }
  for _, name in ipairs(FACE) do
    is[name] = true
  end
  for _, member in ipairs(members) do
    local switches_of = plan_pool(member.pool).switches
    is.WITH_BLOCK = is.WITH_BLOCK or switches_of.WITH_BLOCK
    for _, name in ipairs(FACE) do
      is[name] = is[name] and switches_of[name]
    end
  end
  return is
end

-- The plan of a multipool.
local function plan_multipool(face)
  local includes, members, options, absent = {}, {}, {}, {}
  local is = fold(face.members)
  for i, member in ipairs(face.members) do
    includes[i] = member.pool.name .. "_pool.h"
    members[i] = ("{&%s_pool_ops, %d}"):format(member.pool.name, member.times)
  end
  for i, option in ipairs(schema.multipool) do
    local set = face.values[option.name]
    options[i] = { name = option.name, text = set.text, default = set.from == "schema" }
  end
  for _, switch in ipairs(switches) do
    absent[#absent + 1] = is[switch.name] == false and switch.name ~= "WITH_BLOCK" and switch.absent or nil
  end
  return { name = face.name, template = "multi", includes = includes, switches = is, options = options, left_out = absent,
    values = {
      VALUE_PAYLOAD = face.members[1].pool.values.payload.type.text,
      VALUE_MEMBERS = table.concat(members, ", "),
      VALUE_BALANCE = "TP_BALANCE_" .. face.values.balance.word:upper(),
    } }
end

-- The plan of a checked pool or multipool: name, template (where its files begin), includes, switches,
-- values, options, left_out.
function plan.of(pool)
  return pool.kind == "multipool" and plan_multipool(pool) or plan_pool(pool)
end

return plan
