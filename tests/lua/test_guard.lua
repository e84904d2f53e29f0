-- Guards: every way out of their scope ends the task, once. docs/lua.md, "Guards".

package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local h = require "harness"
local tide = require "tidepool"
local test, equal = h.test, h.equal

-- A task that never ends by itself, and the log of its close handler.
local function endless()
  local log = {}
  return tide.spawn(function()
    local x <close> = h.closer(log)
    while true do tide.yield() end
  end), log
end

-- Runs way(task) in a scope with a guard; the task must have ended when the scope is left.
local function leave(way)
  tide.run(function()
    local task, log = endless()
    tide.yield()
    way(task)
    equal(task:status(), "cancelled")
    equal(#log, 1)
  end)
end

test("leaving by the end of the block", function()
  leave(function(task) local g <close> = tide.guard(task) end)
end)

test("leaving by return", function()
  leave(function(task)
    equal((function() local g <close> = tide.guard(task) return 5 end)(), 5)
  end)
end)

test("leaving by break and by goto", function()
  leave(function(task)
    for _ = 1, 3 do local g <close> = tide.guard(task) break end
  end)
  leave(function(task)
    do local g <close> = tide.guard(task) goto out end
    ::out::
  end)
end)

test("leaving by an error that is caught", function()
  leave(function(task)
    equal(h.raises(function() local g <close> = tide.guard(task) error("e", 0) end), "e")
  end)
end)

test("leaving by an error that ends the task", function()
  leave(function(task)
    local owner = tide.spawn(function() local g <close> = tide.guard(task) error("e", 0) end)
    h.values(table.pack(owner:join()), false, "e")
  end)
end)

test("leaving because the owner is cancelled", function()
  leave(function(task)
    local owner = tide.spawn(function() local g <close> = tide.guard(task) while true do tide.yield() end end)
    tide.yield()
    owner:cancel()
    h.values(table.pack(owner:join()), false, "cancelled")
  end)
end)

test("the wait of a guard goes on when its owner is cancelled", function()
  tide.run(function()
    local ended, seen = false, nil
    local task = tide.spawn(function()
      pcall(function() while true do tide.yield() end end)
      ended = true
    end)
    tide.yield()
    local owner = tide.spawn(function()
      do local g <close> = tide.guard(task) end
      seen = ended
    end)
    tide.yield()
    equal(ended, false) -- the owner waits in its guard now
    owner:cancel()
    h.values(table.pack(owner:join()), true)
    equal(seen, true)
  end)
end)

test("a task that has not started, and one that has finished", function()
  tide.run(function()
    local started = false
    local task = tide.spawn(function() started = true end)
    do local g <close> = tide.guard(task) end
    equal(task:status(), "cancelled")
    tide.yield()
    equal(started, false)
    local done = tide.spawn(function() return 1 end)
    done:join()
    do local g <close> = tide.guard(done) end
    h.values(table.pack(done:join()), true, 1)
  end)
end)

test("release gives the task back and disarms the guard", function()
  tide.run(function()
    local stop = false
    local task = tide.spawn(function() while not stop do tide.yield() end return "lived" end)
    do
      local g <close> = tide.guard(task)
      equal(g:release(), task)
      h.values(table.pack(g:release()), false, "stale")
      equal(tostring(g), "tidepool.guard (released)")
    end
    stop = true
    h.values(table.pack(task:join()), true, "lived")
  end)
end)

test("two guards of one task", function()
  leave(function(task)
    local g <close> = tide.guard(task)
    local g2 <close> = tide.guard(task)
    equal(tostring(g), "tidepool.guard of task " .. task.id)
  end)
end)

test("a guard of the own task cancels but does not wait", function()
  tide.run(function()
    local me
    me = tide.spawn(function()
      do local g <close> = tide.guard(me) end
      tide.yield()
    end)
    h.values(table.pack(me:join()), false, "cancelled")
  end)
end)

test("in a coroutine of the user's own the task is cancelled at least", function()
  tide.run(function()
    local task, log = endless()
    tide.yield()
    coroutine.wrap(function() local g <close> = tide.guard(task) end)()
    h.values(table.pack(task:join()), false, "cancelled")
    equal(#log, 1)
  end)
end)

test("a forgotten guard cancels when it is collected", function()
  tide.run(function()
    local task, log = endless()
    tide.yield()
    do local g = tide.guard(task) end
    collectgarbage()
    h.values(table.pack(task:join()), false, "cancelled")
    equal(#log, 1)
  end)
end)

h.test_script("a failure is seen by the guard, not reported", function()
  local output = h.script [[
    local tide = require "tidepool"
    tide.run(function()
      local t = tide.spawn(function() error("seen") end)
      local g <close> = tide.guard(t)
      tide.yield()
    end)]]
  equal(output, "")
end)

test("guards all the way down", function()
  local depth, closed = 0, 0
  tide.run(function()
    local function nest()
      depth = depth + 1
      local x <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
      local g <close> = tide.guard(tide.spawn(depth < 100 and nest or function() end))
      while true do tide.yield() end
    end
    local top = tide.spawn(nest)
    while depth < 100 do tide.yield() end
    top:cancel()
    top:join()
  end)
  equal(closed, depth)
end)

h.finish()
