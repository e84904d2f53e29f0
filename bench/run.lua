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

local function help()
  print(USAGE)
  for _, workload in ipairs(workloads) do
    print(("  %-9s %s"):format(workload.name, workload.what))
  end
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
    elseif word == "--help" then help() os.exit(0)
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

local function tasks_of(workload, contender, options)
  return options.tasks or contender.tasks or workload.tasks
end

-- One run of one program -> its figures by name, as it printed them: "name=value name=value ...".
local function measure(contender, row, tasks)
  local command = ("timeout %d %s%s %d %d %d %s 2>&1"):format(RUN_LIMIT_SECONDS, PROGRAMS,
    contender.program, tasks, row.workers, row.producers, contender.variant or "")
  local pipe = assert(io.popen(command))
  local output = pipe:read("a")
  local ok, how, code = pipe:close()
  local sample, n = {}, 0
  for name, value in output:gmatch("([%w_]+)=([%d.]+)") do
    sample[name], n = tonumber(value), n + 1
  end
  if not ok or n == 0 then quit(1, "%s: %s %d\n%s", command, how, code, output) end
  return sample
end

-- All contenders of a row, in turn, so that a disturbance meets all of them alike.
local function measure_row(workload, row, contenders, options)
  local samples = {}
  for i = 1, #contenders do samples[i] = {} end
  for run = 1, options.runs do
    for i, contender in ipairs(contenders) do
      progress(("%s, %s: run %d of %d, %s"):format(workload.name, row.name, run, options.runs,
        contender.name))
      samples[i][run] = measure(contender, row, tasks_of(workload, contender, options))
    end
  end
  progress("")
  return samples
end

-- The contenders of a row that are built, and those that are not.
local function take_part(workload, row)
  local present, missing = {}, {}
  local contenders = row.contenders or workload.contenders
  for _, contender in ipairs(contenders) do
    local list = is_built(contender) and present or missing
    list[#list + 1] = contender
  end
  if contenders[1] ~= present[1] then
    quit(1, "%s%s is not built: ninja bench", PROGRAMS, contenders[1].program)
  end
  return present, missing
end

-- Measures and prints one row: a table and its targets for each figure that the programs print.
local function run_row(workload, row, present, options, results)
  local samples = measure_row(workload, row, present, options)
  for _, view in ipairs(workload.views or { { field = "ns_per_task", cpu = "cpu_ns_per_task" } }) do
    local figures = report.figures(present, samples, view)
    local name = view.name and row.name .. ", " .. view.name or row.name
    local unit = view.unit or workload.unit
    report.row(workload, name, unit, figures, options)
    report.targets(targets[workload.name], name, figures, unit)
    results.rows[#results.rows + 1] = {
      workload = workload.name, row = name, unit = unit, contenders = figures,
    }
  end
end

local function run(options)
  local results = { machine = report.machine(), runs = options.runs, rows = {} }
  print(results.machine)
  if options.runs < RUNS_MIN then
    print(("fewer than %d runs: a look, not a measurement"):format(RUNS_MIN))
  end
  for _, workload in ipairs(options.chosen) do
    local absent = {}
    for _, row in ipairs(workload.rows) do
      local present, missing = take_part(workload, row)
      for _, contender in ipairs(missing) do
        absent[#absent + 1] = not find(absent, contender.name) and contender or nil
      end
      run_row(workload, row, present, options, results)
    end
    report.not_measured(workload, absent, targets[workload.name])
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
    for _, row in ipairs(workload.contenders and { workload } or workload.rows) do
      for _, contender in ipairs(row.contenders) do
        print(("         %-26s %s"):format(contender.name,
          is_built(contender) and "built" or "not built"))
      end
    end
  end
end

local options = read_arguments(arg)
if options.list then list() else run(options) end
