-- Rules over more than one option of a pool. Each has find(values, pool), which finds the place of what
-- is wrong, with a message and perhaps the word that was meant, or nothing; and why, the reason, which
-- is told to the user. They are asked only when every single value is right.

local ctype = require "ctype"
local text = require "text"

local NO_BOUND = "an unlimited pool has no capacity beyond which tasks could be accepted"
local ONE_QUEUE = "such a pool keeps its tasks in one queue, in their order; no worker has some of its own"

-- Is `set` an option given in vain, because of what `cause` says? Where a pool itself says the cause,
-- it is no mistake that the `defaults` say more.
local function in_vain(set, cause)
  return set ~= nil and (set.from == "pool" or set.from == "defaults" and cause.from ~= "pool")
end

-- The option that leaves every order and every task to one queue, or nil.
local function one_queue(v)
  local policy, full = v.policy.word, v.capacity.number and v.overload.word or nil
  if policy == "priority" or policy == "fair" then
    return v.policy, "policy"
  end
  return full == "drop_oldest" and policy ~= "adaptive" and v.overload or nil, "overload"
end

-- The key of the first option of these that stands in the block of a value, and its name; or nil.
local function given(set, names)
  for _, name in ipairs(names) do
    local inner = set.block and set.block[name]
    if inner and inner.key then
      return inner.key, name
    end
  end
  return nil, nil
end

local rules = {
  {
    why = "an unlimited pool is never full, so no task waits for room or is refused",
    find = function(v)
      local stray = v.capacity.word == "unlimited" and in_vain(v.overload, v.capacity)
      return stray and v.overload.key, "`overload` has no meaning with `capacity = unlimited`"
    end,
  },
  {
    why = NO_BOUND,
    find = function(v)
      local stray = v.capacity.word == "unlimited" and v.policy.word == "priority" and in_vain(v.pending, v.capacity)
      return stray and v.pending.key, "`pending` has no meaning with `capacity = unlimited`"
    end,
  },
  {
    why = NO_BOUND,
    find = function(v)
      local stray = v.capacity.word == "unlimited" and in_vain(v.policy, v.capacity)
      return stray and given(v.policy, { "exceed" }), "`exceed` has no meaning with `capacity = unlimited`"
    end,
  },
  {
    why = "it is for tasks of the lowest level, and only `priority` has levels",
    find = function(v)
      local stray = v.policy.word ~= "priority" and in_vain(v.pending, v.policy)
      return stray and v.pending.key, ("`pending` has no meaning with `policy = %s`"):format(v.policy.word)
    end,
  },
  {
    why = ONE_QUEUE,
    find = function(v)
      local cause, option = one_queue(v)
      local key, name = given(v.stealing, { "queue", "batch", "victims", "newest" })
      local stray = cause and key and in_vain(v.stealing, cause)
      return stray and key, stray and ("`%s` has no meaning with `%s = %s`"):format(name, option, cause.word)
    end,
  },
  {
    why = "only there are the tasks of a worker in an order that a newer one can leave",
    find = function(v)
      local stray = v.policy.word ~= "fifo" and not one_queue(v) and in_vain(v.stealing, v.policy)
      return stray and given(v.stealing, { "newest" }), "`newest` has a meaning with `policy = fifo` only"
    end,
  },
  {
    why = "coroutines go on from the queues of workers; such a pool keeps its tasks in one queue, in their order",
    find = function(v)
      local cause, option = one_queue(v)
      if v.policy.word == "adaptive" then
        cause, option = v.policy, "policy"
      end
      local stray = v.tasks.word == "coroutine" and cause
      return stray and v.tasks.node, stray and ("`tasks = coroutine` is not possible with `%s = %s`"):format(option, cause.word)
    end,
  },
  {
    why = "the limit is watched per worker, and a coroutine changes workers",
    find = function(v)
      local stray = v.tasks.word == "coroutine" and v.timeout
      return stray and v.timeout.key, "`timeout` is not possible with `tasks = coroutine`"
    end,
  },
  {
    why = "the number of workers moves within this range, such as `workers = 1..cores`",
    find = function(v)
      local fixed = v.tune.word == "auto" and not v.workers.low
      return fixed and v.tune.node, "`tune = auto` needs `workers` to be a range"
    end,
  },
  {
    why = "memory is held only for tasks in flight",
    find = function(v)
      local more = v.min and v.capacity.number and v.min.number > v.capacity.number
      return more and v.min.node, "`min` is larger than the capacity"
    end,
  },
  {
    why = "the generated header names the type, and must know it first",
    find = function(v, pool)
      local unknown = v.payload and not v.payload.type.known and #pool.includes == 0
      return unknown and v.payload.node, 'nothing declares this type: there is no `include "..."`',
        unknown and v.payload.type.name and text.nearest(v.payload.type.name, ctype.known())
    end,
  },
  {
    why = "a task of a script needs no payload and no function in C",
    find = function(v)
      local both = v.lua.word == "on" and (v.payload or v.run)
      return both and both.key, ("`%s` has no meaning with `lua = on`"):format(both and both.key.text)
    end,
  },
}

return rules
