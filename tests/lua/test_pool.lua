-- Pools: joining, limits, overload, statistics, closing; from the main script and from tasks.
-- docs/lua.md, "Pools".

package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local h = require "harness"
local tide = require "tidepool"
local test, equal = h.test, h.equal

local function echo(...) return ... end

-- Waits until a file exists: how a test holds a worker, with no clock in it.
local function wait_for_file(path)
  while true do
    local file = io.open(path)
    if file then file:close() return "went on" end
  end
end

local function gate()
  local path = os.tmpname()
  os.remove(path)
  return path, function() assert(io.open(path, "w")):close() end, function() os.remove(path) end
end

local settings = {
  { workers = 1 }, { workers = 2 }, { workers = 8 }, { workers = 2, stealing = false },
  { workers = 2, overload = "reject" }, { workers = 2, stealing = false, overload = "reject" },
  { workers = 1, capacity = 1 }, { workers = 2, capacity = 3, stealing = false }, {},
}

test("every kind of pool runs every call once", function()
  for _, s in ipairs(settings) do
    local pool <close> = tide.pool(s)
    local handles = {}
    for i = 1, 500 do
      local handle
      repeat handle = pool:spawn(echo, i) until handle -- "reject" refuses now and then
      handles[i] = handle
    end
    for i = 1, 500 do h.values(table.pack(handles[i]:join()), true, i) end
    local stats = pool:stats()
    equal(stats.submitted, 500)
    equal(pool:join_all(), true)
    equal(pool:stats().completed, 500)
  end
end)

test("the functions run in parallel with the script, and in other states", function()
  local path, open, remove = gate()
  local pool <close> = tide.pool { workers = 2 }
  local handle = pool:spawn(wait_for_file, path)
  h.values(table.pack(handle:join(0)), false, "timeout")
  h.values(table.pack(handle:join(0.001)), false, "timeout")
  h.values(table.pack(pool:join_all(0.001)), false, "timeout")
  open()
  h.values(table.pack(handle:join(1000)), true, "went on")
  h.values(table.pack(handle:join()), true, "went on")
  equal(pool:join_all(1000), true)
  remove()
end)

test("status, id, tostring", function()
  local path, open, remove = gate()
  local pool <close> = tide.pool { workers = 1 }
  local first, second = pool:spawn(wait_for_file, path), pool:spawn(echo)
  while first:status() == "pending" do end
  equal(first:status(), "running")
  equal(second:status(), "pending")
  equal(second.id, first.id + 1)
  equal(tostring(second), "tidepool.handle " .. second.id .. " (pending)")
  open()
  second:join()
  equal(first:status(), "done")
  equal(second:status(), "done")
  remove()
end)

test("failures carry the worker's traceback", function()
  local pool <close> = tide.pool { workers = 1 }
  local function deep() error "boom" end
  local handle = pool:spawn(function() deep() end)
  local ok, err = handle:join()
  equal(ok, false)
  h.contains(err, "test_pool.lua:")
  h.contains(err, "boom\nstack traceback:")
  h.contains(err, "deep")
  equal(handle:status(), "failed")
  h.contains(h.raises(handle.await, handle), "boom")
  pool:join_all()
  equal(pool:stats().failed, 1)
end)

test("whatever a script does, the worker goes on", function()
  local pool <close> = tide.pool { workers = 1 }
  local function overflow() return 1 + overflow() end
  local bad = {
    function() error() end,
    function() local function f() return 1 + f() end return f() end,
    function() return ("x"):rep(1 << 60) end,
    function() local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1 << 40) end end,
    function() os.exit(3) end,
    function() setmetatable({}, { __gc = error }) collectgarbage() error "after gc" end,
    function() coroutine.yield() end,
    function() local x <close> = setmetatable({}, { __close = error }) error "x" end,
    function() require "no.such.module" end,
    function() error(setmetatable({}, { __tostring = function() error "again" end })) end,
    function() string.rep = nil error(("x"):rep(3)) end,
    function()
      debug.sethook(error, "l")
      return 1
    end,
  }
  for i, f in ipairs(bad) do
    equal((pool:spawn(f):join()), false, "bad function " .. i)
    h.values(table.pack(pool:spawn(echo, i):join()), true, i)
  end
end)

test("os.exit in a worker is an error that says so", function()
  local pool <close> = tide.pool { workers = 1 }
  local _, err = pool:spawn(function() os.exit(0) end):join()
  h.contains(err, "os.exit: a worker cannot end the process")
end)

test("capacity 1, rejecting", function()
  for _, stealing in ipairs { true, false } do
    local path, open, remove = gate()
    local pool <close> = tide.pool { workers = 1, capacity = 1, overload = "reject", stealing = stealing }
    local handle = assert(pool:spawn(wait_for_file, path))
    h.values(table.pack(pool:spawn(echo)), nil, "full")
    equal(pool:stats().rejected, 1)
    equal(pool:stats().capacity, 1)
    open()
    handle:join()
    pool:join_all()
    assert(pool:spawn(echo))
    remove()
  end
end)

test("capacity 1, blocking", function()
  local pool <close> = tide.pool { workers = 1, capacity = 1 }
  for i = 1, 100 do pool:spawn(echo, i) end
  pool:join_all()
  equal(pool:stats().completed, 100)
end)

test("cancel keeps a call from starting, but not one that has started", function()
  local path, open, remove = gate()
  local pool <close> = tide.pool { workers = 1 }
  local first = pool:spawn(wait_for_file, path)
  while first:status() == "pending" do end
  local second = pool:spawn(function() leaked = true end)
  equal(first:cancel(), false)
  equal(second:cancel("not wanted"), true)
  equal(second:cancel(), false)
  equal(second:status(), "cancelled")
  h.values(table.pack(second:join()), false, "cancelled", "not wanted")
  equal(h.raises(second.await, second), "cancelled")
  open()
  h.values(table.pack(first:join()), true, "went on")
  equal(first:cancel(), false)
  equal(pool:spawn(function() return leaked end):await(), nil)
  remove()
end)

test("close finishes what was accepted; closing twice; use after close", function()
  local pool = tide.pool { workers = 2 }
  local handles = {}
  for i = 1, 50 do handles[i] = pool:spawn(echo, i) end
  equal(pool:close(), true)
  equal(pool:close(), true)
  equal(pool:close(0), true)
  for i = 1, 50 do h.values(table.pack(handles[i]:join()), true, i) end
  h.values(table.pack(pool:spawn(echo)), nil, "closed")
  equal(pool:join_all(), true)
  equal(pool:stats().completed, 50)
end)

test("close with a limit", function()
  local path, open, remove = gate()
  local pool = tide.pool { workers = 1 }
  local handle = pool:spawn(wait_for_file, path)
  h.values(table.pack(pool:close(0)), false, "timeout")
  h.values(table.pack(pool:close(0.001)), false, "timeout")
  h.values(table.pack(pool:spawn(echo)), nil, "closed")
  open()
  equal(pool:close(), true)
  h.values(table.pack(handle:join()), true, "went on")
  remove()
end)

test("a scope closes its pool, also when left by an error", function()
  local kept
  h.raises(function()
    local pool <close> = tide.pool { workers = 1 }
    kept = pool
    pool:spawn(echo)
    error "x"
  end)
  h.values(table.pack(kept:spawn(echo)), nil, "closed")
end)

test("in a run only the task waits", function()
  local path, open, remove = gate()
  local pool <close> = tide.pool { workers = 2 }
  tide.run(function()
    local past, turns, joined = 0, 0, 0
    local tasks = {}
    local handle = pool:spawn(wait_for_file, path)
    for i = 1, 3 do
      tasks[i] = tide.spawn(function()
        h.values(table.pack(handle:join(0)), false, "timeout")
        h.values(table.pack(handle:join(0.001)), false, "timeout")
        past = past + 1
        h.values(table.pack(handle:join()), true, "went on")
        equal(handle:await(), "went on")
        joined = joined + 1
      end)
    end
    local stop = tide.spawn(function() handle:join() end)
    tide.yield()
    stop:cancel()
    h.values(table.pack(stop:join()), false, "cancelled")
    while past < 3 do tide.yield() end
    while turns < 1000 do turns = turns + 1 tide.yield() end
    equal(joined, 0)
    open()
    for i = 1, 3 do tasks[i]:await() end
    equal(joined, 3)
  end)
  remove()
end)

test("a run with nothing ready sleeps until a call is done", function()
  local pool <close> = tide.pool { workers = 1 }
  tide.run(function()
    for i = 1, 200 do h.values(table.pack(pool:spawn(echo, i):join()), true, i) end
  end)
end)

test("100 tasks, each with calls", function()
  local pool <close> = tide.pool { workers = 2, capacity = 16 }
  local sum = 0
  tide.run(function()
    for i = 1, 100 do
      tide.spawn(function()
        for j = 1, 10 do
          local product = pool:spawn(echo, i * j):await() -- not in the sum: other tasks add meanwhile
          sum = sum + product
        end
      end)
    end
  end)
  equal(sum, 5050 * 55)
end)

test("after waits for calls a deadlock is still seen", function()
  local pool <close> = tide.pool { workers = 1 }
  local path, open, remove = gate()
  h.contains(h.raises(tide.run, function()
    local handle = pool:spawn(wait_for_file, path)
    local waiter = tide.spawn(function() handle:join() end)
    handle:join(0.001)
    waiter:cancel()
    open()
    handle:join()
    local a, b
    a = tide.spawn(function() b:join() end)
    b = tide.spawn(function() a:join() end)
  end), "deadlock: ")
  remove()
end)

test("cancelling a call wakes the tasks that wait for it", function()
  local path, open, remove = gate()
  local pool <close> = tide.pool { workers = 1 }
  local first = pool:spawn(wait_for_file, path)
  local second = pool:spawn(echo)
  tide.run(function()
    local waiter = tide.spawn(function() return second:join() end)
    tide.yield()
    equal(second:cancel("why"), true)
    h.values(table.pack(waiter:join()), true, false, "cancelled", "why")
  end)
  open()
  equal(first:await(), "went on")
  remove()
end)

test("join inside a coroutine of the user's own: an error in a task, the thread waits outside", function()
  local pool <close> = tide.pool { workers = 1 }
  equal(coroutine.wrap(function() return pool:spawn(echo, 5):await() end)(), 5)
  tide.run(function()
    local path, open, remove = gate()
    local handle = pool:spawn(wait_for_file, path)
    h.raises_text("join: cannot suspend a task from inside another coroutine",
      coroutine.wrap(function() handle:join() end))
    open()
    handle:join()
    remove()
  end)
end)

test("pools inside workers", function()
  local pool <close> = tide.pool { workers = 2 }
  local function nested(n)
    local inner_tide = require "tidepool"
    local inner <close> = inner_tide.pool { workers = 2 }
    local sum = 0
    inner_tide.run(function()
      for i = 1, n do
        inner_tide.spawn(function()
          local square = inner:spawn(function(x) return x * x end, i):await()
          sum = sum + square
        end)
      end
    end)
    return sum
  end
  local a, b = pool:spawn(nested, 10), pool:spawn(nested, 3)
  equal(a:await(), 385)
  equal(b:await(), 14)
end)

test("a worker searches where the script does", function()
  local path, cpath = package.path, package.cpath
  package.path, package.cpath = "here/?.lua", "there/?.so"
  local pool <close> = tide.pool { workers = 1 }
  package.path, package.cpath = path, cpath
  h.values(table.pack(pool:spawn(function() return package.path, package.cpath end):await()),
    "here/?.lua", "there/?.so")
  package.path = nil
  local other <close> = tide.pool { workers = 1 }
  package.path = path
  equal(other:spawn(function() return package.path end):await(), "")
end)

test("more workers than cores, and many pools", function()
  local pools = {}
  for i = 1, 10 do pools[i] = tide.pool { workers = 3, stealing = i % 2 == 0 } end
  local handles = {}
  for i = 1, 300 do handles[i] = pools[i % 10 + 1]:spawn(echo, i) end
  for i = 1, 300 do equal(handles[i]:await(), i) end
  for i = 1, 10 do pools[i]:close() end
end)

test("settings: near misses and bad values", function()
  local function refused(expected, s)
    h.raises_text("pool: " .. expected, tide.pool, s)
  end
  local others = " (there are workers, capacity, stealing, overload)"
  refused("unknown setting 'worker' (did you mean 'workers'?)", { worker = 2 })
  refused("unknown setting 'capcity' (did you mean 'capacity'?)", { capcity = 2 })
  refused("unknown setting 'Stealing' (did you mean 'stealing'?)", { Stealing = true })
  refused("unknown setting 'colour'" .. others, { colour = 2 })
  refused("unknown setting '" .. ("x"):rep(100) .. "'" .. others, { [("x"):rep(100)] = 2 })
  refused("unknown setting ''" .. others, { [""] = 1 })
  refused("settings have names, but here is a key that is a number", { 4 })
  refused("'workers' must be a whole number, not 2.5", { workers = 2.5 })
  refused("'workers' must be a whole number, not 2", { workers = "2" })
  refused("'workers' must be from 1 to 4096, not 0", { workers = 0 })
  refused("'workers' must be from 1 to 4096, not 4097", { workers = 4097 })
  refused("'capacity' must be from 1 to 1000000000, not -1", { capacity = -1 })
  refused("'stealing' must be true or false, not on", { stealing = "on" })
  refused("'overload' must be \"block\" or \"reject\", not drop", { overload = "drop" })
  refused("'overload' must be \"block\" or \"reject\", not true", { overload = true })
  h.raises_text("bad argument #1 to 'pool' (table expected, got number)", function() tide.pool(4) end)
end)

test("wrong arguments", function()
  local pool <close> = tide.pool { workers = 1 }
  local function here(expected, code)
    local f = assert(load("local pool = ... " .. code, "=code"))
    equal(h.raises(f, pool), "code:1: " .. expected)
  end
  here("bad argument #1 to 'spawn' (function expected, got no value)", "pool:spawn()")
  here("bad argument #1 to 'spawn' (a function written in Lua expected, got a C function)", "pool:spawn(print)")
  here("bad argument #1 to 'spawn' (tidepool.pool expected, got table)", "pool.spawn({}, print)")
  here("bad argument #1 to 'join_all' (number expected, got table)", "pool:join_all({})")
  here("bad argument #1 to 'close' (number expected, got string)", "pool:close('x')")
  here("spawn: cannot send argument #1 (a C function)", "pool:spawn(function() end, print)")
  h.contains(tostring(pool), "tidepool.pool (1 workers, ")
end)

h.finish()
