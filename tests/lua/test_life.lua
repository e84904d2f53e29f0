-- Ends: handles, tasks and pools dropped early, states closed with work in flight, and the collector
-- at its busiest.

package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local h = require "harness"
local tide = require "tidepool"
local test, equal = h.test, h.equal

local function echo(...) return ... end

-- Runs f under each way of collecting, with full collections in between.
local function under_stress(f)
  for _, mode in ipairs { "generational", "incremental" } do
    collectgarbage(mode)
    f()
    collectgarbage()
  end
  collectgarbage("setpause", 10)
  collectgarbage("setstepmul", 1000)
  f()
  collectgarbage("setpause", 200)
  collectgarbage("setstepmul", 100)
end

test("tasks under a busy collector", function()
  under_stress(function()
    tide.run(function()
      local list = {}
      for i = 1, 300 do
        list[i] = tide.spawn(function(t)
          local mine = { i, t }
          tide.yield()
          if i % 50 == 0 then collectgarbage() end
          if i % 7 == 0 then error(mine) end
          return mine, i
        end, { i })
      end
      tide.yield()
      collectgarbage()
      for i = 1, 300 do
        local ok, mine = list[i]:join()
        equal(ok, i % 7 ~= 0)
        equal(mine[1], i)
        equal(mine[2][1], i)
      end
    end)
  end)
end)

test("calls under a busy collector", function()
  local pool <close> = tide.pool { workers = 2 }
  under_stress(function()
    local list = {}
    for i = 1, 300 do
      list[i] = pool:spawn(function(t) t.r = { i } if i % 20 == 0 then collectgarbage() end return t end, { i = i })
      if i % 100 == 0 then collectgarbage() end
    end
    for i = 1, 300 do equal(list[i]:await().r[1], i) end
  end)
end)

test("tasks without handles are not collected", function()
  local n = 0
  tide.run(function()
    for _ = 1, 100 do
      tide.spawn(function() tide.yield() collectgarbage() tide.yield() n = n + 1 end)
    end
    collectgarbage()
  end)
  equal(n, 100)
end)

test("finished tasks let go of what they held", function()
  local weak = setmetatable({}, { __mode = "v" })
  tide.run(function()
    weak.arg, weak.result = {}, {}
    local t = tide.spawn(function() tide.yield() return 1 end, weak.arg)
    t:join()
    local done
    do
      local held = {}
      weak.upvalue = held
      done = tide.spawn(function() local _ = held end)
      done:join()
    end
    local u = tide.spawn(function() return {} end)
    weak.result = select(2, u:join())
    u = nil
    collectgarbage()
    equal(weak.arg, nil)
    equal(weak.result, nil)
    equal(weak.upvalue, nil)
    equal(done:status(), "done")
    equal(t:status(), "done")
  end)
end)

test("handles dropped before, during and after the call", function()
  local pool <close> = tide.pool { workers = 2 }
  for i = 1, 2000 do
    local handle = pool:spawn(echo, { i })
    if i % 3 == 0 then handle:join() end
    handle = nil
    if i % 100 == 0 then collectgarbage() end
  end
  pool:join_all()
  collectgarbage()
  equal(pool:stats().completed, 2000)
end)

test("a wait given up, then the handle dropped, then the call done", function()
  local path = os.tmpname()
  os.remove(path)
  local pool <close> = tide.pool { workers = 1 }
  local gate = pool:spawn(function(p) repeat local f = io.open(p) until f end, path)
  for _ = 1, 10 do
    local handle = pool:spawn(echo)
    h.values(table.pack(handle:join(0.001)), false, "timeout")
    tide.run(function() h.values(table.pack(handle:join(0.001)), false, "timeout") end)
  end
  collectgarbage()
  assert(io.open(path, "w")):close()
  gate:join()
  pool:join_all()
  os.remove(path)
end)

test("a pool dropped with calls in flight finishes them", function()
  local handles = {}
  do
    local pool = tide.pool { workers = 2 }
    for i = 1, 200 do handles[i] = pool:spawn(echo, i) end
  end
  collectgarbage()
  for i = 1, 200 do h.values(table.pack(handles[i]:join()), true, i) end
end)

test("pools made and dropped many times", function()
  for i = 1, 50 do
    equal(tide.pool { workers = 2 }:spawn(echo, i):await(), i)
    if i % 10 == 0 then collectgarbage() end
  end
  collectgarbage()
end)

-- The script must end by itself, without output, with this status.
local function ends(code, script, settings)
  local output, how, status = h.script('local tide = require "tidepool"\n' .. script, settings)
  equal(output, "")
  equal(how, "exit")
  equal(status, code)
end

h.test_script("a script that ends with calls in flight", function()
  ends(0, [[local pool = tide.pool { workers = 2 }
    for i = 1, 1000 do pool:spawn(function(n) for _ = 1, n do end end, i) end]])
end)

h.test_script("a state closed inside a run", function()
  ends(7, [[tide.run(function()
      local pool = tide.pool { workers = 2 }
      for i = 1, 100 do
        tide.spawn(function() local g <close> = tide.guard(tide.spawn(tide.yield)) pool:spawn(function() end):join() end)
        tide.spawn(function() pool:spawn(function() end):join() end)
      end
      for _ = 1, 3 do tide.yield() end
      G = tide.guard(tide.spawn(function() while true do tide.yield() end end))
      os.exit(7, true)
    end)]])
end)

h.test_script("a process that exits without closing its state", function()
  ends(5, [[local pool = tide.pool { workers = 2 }
    for i = 1, 100 do pool:spawn(function() for _ = 1, 10000 do end end) end
    os.exit(5, false)]],
    -- The leak checker, run by exit, crashes on threads that are only being started.
    "ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0")
end)

h.test_script("finalizers in a closing state may use the module", function()
  ends(0, [[local pool = tide.pool { workers = 1 }
    local handle = pool:spawn(function() return 1 end)
    keep = setmetatable({}, { __gc = function()
      handle:join(0)
      pool:stats()
      pool:close()
      tide.now()
      pcall(tide.run, function() tide.yield() end)
    end })]])
end)

h.test_script("workers' finalizers run when their states close", function()
  local output = h.script [[
    local tide = require "tidepool"
    io.stdout:setvbuf "no"
    do
      local pool <close> = tide.pool { workers = 1 }
      pool:spawn(function()
        keep = setmetatable({}, { __gc = function() io.stdout:write "finalized " end })
      end):join()
    end
    io.stdout:write "closed"]]
  equal(output, "finalized closed")
end)

test("a worker's state is closed with its pools open and calls in flight", function()
  local pool = tide.pool { workers = 2 }
  for _ = 1, 4 do
    pool:spawn(function()
      local tide = require "tidepool"
      pools = pools or {}
      pools[#pools + 1] = tide.pool { workers = 2 }
      handles = {}
      for i = 1, 200 do handles[i] = pools[#pools]:spawn(function(n) for _ = 1, n do end return { n } end, i * 100) end
      handles[7]:join(0.0001)
      local co = coroutine.wrap(function()
        local g <close> = setmetatable({}, { __close = function() handles[1]:join(0) end })
        coroutine.yield(1)
      end)
      co()
      suspended = co
    end)
  end
  equal(pool:close(), true)
end)

h.test_script("tide.run in a finalizer that runs when the state is nearly gone", function()
  local output, how, code = h.script [[
    late = setmetatable({}, { __gc = function() print(pcall(tide.run, function() end)) end })
    tide = require "tidepool"]]
  equal(how, "exit")
  equal(code, 0)
  equal(output, "false\trun: the state is closing\n")
end)

test("the module is loaded once in a state", function()
  local loaded = package.loaded.tidepool
  package.loaded.tidepool = nil
  local ok, again = pcall(require, "tidepool")
  package.loaded.tidepool = loaded
  equal(ok, true)
  equal(again, loaded)
end)

test("a table in the clothes of a task is no task", function()
  local task = tide.run(function() return tide.spawn(function() end) end)
  local fake = debug.setmetatable({}, debug.getmetatable(task))
  h.contains(h.raises(task.join, fake), "tidepool.task expected")
end)

test("a setting with a zero byte is no setting", function()
  h.contains(h.raises(tide.pool, { ["workers\0x"] = 1 }), "unknown setting")
  h.contains(h.raises(tide.pool, { overload = "reject\0x" }), "'overload' must be")
end)

h.test_script("a report shows all of an error", function()
  local output = h.script [[
    local tide = require "tidepool"
    tide.run(function() tide.spawn(function() error("one\0two", 0) end) end)]]
  h.contains(output, "nobody joined it: one\0two\n")
end)

h.test_script("a call that is joined by a finalizer when the state is nearly gone", function()
  local output, how, code = h.script [[
    late = setmetatable({}, { __gc = function() print(pcall(handle.join, handle)) end })
    local tide = require "tidepool"
    local pool = tide.pool { workers = 1, capacity = 8 }
    pool:spawn(function() local n = 0 for i = 1, 1e7 do n = n + i end end)
    handle = pool:spawn(function() return 7 end)]]
  equal(how, "exit")
  equal(code, 0)
  equal(output, "false\tjoin: the state is closing\n")
end)

h.finish()
