-- The generator and the preprocessor must agree: for every combination of switches, what the
-- generator writes from a config is, token by token, what the template says under -D. So the
-- behaviour suite, the sanitizers and the explorer, which work on the template, speak for every
-- generated pool. All combinations of policy, stealing and overload are looked at; the other axes
-- take turns, so that any two choices of any two axes stand together at least once.
-- Run from the project's root: lua5.4 tests/parts/test_same_text.lua [TOOL]

local tool = arg[1] or "build/tool/tidepool"

local function capture(command)
  local pipe <close> = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "a"
  local ok = pipe:close()
  return ok and text, text
end

-- -- axes --------------------------------------------------------------------------------------
-- Each choice as lines of config and as flags of the template; what follows is for `possible`.

local product = {
  { name = "policy",
    { "policy = fifo", "-DWITH_LIFO=0", fifo = true },
    { "policy = lifo", "-DWITH_LIFO=1" },
    { "policy = priority(high, normal, low)", "-DWITH_PRIORITY=1 -DVALUE_WEIGHTS='1, 1, 1'", board = true },
    { "policy = priority(a, b, c, d) { exceed = 7 age = 9 }\npending = 33",
      "-DWITH_PRIORITY=1 -DVALUE_WEIGHTS='1, 1, 1, 1' -DVALUE_CLASSES='JOB_CLASS_A, JOB_CLASS_B, JOB_CLASS_C, JOB_CLASS_D' "
        .. "-DVALUE_CLASS_DEFAULT=JOB_CLASS_B -DVALUE_EXCEED=7 -DVALUE_AGE=9 -DVALUE_PENDING=33", board = true, bounded = true },
    { "policy = fair(high = 4, Normal = 2, low = 1)", "-DWITH_FAIR=1", board = true },
    { "policy = fair(a = 1000, b = 1) { slice = 3us }",
      "-DWITH_FAIR=1 -DVALUE_WEIGHTS='1000, 1' -DVALUE_CLASSES='JOB_CLASS_A, JOB_CLASS_B' "
        .. "-DVALUE_CLASS_DEFAULT=JOB_CLASS_A -DVALUE_SLICE_NS=3000", board = true },
    { "policy = adaptive", "-DWITH_ADAPTIVE=1", adaptive = true },
    { "policy = adaptive(a = 3, b = 2) { slice = 2ms age = 5 }",
      "-DWITH_ADAPTIVE=1 -DVALUE_WEIGHTS='3, 2' -DVALUE_CLASSES='JOB_CLASS_A, JOB_CLASS_B' "
        .. "-DVALUE_CLASS_DEFAULT=JOB_CLASS_A -DVALUE_SLICE_NS=2000000 -DVALUE_AGE=5", adaptive = true },
  },
  { name = "stealing",
    { "stealing = off", "-DWITH_STEALING=0" },
    { "stealing = on", "-DWITH_STEALING=1" },
    { "stealing = on { queue = 4 batch = one victims = next }",
      "-DWITH_STEALING=1 -DWITH_HALF=0 -DWITH_RANDOM=0 -DVALUE_QUEUE=4", ring = true },
    { "stealing = on { queue = 64 batch = 12 newest = 5 }",
      "-DWITH_STEALING=1 -DWITH_HALF=1 -DWITH_MOST=1 -DVALUE_MOST=12 -DVALUE_QUEUE=64 -DWITH_NEWEST=1 -DVALUE_NEWEST=5", ring = true, newest = true },
  },
  { name = "overload",
    { "capacity = unlimited", "-DWITH_BOUNDED=0", unlimited = true },
    { "capacity = 77\noverload = block", "-DWITH_BLOCK=1 -DVALUE_CAPACITY=77" },
    { "overload = block { waiting = 9 }", "-DWITH_WAITING=1 -DVALUE_WAITING=9" },
    { "overload = block { deadline = 5ms }", "-DWITH_DEADLINE=1 -DVALUE_DEADLINE_NS=5000000" },
    { "overload = block { waiting = 9 deadline = 5ms }",
      "-DWITH_WAITING=1 -DVALUE_WAITING=9 -DWITH_DEADLINE=1 -DVALUE_DEADLINE_NS=5000000" },
    { "overload = reject", "-DWITH_REJECT=1" },
    { "overload = caller_runs", "-DWITH_CALLER_RUNS=1" },
    { "overload = drop_oldest", "-DWITH_DROP_OLDEST=1", board = true },
    { "overload = drop_oldest { dropped = job_lost }", "-DWITH_DROP_OLDEST=1 -DWITH_DROPPED=1 -DVALUE_DROPPED=job_lost", board = true },
    { "overload = drop_newest", "-DWITH_DROP_NEWEST=1" },
    { "overload = drop_newest { dropped = job_lost }", "-DWITH_DROP_NEWEST=1 -DWITH_DROPPED=1 -DVALUE_DROPPED=job_lost" },
    { "overload = spill", "-DWITH_SPILL=1" },
    { "overload = any", "-DWITH_ANY=1 -DVALUE_WAITING=0xffffffff -DVALUE_DEADLINE_NS=0xffffffffffffffff" },
    { "overload = any { dropped = job_lost }", "-DWITH_ANY=1 -DVALUE_WAITING=0xffffffff "
      .. "-DVALUE_DEADLINE_NS=0xffffffffffffffff -DWITH_DROPPED=1 -DVALUE_DROPPED=job_lost" },
  },
}

local rotated = {
  { name = "tune",
    { "tune = off", "-DWITH_TUNE=0" },
    { "tune = on", "-DWITH_TUNE=1" },
    { "tune = auto", "-DWITH_TUNE=1 -DWITH_AUTO=1", auto = true },
    { 'tune = auto { period = 20ms hours = "08:30-17:05" }',
      "-DWITH_TUNE=1 -DWITH_AUTO=1 -DVALUE_PERIOD_NS=20000000 -DWITH_HOURS=1 -DVALUE_HOURS_FROM=510 -DVALUE_HOURS_TO=1025", auto = true },
  },
  { name = "workers",
    { "workers = cores", "-DWITH_CORES=1 -DVALUE_WORKERS=1 -DVALUE_WORKERS_DIVISOR=1", fixed = true },
    { "workers = cores * 3 / 2", "-DWITH_CORES=1 -DVALUE_WORKERS=3 -DVALUE_WORKERS_DIVISOR=2", fixed = true },
    { "workers = 3", "-DWITH_CORES=0 -DVALUE_WORKERS=3", fixed = true },
    { "workers = 2..9", "-DWITH_CORES=0 -DWITH_RANGE=1 -DVALUE_WORKERS_MIN=2 -DVALUE_WORKERS=9" },
    { "workers = 2..cores * 5 / 3", "-DWITH_CORES=1 -DWITH_RANGE=1 -DVALUE_WORKERS_MIN=2 -DVALUE_WORKERS=5 -DVALUE_WORKERS_DIVISOR=3" },
  },
  { name = "min", { "", "-DWITH_PREALLOCATE=0" }, { "min = 50", "-DWITH_PREALLOCATE=1 -DVALUE_PREALLOCATE=50" } },
  { name = "stats", { "stats = on", "-DWITH_STATS=1" }, { "stats = off", "-DWITH_STATS=0" } },
  { name = "ops", { "ops = on", "-DWITH_OPS=1" }, { "ops = off", "-DWITH_OPS=0" } },
  { name = "tracking", { "tracking = on", "-DWITH_TRACKING=1" }, { "tracking = off", "-DWITH_TRACKING=0" } },
  { name = "expire", { "expire = off", "-DWITH_EXPIRE=0" }, { "expire = 2s", "-DWITH_EXPIRE=1 -DVALUE_EXPIRE_NS=2000000000" } },
  { name = "timeout", { "", "-DWITH_TIMEOUT=0" }, { "timeout = 3s", "-DWITH_TIMEOUT=1 -DVALUE_TIMEOUT_NS=3000000000", limited = true } },
  { name = "affinity", { "affinity = on", "-DWITH_AFFINITY=1" }, { "", "-DWITH_AFFINITY=0" } },
  { name = "forks", { "forks = on", "-DWITH_FORKS=1" }, { "", "-DWITH_FORKS=0" } },
  { name = "tasks",
    { "", "-DWITH_COROUTINE=0" },
    { "tasks = coroutine", "-DWITH_COROUTINE=1", coroutine = true },
    { "tasks = coroutine { migrate = off }", "-DWITH_COROUTINE=1 -DWITH_PINNED=1", coroutine = true },
    { "tasks = coroutine { stack = 256KiB }", "-DWITH_COROUTINE=1 -DVALUE_STACK=262144", coroutine = true },
  },
}

-- Can these choices stand in one config? gen/rules.lua says why not.
local function possible(choices)
  local has = {}
  for _, choice in ipairs(choices) do
    for property in pairs(choice) do
      has[property] = true
    end
  end
  return not (has.ring and has.board and not has.adaptive or has.newest and not has.fifo
    or has.bounded and has.unlimited or has.auto and has.fixed
    or has.coroutine and (has.board or has.adaptive or has.limited))
end

-- -- variants ----------------------------------------------------------------------------------

local together, n_pairs = {}, 0 -- how often two choices stood together; how many ever did

local function times(a, b)
  return together[a] and together[a][b] or 0
end

local function mark(a, b)
  n_pairs = n_pairs + (times(a, b) == 0 and 1 or 0)
  together[a], together[b] = together[a] or {}, together[b] or {}
  together[a][b], together[b][a] = times(a, b) + 1, times(a, b) + 1
end

local function joined(list, choice)
  local longer = table.move(list, 1, #list, 1, {})
  longer[#longer + 1] = choice
  return longer
end

-- Adds a choice of each rotated axis: the one that makes most new pairs with those before it, then the
-- one that stood with them least often. turn: which axis is the first, and so the freest. has: the axes
-- of which there is a choice already.
local function rotate(choices, turn, has)
  for i = 1, #rotated do
    local axis, best, best_score = rotated[(turn + i) % #rotated + 1], nil, nil
    for _, choice in ipairs(has[axis] and {} or axis) do
      local score = 0
      for _, other in ipairs(choices) do
        score = score + (times(choice, other) == 0 and 1000 or -times(choice, other))
      end
      if (not best or score > best_score) and possible(joined(choices, choice)) then
        best, best_score = choice, score
      end
    end
    choices = joined(choices, best)
  end
  for i, a in ipairs(choices) do
    for j = i + 1, #choices do
      mark(a, choices[j])
    end
  end
  return choices
end

local variants = {}
local function multiply(depth, choices)
  if depth > #product then
    variants[#variants + 1] = rotate(choices, #variants, {})
    return
  end
  for _, choice in ipairs(product[depth]) do
    local more = joined(choices, choice)
    if possible(more) then
      multiply(depth + 1, more)
    end
  end
end
multiply(1, {})

-- One more variant, with these choices; `has` are their axes.
local function complete(depth, choices, has)
  if depth > #product then
    variants[#variants + 1] = rotate(choices, #variants, has)
    return true
  end
  for _, choice in ipairs(has[product[depth]] and { false } or product[depth]) do
    local more = choice and joined(choices, choice) or choices
    if possible(more) and complete(depth + 1, more, has) then return true end
  end
  return false
end

-- Calls f for pairs that can stand together and have not yet.
local function each_missing(f)
  local all = table.move(rotated, 1, #rotated, #product + 1, table.move(product, 1, #product, 1, {}))
  for i, axis in ipairs(all) do
    for j = i + 1, #all do
      for _, a in ipairs(axis) do
        for _, b in ipairs(all[j]) do
          if possible { a, b } and times(a, b) == 0 then f(axis, a, all[j], b) end
        end
      end
    end
  end
end

local missing = {}
each_missing(function(axis, a, other, b) complete(1, { a, b }, { [axis] = true, [other] = true }) end)
each_missing(function(axis, a, other, b)
  missing[#missing + 1] = ("%s: %s with %s: %s"):format(axis.name, a[1], other.name, b[1])
end)

-- -- comparing ---------------------------------------------------------------------------------

local dir = os.tmpname()
os.remove(dir)
assert(os.execute("mkdir -p '" .. dir .. "/made'"))

local function write(name, text)
  local file <close> = assert(io.open(dir .. "/" .. name, "w"))
  file:write(text)
end

-- The headers of the system say nothing of ours, and are long: in their place stand empty ones, on both sides.
for header in assert(capture "grep -rhoE '^ *# *include <[^>]*>' runtime coro gen/parts | sed 's/.*<//; s/>//' | sort -u"):gmatch "[^\n]+" do
  assert(os.execute(("mkdir -p '%s/system/%s'"):format(dir, header:match "^(.*)/" or "")))
  write("system/" .. header, "")
end
write("system/inttypes.h", "")

local function tokens(words)
  local text, failure = capture(("gcc -std=c11 -E -P -nostdinc -Iruntime -I'%s' -I'%s/made' -I'%s/system' %s"):format(dir, dir, dir, words))
  if not text then return nil, failure end
  return (text:gsub("%s+", " "))
end

-- Is the pool of that name, which stands for `job`, the same as this part under these flags?
local function check(name, part, flags)
  local written, why = tokens(("'%s/made/%s_pool.c'"):format(dir, name))
  if not written then return nil, why end
  written = written:gsub("%f[%w_]" .. name .. "%f[%W]", "job"):gsub("%f[%w_]" .. name:upper() .. "%f[%W]", "JOB")
  local template
  template, why = tokens(("%s gen/parts/%s"):format(flags, part))
  if not template then return nil, why end
  if written == template then return true end
  local at = 1
  while written:sub(at, at) == template:sub(at, at) do at = at + 1 end
  return nil, ("  generated: … %s\n  template:  … %s"):format(written:sub(at - 60, at + 60), template:sub(at - 60, at + 60))
end

local n_passed, n_failed = 0, #missing
for _, pair in ipairs(missing) do
  print("never together: " .. pair)
end

local cases = {} -- { config, name, part, flags }: their configs are for one run of the generator

for i, choices in ipairs(variants) do
  local lines, flags, name = {}, { "'-DVALUE_INCLUDE=<inttypes.h>'" }, "v" .. i
  for j, choice in ipairs(choices) do
    lines[#lines + 1] = choice[1] ~= "" and choice[1] or nil
    flags[j + 1] = choice[2]
  end
  cases[#cases + 1] = { ('include "inttypes.h"\npool %s {\n  payload = "uintptr_t"\n  run = job_run\n  %s\n}\n'):format(name,
    table.concat(lines, "\n")), name, "pool.c", table.concat(flags, " ") }
end

-- Multipools: a switch is on if it is on in both pools, but blocking, if it is in one.
local FACE = { -- of the second pool; the first one has all
  { "policy = fair(a = 1, b = 2)", "WITH_CLASSES" }, { "tracking = on", "WITH_TRACKING" }, { "tune = on", "WITH_TUNE" },
  { "stats = on", "WITH_STATS" },
}
local WHOLE = "payload = \"int\" run = go policy = priority(a, b, c) tracking = on tune = on stats = on"
local n_faces = 0
for switches = 0, (1 << #FACE) - 1 do
  for blocks = 0, 3 do
    n_faces = n_faces + 1
    local one, other, name = "one" .. n_faces, "two" .. n_faces, "m" .. n_faces
    write(name .. ".h", ('#include "%s_pool.h"\n#include "%s_pool.h"\n'):format(one, other))
    local two, flags = "", ("-DVALUE_INCLUDE='\"%s.h\"' -DVALUE_PAYLOAD=int -DVALUE_MEMBERS='{&%s_pool_ops, 3}, {&%s_pool_ops, 1}'"):format(name,
      one, other)
    for i, choice in ipairs(FACE) do
      local on = switches >> (i - 1) & 1
      two = two .. (on == 1 and choice[1] or "") .. " "
      flags = ("%s -D%s=%d"):format(flags, choice[2], on)
    end
    flags = ("%s -DWITH_BLOCK=%d -DVALUE_BALANCE=TP_BALANCE_%s"):format(flags, blocks > 0 and 1 or 0,
      blocks > 1 and "LEAST_TASKS" or "ROUND_ROBIN")
    cases[#cases + 1] = { ("pool %s { %s overload = %s }\npool %s { payload = \"int\" run = go %s overload = %s }\n"
      .. "multipool %s { pools = %s * 3, %s balance = %s }\n"):format(one, WHOLE, blocks & 1 == 1 and "block" or "reject", other, two,
      blocks & 2 == 2 and "block" or "spill", name, one, other, blocks > 1 and "least_tasks" or "round_robin"), name, "multi.c", flags }
  end
end

local configs = {}
for i, case in ipairs(cases) do
  write(case[2] .. ".pool", case[1])
  configs[i] = ("'%s/%s.pool'"):format(dir, case[2])
end
local made, said = capture(("%s --home . gen %s -o '%s/made' --quiet"):format(tool, table.concat(configs, " "), dir))
if not made then
  n_failed = n_failed + 1
  print(said)
end
for _, case in ipairs(made and cases or {}) do
  local ok, why = check(table.unpack(case, 2))
  n_passed, n_failed = n_passed + (ok and 1 or 0), n_failed + (ok and 0 or 1)
  if not ok then print(("not the same: %s\n%s"):format(case[1]:gsub("\n *", ", "), why)) end
end

os.execute("rm -rf '" .. dir .. "'")
print(("%d variants, %d pairs of choices, %d multipools"):format(#variants, n_pairs, n_faces))
print(("%d passed, %d failed"):format(n_passed, n_failed))
os.exit(n_failed == 0 and n_passed > 0)
