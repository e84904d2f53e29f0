-- Pooled coroutines: a reference to a Lua coroutine of a task, kept beyond its time or used behind the
-- scheduler's back, is detected in each state of the coroutine and never disturbs a task.

package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local h = require "harness"
local tide = require "tidepool"
local test, equal = h.test, h.equal

local function pack(...) return table.pack(...) end

test("coroutines are used again", function()
  tide.run(function()
    local first, again
    tide.spawn(function() first = coroutine.running() end):join()
    tide.spawn(function() again = coroutine.running() end):join()
    equal(first, again)
    tide.spawn(function() first = coroutine.running() error("x") end):join()
    tide.spawn(function() again = coroutine.running() end):join()
    equal(first, again)
    local t = tide.spawn(function() first = coroutine.running() tide.yield() end)
    tide.yield()
    t:cancel()
    t:join()
    tide.spawn(function() again = coroutine.running() end):join()
    equal(first, again)
  end)
end)

test("free: a dead coroutine", function()
  tide.run(function()
    local co
    tide.spawn(function() co = coroutine.running() return 1 end):join()
    equal(coroutine.status(co), "dead")
    h.values(pack(coroutine.resume(co, 1, 2)), false, "cannot resume dead coroutine")
    h.values(pack(coroutine.close(co)), true)
    h.values(pack(tide.spawn(function(...) return ... end, 7):join()), true, 7)
  end)
end)

test("running: cannot be resumed", function()
  tide.run(function()
    local co
    tide.spawn(function()
      co = coroutine.running()
      h.values(pack(coroutine.wrap(function() return coroutine.resume(co) end)()),
        false, "cannot resume non-suspended coroutine")
      h.raises(coroutine.wrap(function() coroutine.close(co) end))
    end):await()
  end)
end)

test("suspended: a stranger's resume is answered with stale", function()
  tide.run(function()
    local co
    local stop = false
    local slow = tide.spawn(function() while not stop do tide.yield() end return "slow" end)
    local waits = {
      function() tide.yield() return "own" end,
      function() slow:join() return "own" end,
      function() slow:join(1000) return "own" end,
      function() slow:await() return "own" end,
      function() local g <close> = tide.guard(tide.spawn(function()
        pcall(tide.yield)
        return "slow to end"
      end)) tide.yield() return "own" end,
    }
    local tasks = {}
    for i, wait in ipairs(waits) do
      tasks[i] = tide.spawn(function() co = coroutine.running() return wait() end)
      tide.yield()
      for _ = 1, 3 do h.values(pack(coroutine.resume(co, "x", i)), true, nil, "stale") end
      equal(coroutine.status(co), "suspended")
      equal(tasks[i]:status(), "suspended")
    end
    stop = true
    for i = 1, #tasks do h.values(pack(tasks[i]:join()), true, "own") end
  end)
end)

test("suspended again for another task: the old owner cannot reach it", function()
  tide.run(function()
    local old, new
    local first = tide.spawn(function() old = coroutine.running() return "first" end)
    first:join()
    local second = tide.spawn(function() new = coroutine.running() tide.yield() return "second" end)
    tide.yield()
    equal(old, new)
    h.values(pack(coroutine.resume(old)), true, nil, "stale")
    h.values(pack(first:join()), true, "first")
    equal(first:cancel(), false)
    h.values(pack(second:join()), true, "second")
    h.values(pack(first:join()), true, "first")
  end)
end)

test("pending: the task has no coroutine yet that could be resumed", function()
  tide.run(function()
    local co
    tide.spawn(function() co = coroutine.running() end):join()
    local t = tide.spawn(function(x) return x end, 5)
    h.values(pack(coroutine.resume(co, "x")), false, "cannot resume dead coroutine")
    h.values(pack(t:join()), true, 5)
  end)
end)

test("closed by a stranger: the task fails, its handlers have run once", function()
  tide.run(function()
    local co
    local log = {}
    local t = tide.spawn(function()
      local x <close> = h.closer(log)
      co = coroutine.running()
      tide.yield()
    end)
    tide.yield()
    h.values(pack(coroutine.close(co)), true)
    h.values(pack(t:join()), false, "its coroutine was closed from outside")
    equal(#log, 1)
    h.values(pack(tide.spawn(function() tide.yield() return "fine" end):join()), true, "fine")
  end)
end)

test("coroutine.yield in a task is an error with the place", function()
  tide.run(function()
    local log = {}
    local function misuse()
      local x <close> = h.closer(log)
      coroutine.yield(1)
    end
    local t = tide.spawn(misuse)
    local ok, err = t:join()
    equal(ok, false)
    h.contains(err, "a task called coroutine.yield outside its own coroutines; use tide.yield\nstack traceback:")
    h.contains(err, "test_stale.lua:")
    equal(#log, 1)
  end)
end)

test("a hook that a task leaves behind does not reach the next", function()
  tide.run(function()
    local co
    local hits = 0
    tide.spawn(function()
      co = coroutine.running()
      debug.sethook(function() hits = hits + 1 end, "l")
    end):join()
    hits = 0
    tide.spawn(function() equal(coroutine.running(), co) local x = 1 x = x + 1 end):await()
    equal(hits, 0)
  end)
end)

test("10 000 tasks at once, then the pool is smaller but works", function()
  for _ = 1, 3 do
    local n = 0
    tide.run(function()
      for _ = 1, 10000 do tide.spawn(function() tide.yield() tide.yield() n = n + 1 end) end
    end)
    collectgarbage()
    equal(n, 10000)
  end
end)

test("closed from outside: the error of a close handler is not the closer's", function()
  tide.run(function()
    local co
    local closed = tide.spawn(function()
      co = coroutine.running()
      local x <close> = setmetatable({}, { __close = function() error("cancelled", 0) end })
      for _ = 1, 4 do tide.yield() end
    end)
    local closer = tide.spawn(function()
      pcall(tide.yield)
      h.values(pack(coroutine.close(co)), false, "cancelled")
      return "fine"
    end)
    tide.yield()
    closer:cancel("no")
    h.values(pack(closer:join()), true, "fine")
    equal(closer:status(), "done")
    h.values(pack(closed:join()), false, "its coroutine was closed from outside")
  end)
end)

h.finish()
