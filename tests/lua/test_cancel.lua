-- Cancelling tasks: at every state of a task, what its code sees, and its close handlers.

package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local h = require "harness"
local tide = require "tidepool"
local test, equal = h.test, h.equal

test("a pending task never starts", function()
  tide.run(function()
    local started = false
    local t = tide.spawn(function() started = true end)
    equal(t:cancel("no need"), true)
    equal(t:status(), "cancelled")
    h.values(table.pack(t:join()), false, "cancelled", "no need")
    tide.yield()
    equal(started, false)
  end)
end)

test("a task in yield sees the error there; close handlers run once", function()
  tide.run(function()
    local log, caught = {}, nil
    local t = tide.spawn(function()
      local x <close> = h.closer(log)
      local ok, err = pcall(function() while true do tide.yield() end end)
      caught = err
      error(err, 0)
    end)
    tide.yield()
    equal(t:cancel(), true)
    equal(t:cancel("later reasons do not count"), true)
    h.values(table.pack(t:join()), false, "cancelled")
    equal(caught, "cancelled")
    equal(#log, 1)
    equal(log.error, "cancelled")
    equal(t:status(), "cancelled")
    equal(t:cancel(), false)
  end)
end)

test("a task in join is woken, the joined one goes on", function()
  tide.run(function()
    local stop = false
    local inner = tide.spawn(function() while not stop do tide.yield() end return "kept" end)
    for _, limit in ipairs { false, 1000 } do
      local outer = tide.spawn(function() return inner:join(limit or nil) end)
      tide.yield()
      outer:cancel()
      h.values(table.pack(outer:join()), false, "cancelled")
    end
    stop = true
    h.values(table.pack(inner:join()), true, "kept")
  end)
end)

test("a cancelled task may end in its own way", function()
  tide.run(function()
    local function ending(f)
      local t = tide.spawn(function()
        pcall(tide.yield)
        return f()
      end)
      tide.yield()
      t:cancel()
      return table.pack(t:join())
    end
    h.values(ending(function() return "result" end), true, "result")
    h.values(ending(function() error("other", 0) end), false, "other")
    -- Every later wait raises too, also one that nothing else would end.
    h.values(ending(function() tide.yield() end), false, "cancelled")
    local busy = tide.spawn(function() while true do tide.yield() end end)
    h.values(ending(function() busy:join() end), false, "cancelled")
    h.values(ending(function() busy:await(1000) end), false, "cancelled")
    busy:cancel()
  end)
end)

test("a task can cancel itself", function()
  tide.run(function()
    local t
    t = tide.spawn(function()
      equal(t:cancel("myself"), true)
      tide.yield()
    end)
    h.values(table.pack(t:join()), false, "cancelled", "myself")
  end)
end)

test("run's own task cancelled is an error of run", function()
  local log = {}
  equal(h.raises(tide.run, function()
    local x <close> = h.closer(log)
    local other = tide.spawn(function(first) first:cancel() end, nil)
    other:cancel()
    local me
    me = tide.spawn(function() error("cancelled", 0) end) -- an error of that name is no cancelling
    h.values(table.pack(me:join()), false, "cancelled")
    equal(me:status(), "failed")
    error("cancelled", 0)
  end):match "^[^\n]*", "cancelled")
  equal(#log, 1)
end)

test("finished tasks cannot be cancelled", function()
  tide.run(function()
    local t = tide.spawn(function() return 1 end)
    t:join()
    equal(t:cancel(), false)
    h.values(table.pack(t:join()), true, 1)
    local failed = tide.spawn(error, "x", 0)
    failed:join()
    equal(failed:cancel(), false)
    equal(failed:status(), "failed")
  end)
end)

test("handlers of nested scopes run in reverse order, once", function()
  tide.run(function()
    local log = {}
    local t = tide.spawn(function()
      local a <close> = h.closer(log, "a")
      local b <close> = h.closer(log, "b")
      for _ = 1, 3 do
        local c <close> = h.closer(log, "c")
        tide.yield()
      end
    end)
    tide.yield()
    tide.yield()
    t:cancel()
    t:join()
    equal(table.concat(log), "ccba")
  end)
end)

test("in a shield waits go on, after it they raise", function()
  tide.run(function()
    local log = {}
    local t = tide.spawn(function()
      local x <close> = setmetatable({}, { __close = function()
        h.values(table.pack(tide.shield(function(...) tide.yield() return ... end, 1, nil)), 1, nil)
        log[#log + 1] = "saved"
        equal(h.raises(tide.yield), "cancelled")
      end })
      tide.shield(function()
        tide.yield()
        log[#log + 1] = "whole"
      end)
      tide.yield()
      log[#log + 1] = "never"
    end)
    tide.yield()
    t:cancel()
    h.values(table.pack(t:join()), false, "cancelled")
    equal(table.concat(log, " "), "whole saved")
    h.values(table.pack(tide.spawn(tide.shield, error, "e", 0):join()), false, "e")
    h.values(table.pack(tide.spawn(function()
      pcall(tide.shield, function() tide.shield(function() tide.yield() end) error "x" end)
      return "after"
    end):join()), true, "after")
  end)
  h.raises_text("shield: not in a task, or where a task cannot suspend", tide.shield, print)
end)

test("1000 tasks cancelled while they wait in many ways", function()
  local closed = 0
  tide.run(function()
    local done = false
    local slow = tide.spawn(function() while not done do tide.yield() end end)
    local list = {}
    for i = 1, 1000 do
      list[i] = tide.spawn(function()
        local x <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
        if i % 3 == 0 then slow:join() elseif i % 3 == 1 then slow:join(1000) else
          while true do tide.yield() end
        end
      end)
    end
    tide.yield()
    for i = 1000, 1, -1 do list[i]:cancel(i) end
    for i = 1, 1000 do h.values(table.pack(list[i]:join()), false, "cancelled", i) end
    done = true
  end)
  equal(closed, 1000)
end)

-- Cancels with `why` a task that failed and waits in its close handler.
local function cancel_failing(why)
  local task
  tide.run(function()
    task = tide.spawn(function()
      local x <close> = setmetatable({}, { __close = function() pcall(tide.yield) end })
      error("boom", 0)
    end)
    tide.yield()
    equal(task:status(), "suspended")
    equal(task:cancel(why), true)
    h.values(table.pack(task:join()), false, "boom")
  end)
  return task
end

test("the reason does not take the place of the traceback", function()
  for _, why in ipairs { "reason", {}, 5 } do
    local task = cancel_failing(why)
    equal(task:status(), "failed")
    h.contains(task:traceback(), "stack traceback:")
  end
end)

h.test_script("a failing task that was cancelled with a table is reported", function()
  local output, how, code = h.script [[
    local tide = require "tidepool"
    tide.run(function()
      tide.spawn(function()
        local task = tide.spawn(function()
          local x <close> = setmetatable({}, { __close = function() tide.shield(tide.yield) end })
          error "boom"
        end)
        tide.yield()
        task:cancel({})
      end)
    end)
    local ok, message = pcall(tide.run, function()
      local me
      tide.spawn(function() me = tide.spawn(function() end) end)
      local x <close> = setmetatable({}, { __close = function() tide.shield(tide.yield) end })
      error "first"
    end)
    print(ok, message)]]
  equal(how, "exit")
  equal(code, 0)
  h.contains(output, "task 3 failed and nobody joined it")
  h.contains(output, "boom\nstack traceback:")
  h.contains(output, "first\nstack traceback:")
end)

test("an error after the cancelling is no cancelling", function()
  tide.run(function()
    local task = tide.spawn(function()
      local x <close> = setmetatable({}, { __close = function() error("close failed", 0) end })
      tide.yield()
    end)
    tide.yield()
    task:cancel("why")
    h.values(table.pack(task:join()), false, "close failed")
    equal(task:status(), "failed")
    h.contains(task:traceback(), "stack traceback:")
  end)
end)

test("a cancelled task may end by \"cancelled\" after another error", function()
  tide.run(function()
    local task = tide.spawn(function()
      local x <close> = setmetatable({}, { __close = function() tide.yield() end })
      error("first", 0)
    end)
    tide.yield()
    task:cancel("why")
    h.values(table.pack(task:join()), false, "cancelled", "why")
    equal(task:status(), "cancelled")
  end)
end)

test("an error in a shield shows where it was raised", function()
  tide.run(function()
    local function deep() error("inner", 0) end
    local task = tide.spawn(function() tide.shield(function() deep() end) end)
    h.values(table.pack(task:join()), false, "inner")
    h.contains(task:traceback(), "in upvalue 'deep'")
  end)
end)

test("a shield ends with an error that is caught", function()
  tide.run(function()
    local task = tide.spawn(function()
      equal(h.raises(tide.shield, function() tide.yield() error("e", 0) end), "e")
      tide.yield()
      return "not cancelled"
    end)
    tide.yield()
    task:cancel("why")
    h.values(table.pack(task:join()), false, "cancelled", "why")
  end)
end)

h.finish()
