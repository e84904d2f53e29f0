-- ./tidepool bench: runs the contenders of each workload in turn, A B C ... A B C ..., and prints
-- medians, spread, ratios and targets. The programs must have been built (ninja bench).
-- How to read the table is said in docs/peers.md.
--
--   lua5.4 bench/run.lua [--runs N] [--tasks N] [--json FILE] [--list] [WORKLOAD...]
--
-- Exit: 0 measured (a missed target is a result, not a failure); 1 a program failed or a
-- contender of ours is not built; 2 wrong usage.

local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. package.path
local workloads = require "workloads"
local targets = require "targets"
local report = require "report"

local PROGRAMS = "build/release/bench/"
local RUN_LIMIT_SECONDS = 120
local RUNS_MIN = 5
local is_terminal = os.execute("test -t 2")

local USAGE = "usage: tidepool bench [--runs N] [--tasks N] [--json FILE] [--list] [WORKLOAD...]"

local function quit(status, format, ...)
  io.stderr:write("tidepool bench: ", format:format(...), "\n")
  os.exit(status)
end

local function find(list, name)
  for _, item in ipairs(list) do
    if item.name == name then return item end
  end
end

local function names(list)
  local all = {}
  for i, item in ipairs(list) do all[i] = item.name end
  return table.concat(all, ", ")
end

local function read_arguments(argv)
  local options = { runs = 7, chosen = {} }
  local i = 1
  local function value()
    i = i + 1
    return argv[i] or quit(2, "%s needs a value\n%s", argv[i - 1], USAGE)
  end
  local function count()
    local text = value()
    local n = text:match("^%d+$") and math.tointeger(tonumber(text))
    if not n or n < 1 or n > 1 << 32 then quit(2, "'%s' is not a count\n%s", text, USAGE) end
    return n
  end
  while i <= #argv do
    local word = argv[i]
    if word == "--runs" then options.runs = count()
    elseif word == "--tasks" then options.tasks = count()
    elseif word == "--json" then options.json = value()
    elseif word == "--list" then options.list = true
    elseif word == "--help" then print(USAGE) os.exit(0)
    elseif word:match("^%-") then quit(2, "unknown option '%s'\n%s", word, USAGE)
    else
      local workload = find(workloads, word)
        or quit(2, "there is no workload '%s'; there are: %s", word, names(workloads))
      options.chosen[#options.chosen + 1] = workload
    end
    i = i + 1
  end
  if #options.chosen == 0 then options.chosen = workloads end
  return options
end

local function is_built(contender)
  local file = io.open(PROGRAMS .. contender.program, "rb")
  return file ~= nil and file:close()
end

local function progress(text)
  if is_terminal then io.stderr:write("\r\27[K", text) end
end

-- One run of one program: nanoseconds per task that passed, and that processors spent.
local function measure(contender, row, tasks)
  local command = ("timeout %d %s%s %d %d %d %s 2>&1"):format(RUN_LIMIT_SECONDS, PROGRAMS,
    contender.program, tasks, row.workers, row.producers, contender.variant or "")
  local pipe = assert(io.popen(command))
  local output = pipe:read("a")
  local ok, how, code = pipe:close()
  local ns, cpu_ns = output:match("^ns_per_task=(%S+) cpu_ns_per_task=(%S+)")
  if not (ok and ns) then quit(1, "%s: %s %d\n%s", command, how, code, output) end
  return { ns = tonumber(ns), cpu_ns = tonumber(cpu_ns) }
end

-- All contenders of a row, in turn, so that a disturbance meets all of them alike.
local function measure_row(workload, row, contenders, options)
  local samples = {}
  for i = 1, #contenders do samples[i] = {} end
  for run = 1, options.runs do
    for i, contender in ipairs(contenders) do
      progress(("%s, %s: run %d of %d, %s"):format(workload.name, row.name, run, options.runs,
        contender.name))
      samples[i][run] = measure(contender, row, options.tasks or workload.tasks)
    end
  end
  progress("")
  return samples
end

local function run(options)
  local results = { machine = report.machine(), runs = options.runs, rows = {} }
  print(results.machine)
  if options.runs < RUNS_MIN then
    print(("fewer than %d runs: a look, not a measurement"):format(RUNS_MIN))
  end
  for _, workload in ipairs(options.chosen) do
    local present, missing = {}, {}
    for _, contender in ipairs(workload.contenders) do
      local list = is_built(contender) and present or missing
      list[#list + 1] = contender
    end
    local unit = workload.contenders[1]
    if missing[1] == unit then quit(1, "%s%s is not built: ninja bench", PROGRAMS, unit.program) end
    for _, row in ipairs(workload.rows) do
      local samples = measure_row(workload, row, present, options)
      local figures = report.figures(present, samples)
      report.row(workload, row, figures, options)
      report.targets(targets[workload.name], row, figures, workload.unit)
      results.rows[#results.rows + 1] = {
        workload = workload.name, row = row.name, unit = workload.unit, contenders = figures,
      }
    end
    report.not_measured(workload, missing, targets[workload.name])
  end
  if options.json then
    local file, why = io.open(options.json, "w")
    if not file then quit(1, "%s", why) end
    file:write(report.json(results), "\n")
    file:close()
  end
end

local function list()
  for _, workload in ipairs(workloads) do
    print(("%-8s %s (%s)"):format(workload.name, workload.what, workload.unit))
    for _, contender in ipairs(workload.contenders) do
      print(("         %-26s %s"):format(contender.name,
        is_built(contender) and "built" or "not built"))
    end
  end
end

local options = read_arguments(arg)
if options.list then list() else run(options) end
