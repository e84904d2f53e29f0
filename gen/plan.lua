-- Model to plan: the one place that decides what a pool's options mean for the template: which
-- switches are on, what stands in the holes, and what the banner says. gen/parts/options.h lists the
-- switches and values with their meaning.

local schema = require "schema"

local plan = {}

-- Each switch, when it is on, and what its absence is called ("Left out: ..."); where a part of
-- something is told only if that something, `of`, is there.
local switches = {
  { name = "WITH_CORES", on = function(v) return v.workers.times ~= nil end },
  { name = "WITH_BOUNDED", on = function(v) return v.capacity.number ~= nil end, absent = "capacity" },
  { name = "WITH_BLOCK", on = function(v, is) return is.WITH_BOUNDED and v.overload.word == "block" end,
    absent = "waiting for room", of = "WITH_BOUNDED" },
  { name = "WITH_WAITING", on = function(v, is) return is.WITH_BLOCK and v.overload.block.waiting ~= nil end,
    absent = "limit on waiting submitters", of = "WITH_BLOCK" },
  { name = "WITH_DEADLINE", on = function(v, is) return is.WITH_BLOCK and v.overload.block.deadline ~= nil end,
    absent = "deadline of waiting submitters", of = "WITH_BLOCK" },
  { name = "WITH_LIFO", on = function(v) return v.policy.word == "lifo" end },
  { name = "WITH_STEALING", on = function(v) return v.stealing.word == "on" end, absent = "stealing" },
  { name = "WITH_HALF", on = function(v, is) return is.WITH_STEALING and v.stealing.block.batch.word == "half" end },
  { name = "WITH_STATS", on = function(v) return v.stats.word == "on" end, absent = "statistics" },
}

-- Slots of a worker's own queue when nobody else looks at it.
local QUEUE = "256"

-- What stands in the holes. A value whose switch is off is nil: the template must not ask for it.
local function fill(pool, is)
  local v = pool.values
  return {
    VALUE_NAME = '"' .. pool.name .. '"',
    VALUE_PAYLOAD = v.payload.type.text,
    VALUE_RUN = v.run.name,
    VALUE_WORKERS = ("%d"):format(v.workers.number or v.workers.times),
    VALUE_WORKERS_DIVISOR = ("%d"):format(v.workers.divided or 1),
    VALUE_CAPACITY = is.WITH_BOUNDED and v.capacity.text or nil,
    VALUE_WAITING = is.WITH_WAITING and v.overload.block.waiting.text or nil,
    VALUE_DEADLINE_NS = is.WITH_DEADLINE and ("%d"):format(v.overload.block.deadline.number) or nil,
    VALUE_QUEUE = is.WITH_STEALING and v.stealing.block.queue.text or QUEUE,
  }
end

-- The resolved options as { name, text, default }, in the schema's order; those without a meaning
-- for this pool are not among them.
local function facts(pool, is)
  local list = {}
  for _, option in ipairs(schema.pool) do
    local set = pool.values[option.name]
    if set and (option.name ~= "overload" or is.WITH_BOUNDED) then
      list[#list + 1] = { name = option.name, text = set.text, default = set.from == "schema" }
    end
  end
  return list
end

-- The plan of a checked pool: name, includes, switches, values, options, left_out.
function plan.pool(pool)
  local is, left_out = {}, {}
  for _, switch in ipairs(switches) do
    is[switch.name] = switch.on(pool.values, is) and true or false
    if switch.absent and not is[switch.name] and (not switch.of or is[switch.of]) then
      left_out[#left_out + 1] = switch.absent
    end
  end
  return { name = pool.name, includes = pool.includes, switches = is, values = fill(pool, is),
    options = facts(pool, is), left_out = left_out }
end

return plan
