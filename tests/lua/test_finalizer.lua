-- Finalizers run wherever Lua allocates, also in the middle of the scheduler's work. Whatever they do
-- to tasks there (spawn, cancel, close, resume) must not disturb it. docs/lua.md, "Tasks" and "Guards".

package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local h = require "harness"
local tide = require "tidepool"
local test, equal = h.test, h.equal

local function pack(...) return table.pack(...) end

-- Runs case with the collector so eager that nearly every allocation runs a finalizer, which calls
-- `act`. Returns how often it was called.
local function haunted(act, case)
  local n, stop = 0, false
  local function again()
    setmetatable({}, { __gc = function()
      if stop then return end
      n = n + 1
      again()
      act(n)
    end })
  end
  collectgarbage("incremental", 1, 10000, 1)
  collectgarbage()
  again()
  local ok, message = pcall(case)
  stop = true
  collectgarbage("incremental", 200, 100, 13)
  if not ok then error(message, 0) end
  return n
end

test("guards that are dropped", function()
  for _, n in ipairs { 10, 500, 1000, 3000 } do
    local started = 0
    tide.run(function()
      for _ = 1, n do
        tide.guard(tide.spawn(function() started = started + 1 tide.yield() end))
      end
      tide.yield()
    end)
    equal(started <= n, true)
  end
end)

test("guards that are dropped, run after run", function()
  for round = 1, 60 do
    tide.run(function()
      for _ = 1, 200 + round do tide.guard(tide.spawn(function() tide.yield() end)) end
      for _ = 1, 10 do tide.yield() end
    end)
  end
end)

test("a finalizer cancels tasks that have not started", function()
  local tasks, ended, ready = {}, 0, false
  local n = haunted(function()
    for _, task in ipairs(ready and tasks or {}) do
      if task:status() == "pending" then return task:cancel() end
    end
  end, function()
    tide.run(function()
      for i = 1, 300 do tasks[i] = tide.spawn(function() tide.yield() end) end
      ready = true
      for i = 1, 300 do
        local ok, message = tasks[i]:join()
        if not ok then equal(message, "cancelled") end
        ended = ended + 1
      end
    end)
  end)
  equal(n > 0, true)
  equal(ended, 300)
end)

test("a finalizer cancels the task that is about to wait", function()
  local about, cancelled = nil, {}
  haunted(function()
    if about then cancelled[about] = about:cancel() end
    about = nil
  end, function()
    tide.run(function()
      local stop = false
      local slow = tide.spawn(function() while not stop do tide.yield() end return "slow" end)
      local joiners = {}
      for i = 1, 100 do
        joiners[i] = tide.spawn(function()
          about = joiners[i]
          return slow:join(1000)
        end)
        tide.yield()
        about = nil
      end
      stop = true
      for i = 1, 100 do equal((joiners[i]:join()), not cancelled[joiners[i]]) end
    end)
  end)
end)

test("a finalizer resumes a coroutine that its task left by coroutine.yield", function()
  local co
  haunted(function()
    if co and coroutine.status(co) == "suspended" then coroutine.resume(co) end
  end, function()
    tide.run(function()
      for _ = 1, 1000 do
        local ok, message = tide.spawn(function()
          co = coroutine.running()
          coroutine.yield()
          return 1, 2, 3
        end):join()
        co = nil
        equal(ok, false)
        h.contains(message, "coroutine.yield outside its own coroutines")
      end
    end)
  end)
end)

test("a finalizer closes the coroutines of tasks", function()
  local co
  haunted(function()
    if co and coroutine.status(co) == "suspended" then
      coroutine.close(co)
      co = nil
    end
  end, function()
    tide.run(function()
      local tasks = {}
      for i = 1, 500 do
        tasks[i] = tide.spawn(function()
          local x <close> = setmetatable({}, { __close = function() error("x", 0) end })
          co = co or coroutine.running()
          tide.yield()
        end)
      end
      for i = 1, 500 do equal((tasks[i]:join()), false) end
    end)
  end)
end)

test("a finalizer asks for the result that is being read", function()
  local pool <close> = tide.pool { workers = 1 }
  local handle
  local n = haunted(function()
    if handle then handle:status() end
  end, function()
    for _ = 1, 30 do
      handle = pool:spawn(function()
        local t = {}
        for i = 1, 50 do t[i] = { ("x"):rep(i) } end
        return t, 1, 2, 3
      end)
      local result = pack(handle:join())
      equal(result.n, 5)
      for i = 1, 50 do equal(result[2][i][1], ("x"):rep(i)) end
      equal(result[5], 3)
    end
  end)
  equal(n > 0, true)
end)

h.finish()
