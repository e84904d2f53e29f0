-- The generator and the preprocessor must agree: for every combination of switches, what the
-- generator writes from a config is, token by token, what the template says under -D. So the
-- behaviour suite, the sanitizers and the explorer, which work on the template, speak for every
-- generated pool. Run from the project's root: lua5.4 tests/parts/test_same_text.lua [TOOL]

local tool = arg[1] or "build/tool/tidepool"

local function capture(command)
  local pipe <close> = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "a"
  local ok = pipe:close()
  return ok and text, text
end

-- One axis of the product: each choice as a line of config and as flags of the template.
local axes = {
  {
    { "workers = cores", "-DWITH_CORES=1 -DVALUE_WORKERS=1 -DVALUE_WORKERS_DIVISOR=1" },
    { "workers = cores * 3 / 2", "-DWITH_CORES=1 -DVALUE_WORKERS=3 -DVALUE_WORKERS_DIVISOR=2" },
    { "workers = 3", "-DWITH_CORES=0 -DVALUE_WORKERS=3" },
  },
  {
    { "policy = fifo", "-DWITH_LIFO=0" },
    { "policy = lifo", "-DWITH_LIFO=1" },
  },
  {
    { "stealing = off", "-DWITH_STEALING=0" },
    { "stealing = on { queue = 64 batch = half }", "-DWITH_STEALING=1 -DWITH_HALF=1 -DVALUE_QUEUE=64" },
    { "stealing = on { queue = 4 batch = one }", "-DWITH_STEALING=1 -DWITH_HALF=0 -DVALUE_QUEUE=4" },
  },
  {
    { "capacity = unlimited", "-DWITH_BOUNDED=0" },
    { "capacity = 77 overload = block", "-DWITH_BLOCK=1 -DVALUE_CAPACITY=77" },
    { "capacity = 77 overload = reject", "-DWITH_BLOCK=0 -DVALUE_CAPACITY=77" },
    { "capacity = 77 overload = block { waiting = 9 }", "-DWITH_WAITING=1 -DVALUE_WAITING=9 -DVALUE_CAPACITY=77" },
    { "capacity = 77 overload = block { waiting = 9 deadline = 5ms }",
      "-DWITH_WAITING=1 -DVALUE_WAITING=9 -DWITH_DEADLINE=1 -DVALUE_DEADLINE_NS=5000000 -DVALUE_CAPACITY=77" },
  },
  {
    { "stats = on", "-DWITH_STATS=1" },
    { "stats = off", "-DWITH_STATS=0" },
  },
}

local dir = os.tmpname()
os.remove(dir)
assert(os.execute("mkdir -p '" .. dir .. "'"))

local function tokens(command)
  local text, failure = capture(command)
  if not text then return nil, failure end
  return (text:gsub("%s+", " "))
end

local function check(lines, flags)
  local config = assert(io.open(dir .. "/same.pool", "w"))
  config:write('include "inttypes.h"\npool job {\n  payload = "uintptr_t"\n  run = job_run\n  ', lines, "\n}\n")
  config:close()
  local ok, said = capture(("%s --home . gen '%s/same.pool' -o '%s'"):format(tool, dir, dir))
  if not ok then return nil, said end
  local written, why = tokens(("gcc -std=c11 -E -P -Iruntime -I'%s' '%s/job_pool.c'"):format(dir, dir))
  if not written then return nil, why end
  local template
  template, why = tokens(("gcc -std=c11 -E -P -Iruntime '-DVALUE_INCLUDE=<inttypes.h>' %s gen/parts/pool.c"):format(flags))
  if not template then return nil, why end
  if written == template then return true end
  local at = 1
  while written:sub(at, at) == template:sub(at, at) do at = at + 1 end
  return nil, ("  generated: … %s\n  template:  … %s"):format(written:sub(at - 60, at + 60), template:sub(at - 60, at + 60))
end

local n_passed, n_failed = 0, 0
local function walk(depth, lines, flags)
  if depth > #axes then
    local ok, why = check(lines, flags)
    n_passed, n_failed = n_passed + (ok and 1 or 0), n_failed + (ok and 0 or 1)
    if not ok then print(("not the same: %s\n%s"):format(lines:gsub("\n%s*", ", "), why)) end
    return
  end
  for _, choice in ipairs(axes[depth]) do
    walk(depth + 1, lines .. choice[1]:gsub(" overload", "\n  overload") .. "\n  ", flags .. " " .. choice[2])
  end
end
walk(1, "", "")

os.execute("rm -rf '" .. dir .. "'")
print(("%d passed, %d failed"):format(n_passed, n_failed))
os.exit(n_failed == 0 and n_passed > 0)
