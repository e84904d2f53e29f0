-- Tasks of one state: spawn, join, results, errors, what run does at the end. docs/lua.md, "Tasks".

package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local h = require "harness"
local tide = require "tidepool"
local test, equal = h.test, h.equal

test("run returns the results of its function", function()
  h.values(table.pack(tide.run(function(...) return ... end, 1, nil, "x", nil)), 1, nil, "x", nil)
  h.values(table.pack(tide.run(function() end)))
end)

test("join gives true and every result", function()
  tide.run(function()
    local t = {}
    local a = tide.spawn(function(...) return ... end, nil, t, nil)
    h.values(table.pack(a:join()), true, nil, t, nil)
    h.values(table.pack(a:join()), true, nil, t, nil)
    h.values(table.pack(tide.spawn(function() end):join()), true)
  end)
end)

test("many arguments and results", function()
  for _, n in ipairs { 1, 2, 7, 8, 9, 254, 255, 256, 1000, 10000 } do
    local list = {}
    for i = 1, n do list[i] = i end
    local result = table.pack(tide.run(function(...)
      return select(2, tide.spawn(function(...) tide.yield() return ... end, ...):join())
    end, table.unpack(list)))
    equal(result.n, n)
    equal(result[n], n)
    equal(result[1], 1)
  end
end)

test("tasks run in the order they were spawned, in turn", function()
  local log = {}
  tide.run(function()
    for i = 1, 3 do
      tide.spawn(function()
        for round = 1, 3 do log[#log + 1] = i .. "/" .. round; tide.yield() end
      end)
    end
  end)
  equal(table.concat(log, " "), "1/1 2/1 3/1 1/2 2/2 3/2 1/3 2/3 3/3")
end)

test("run waits for every task, also those spawned by tasks", function()
  local n = 0
  tide.run(function()
    tide.spawn(function()
      tide.yield()
      tide.spawn(function() tide.yield() n = n + 1 end)
      n = n + 1
    end)
  end)
  equal(n, 2)
end)

test("errors of any type come back as they are", function()
  tide.run(function()
    local t = {}
    for _, value in ipairs { t, "text", 42, true } do
      local ok, err = tide.spawn(function() error(value, 0) end):join()
      equal(ok, false)
      equal(err, value)
    end
    h.values(table.pack(tide.spawn(function() error() end):join()), false, nil)
  end)
end)

test("the traceback shows where the error was raised", function()
  tide.run(function()
    local function deep() error("here") end
    local t = tide.spawn(function() deep() end)
    local ok, err = t:join()
    equal(ok, false)
    h.contains(err, "test_task.lua:")
    h.contains(t:traceback(), "in upvalue 'deep'")
    equal(tide.spawn(function() end):traceback(), nil)
  end)
end)

test("run raises its function's error with the traceback, a table as it is", function()
  local function culprit() error("boom") end
  local err = h.raises(tide.run, function() culprit() end)
  h.contains(err, "boom\nstack traceback:")
  h.contains(err, "culprit")
  local t = {}
  equal(h.raises(tide.run, function() error(t) end), t)
  equal(h.raises(tide.run, function() error(nil) end), nil)
end)

test("an error of run's function cancels the other tasks and waits for them", function()
  local log = {}
  h.raises(tide.run, function()
    tide.spawn(function()
      local x <close> = h.closer(log)
      while true do tide.yield() end
    end)
    tide.spawn(function() log.started = true end)
    tide.yield()
    error("stop")
  end)
  equal(#log, 1)
  equal(log.started, true)
end)

test("a task that has not started when run's function fails never starts", function()
  local started = false
  h.raises(tide.run, function()
    tide.spawn(function() started = true end)
    error("stop")
  end)
  equal(started, false)
end)

test("await returns the results or raises the error", function()
  tide.run(function()
    h.values(table.pack(tide.spawn(function() tide.yield() return 1, nil end):await()), 1, nil)
    local t = {}
    equal(h.raises(function() tide.spawn(function() tide.yield() error(t) end):await() end), t)
    local busy = tide.spawn(function() while true do tide.yield() end end)
    equal(h.raises(busy.await, busy, 0.001), "timeout")
    busy:cancel()
    equal(h.raises(busy.await, busy), "cancelled")
  end)
end)

test("join with a limit", function()
  tide.run(function()
    local go = false
    local t = tide.spawn(function() while not go do tide.yield() end return "late" end)
    h.values(table.pack(t:join(0)), false, "timeout")
    h.values(table.pack(t:join(-1)), false, "timeout")
    h.values(table.pack(t:join(0.001)), false, "timeout")
    equal(t:status(), "suspended")
    go = true
    h.values(table.pack(t:join(math.huge)), true, "late")
    h.values(table.pack(t:join(0)), true, "late")
  end)
end)

test("limits pass also when no task is ready", function()
  tide.run(function()
    local me
    local blocked = tide.spawn(function() return me:join() end)
    me = tide.spawn(function()
      local waits = {}
      for i = 1, 20 do
        waits[i] = tide.spawn(function() return blocked:join((i * 7 % 20) / 2000) end)
      end
      for i = 1, 20 do h.values(table.pack(waits[i]:join()), true, false, "timeout") end
      blocked:cancel()
    end)
    me:join()
  end)
end)

test("a near limit ends before a far one that was set first", function()
  tide.run(function()
    local stop = false
    local never = tide.spawn(function() while not stop do tide.yield() end end)
    local far = tide.spawn(function() return never:join(100000) end)
    local near = tide.spawn(function() return never:join(0.001) end)
    h.values(table.pack(near:join()), true, false, "timeout")
    equal(far:status(), "suspended")
    stop = true
    h.values(table.pack(far:join()), true, true)
  end)
end)

test("limits in any order, many of them given up; none ends too early", function()
  local seed, kept, ended = 1, 0, 0
  local function random(n)
    seed = seed * 16807 % 2147483647
    return seed % n
  end
  tide.run(function()
    local stop = false
    local never = tide.spawn(function() while not stop do tide.yield() end end)
    local tasks = {}
    for i = 1, 300 do
      local limit = random(1000) / 20000
      tasks[i] = tide.spawn(function()
        local start = tide.now()
        h.values(table.pack(never:join(limit)), false, "timeout")
        assert(tide.now() - start >= limit * 0.999)
        ended = ended + 1
      end)
    end
    tide.yield()
    for i = 1, 300 do
      if random(2) == 0 then tasks[i]:cancel() end
    end
    for i = 1, 300 do
      local ok, err = tasks[i]:join()
      assert(ok or err == "cancelled", err)
      if ok then kept = kept + 1 end
    end
    stop = true
  end)
  equal(ended, kept)
end)

test("several tasks join one", function()
  tide.run(function()
    local t = tide.spawn(function() for _ = 1, 5 do tide.yield() end return "r" end)
    local joiners = {}
    for i = 1, 10 do joiners[i] = tide.spawn(function() return t:join() end) end
    for i = 1, 10 do h.values(table.pack(joiners[i]:join()), true, true, "r") end
  end)
end)

test("status, id and tostring", function()
  tide.run(function()
    local t
    t = tide.spawn(function(fail)
      equal(t:status(), "running")
      tide.yield()
      if fail then error "x" end
    end)
    equal(t:status(), "pending")
    tide.yield()
    equal(t:status(), "suspended")
    equal(tostring(t), "tidepool.task " .. t.id .. " (suspended)")
    t:join()
    equal(t:status(), "done")
    local failing = tide.spawn(error, "x")
    failing:join()
    equal(failing:status(), "failed")
    equal(math.type(t.id), "integer")
    assert(failing.id > t.id)
    equal(t.unknown, nil)
  end)
end)

test("C functions can be tasks", function()
  tide.run(function()
    h.values(table.pack(tide.spawn(math.max, 1, 5, 3):join()), true, 5)
  end)
end)

test("a task cannot wait for itself", function()
  tide.run(function()
    local t
    t = tide.spawn(function() t:join() end)
    local ok, err = t:join()
    equal(ok, false)
    h.contains(err, "join: a task cannot wait for itself")
  end)
end)

test("tasks that wait for each other are an error that names them", function()
  local ids
  local err = h.raises(tide.run, function()
    local a, b
    a = tide.spawn(function() b:join() end)
    b = tide.spawn(function() a:join() end)
    ids = { a.id, b.id }
  end)
  local first = err:match "^deadlock: task (%d+)" == tostring(ids[1]) and 1 or 2 -- in no particular order
  local a, b = ids[first], ids[3 - first]
  equal(err, ("deadlock: task %d waits for task %d, task %d waits for task %d"):format(a, b, b, a))
  err = h.raises(tide.run, function()
    local list = {}
    for i = 1, 12 do list[i] = tide.spawn(function() list[i % 12 + 1]:join() end) end
  end)
  h.contains(err, " and 4 more")
end)

test("close handlers may wait while a deadlock is broken", function()
  local log = {}
  h.raises(tide.run, function()
    local a, b
    a = tide.spawn(function()
      local x <close> = setmetatable({}, { __close = function()
        tide.shield(tide.yield)
        log[#log + 1] = "waited"
      end })
      b:join()
    end)
    b = tide.spawn(function() a:join() end)
  end)
  equal(#log, 1)
end)

test("a deadlock runs the close handlers and the state works on", function()
  local log = {}
  h.raises(tide.run, function()
    local a, b
    a = tide.spawn(function() local x <close> = h.closer(log, "a") b:join() end)
    b = tide.spawn(function() local x <close> = h.closer(log, "b") a:join() end)
    a:join()
  end)
  table.sort(log)
  equal(table.concat(log), "ab")
  equal(tide.run(function() return 7 end), 7)
end)

test("guards that wait for each other's tasks are broken by force", function()
  local closed = {}
  local err = h.raises(tide.run, function()
    local a, b
    a = tide.spawn(function()
      local x <close> = h.closer(closed, "a")
      local g <close> = tide.guard(b)
      tide.yield()
    end)
    b = tide.spawn(function()
      local x <close> = h.closer(closed, "b")
      local g <close> = tide.guard(a)
      tide.yield()
    end)
  end)
  h.contains(err, "deadlock: ")
  table.sort(closed)
  equal(table.concat(closed), "ab")
end)

test("where the functions may be called", function()
  h.raises_text("spawn: no runtime in this state; use it in a function that tide.run runs", tide.spawn, print)
  h.raises_text("yield: not in a task; use it in a function that tide.run runs", tide.yield)
  tide.run(function()
    h.raises_text("run: this state is inside tide.run already; use tide.spawn", tide.run, print)
    local t = tide.spawn(function() tide.yield() end)
    local inside = "cannot suspend a task from inside another coroutine"
    h.raises_text("yield: " .. inside, coroutine.wrap(function() tide.yield() end))
    h.raises_text("join: " .. inside, coroutine.wrap(function() t:join() end))
    local in_c = "cannot suspend a task inside a call from C (a sort order, a finalizer, ...)"
    h.raises_text("yield: " .. in_c, table.sort, { 2, 1 }, function() tide.yield() end)
    h.raises_text("join: " .. in_c, table.sort, { 2, 1 }, function() t:join() end)
  end)
end)

test("wrong arguments are errors with a position", function()
  local function here(expected, code)
    local f = assert(load("local tide = ... " .. code, "=code"))
    equal(h.raises(f, tide), "code:1: " .. expected)
  end
  here("bad argument #1 to 'run' (function expected, got no value)", "tide.run()")
  here("bad argument #1 to 'run' (function expected, got table)", "tide.run({})")
  here("bad argument #1 to 'guard' (tidepool.task expected, got nil)", "tide.guard(nil)")
  tide.run(function()
    here("bad argument #1 to 'spawn' (function expected, got number)", "tide.spawn(1)")
    here("bad argument #1 to 'join' (number expected, got string)", "tide.spawn(print, ''):join('x')")
    here("bad argument #1 to 'join' (a number of seconds expected, got nan)", "tide.spawn(print, ''):join(0/0)")
    here("bad argument #1 to 'join' (tidepool.task expected, got number)", "tide.spawn(print, '').join(1)")
  end)
end)

test("coroutines of the user's own work inside tasks", function()
  local function numbers()
    return coroutine.wrap(function() for i = 1, 5 do coroutine.yield(i) end end)
  end
  tide.run(function()
    local function sum()
      local s = 0
      for i in numbers() do s = s + i; tide.yield() end
      return s
    end
    local a, b = tide.spawn(sum), tide.spawn(sum)
    h.values(table.pack(a:join()), true, 15)
    h.values(table.pack(b:join()), true, 15)
  end)
end)

test("pcall and close handlers can suspend", function()
  tide.run(function()
    local log = {}
    local t = tide.spawn(function()
      local ok, err = pcall(function()
        local x <close> = setmetatable({}, { __close = function()
          tide.yield()
          log[#log + 1] = "closed"
        end })
        tide.yield()
        error("e", 0)
      end)
      return ok, err
    end)
    h.values(table.pack(t:join()), true, false, "e")
    equal(#log, 1)
    local u = tide.spawn(function()
      local x <close> = setmetatable({}, { __close = function()
        tide.yield()
        log[#log + 1] = "closed again"
      end })
      error("uncaught", 0)
    end)
    h.values(table.pack(u:join()), false, "uncaught")
    equal(#log, 2)
  end)
end)

test("an error in a close handler takes the place of the first", function()
  tide.run(function()
    local t = tide.spawn(function()
      local x <close> = setmetatable({}, { __close = function() error("second", 0) end })
      error("first", 0)
    end)
    h.values(table.pack(t:join()), false, "second")
  end)
end)

test("stack overflow is an error like any other", function()
  tide.run(function()
    local function f() return 1 + f() end
    local t = tide.spawn(f)
    local ok, err = t:join()
    equal(ok, false)
    h.contains(err, "stack overflow")
    h.values(table.pack(tide.spawn(function() return 1 end):join()), true, 1)
  end)
end)

test("run inside a coroutine, and run after run", function()
  local co = coroutine.wrap(function()
    local r = tide.run(function() tide.yield() return "in" end)
    coroutine.yield(r)
  end)
  equal(co(), "in")
  for i = 1, 100 do equal(tide.run(function() tide.yield() return i end), i) end
end)

test("10 000 tasks", function()
  local n = 0
  tide.run(function()
    for i = 1, 10000 do
      tide.spawn(function() for _ = 1, i % 4 do tide.yield() end n = n + 1 end)
    end
  end)
  equal(n, 10000)
end)

h.test_script("failed tasks that nobody joined are reported", function()
  local output = h.script [[
    local tide = require "tidepool"
    tide.run(function()
      tide.spawn(function() error("lost one") end)
      tide.spawn(function() error({}) end)
      tide.spawn(function() error(setmetatable({}, { __tostring = error })) end)
      tide.spawn(function() error("joined") end):join()
      tide.spawn(function() while true do tide.yield() end end):cancel()
    end)]]
  h.contains(output, "tidepool: task 2 failed and nobody joined it: ")
  h.contains(output, ":3: lost one\nstack traceback:")
  h.contains(output, "tidepool: task 3 failed and nobody joined it: table: ")
  h.contains(output, "tidepool: task 4 failed and nobody joined it: (the error cannot be shown)")
  equal(select(2, output:gsub("nobody joined", "")), 3)
end)

h.test_script("failures are reported when their last handle goes, in the order of their ids at the end", function()
  local output = h.script [[
    local tide = require "tidepool"
    kept = {}
    tide.run(function()
      for i = 1, 100 do tide.spawn(function() error(i, 0) end) end
      for i = 101, 200 do kept[i] = tide.spawn(function() error(i, 0) end) end
      tide.yield()
      collectgarbage()
      io.stderr:write("END\n")
      kept[150]:join()
    end)]]
  local before, after = output:match "^(.*)END\n(.*)$"
  equal(select(2, before:gsub("nobody joined", "")), 100)
  equal(select(2, after:gsub("nobody joined", "")), 99)
  local last = 0
  for id in after:gmatch "task (%d+) failed" do
    assert(tonumber(id) > last)
    last = tonumber(id)
  end
end)

test("now is seconds and never goes back", function()
  local a = tide.now()
  local b = tide.now()
  equal(math.type(a), "float")
  assert(b >= a)
end)

h.finish()
