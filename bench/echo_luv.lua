#!/usr/bin/env lua5.4
-- echo, luv: libuv's callbacks from Lua, on its one loop.
local uv = require "luv"

-- More descriptors than usual: what a shell may have, a script cannot ask for.
local is_idle = arg[4] == "idle"
if is_idle and not os.getenv "BENCH_RAISED" then
  local _, _, code = os.execute(("ulimit -n $(ulimit -Hn); BENCH_RAISED=1 exec '%s' %s"):format(arg[0], table.concat(arg, " ")))
  os.exit(code)
end

local tasks = tonumber(arg[1]) or 1000000
local beside = arg[0]:match "^(.*/)" or "./"

local function check(ok, what)
  if ok then return end
  io.stderr:write("bench: ", what, "\n")
  os.exit(2)
end

local function cpu_ns()
  local usage = uv.getrusage()
  return (usage.utime.sec + usage.stime.sec) * 1000000000 + (usage.utime.usec + usage.stime.usec) * 1000
end

-- Resident memory of the process, and its page tables.
local function memory()
  local sum = 0
  for line in io.lines "/proc/self/status" do
    sum = sum + (tonumber(line:match "^VmRSS:%s*(%d+)" or line:match "^VmPTE:%s*(%d+)") or 0)
  end
  return sum * 1024
end

local server = uv.new_tcp()
check(server:bind("127.0.0.1", 0), "no socket that listens")
server:listen(1024, function()
  local peer = uv.new_tcp()
  server:accept(peer)
  peer:nodelay(true)
  peer:read_start(function(err, bytes)
    if bytes then peer:write(bytes) else peer:close() end
  end)
end)

local before = memory()
local to, from = uv.new_pipe(), uv.new_pipe()
local client = uv.spawn(beside .. "echo_client", {
  args = { tostring(server:getsockname().port), is_idle and tostring(tasks) or "50" },
  stdio = { to, from, 2 },
})
check(client, "the client does not start")

local n_rounds, start, cpu_start = 0, nil, nil
local function begin()
  cpu_start, start = cpu_ns(), uv.hrtime()
  to:write(("%d\n"):format(tasks))
end
from:read_start(function(err, text)
  check(text and tonumber(text) == tasks, "not every task was done")
  if is_idle then
    print(("bytes=%d connections=%d"):format((memory() - before) // tasks, tasks))
    os.exit(0)
  end
  local took, cpu = uv.hrtime() - start, cpu_ns() - cpu_start
  n_rounds = n_rounds + 1
  if n_rounds == 1 then return begin() end
  print(("ns_per_task=%.2f cpu_ns_per_task=%.2f tasks=%d workers=1 producers=1"):format(took / tasks, cpu / tasks, tasks))
  os.exit(0)
end)
begin()
uv.run()
