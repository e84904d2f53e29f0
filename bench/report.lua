-- The report of a bench run: figures from samples, the table, targets, the machine, and JSON.
-- Ratios are medians divided by the median of the workload's first contender, which is ours.

local report = {}

local function first_line(command)
  local pipe = io.popen(command .. " 2>/dev/null")
  local line = pipe and pipe:read("l")
  if pipe then pipe:close() end
  return line or "?"
end

-- One line that says where the figures come from.
function report.machine()
  local cpu = first_line("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo")
  return ("%s cores, %s, Linux %s, %s, load %s"):format(first_line("nproc"), cpu,
    first_line("uname -r"), first_line("gcc --version"), first_line("cut -d' ' -f1 /proc/loadavg"))
end

local function sorted_field(samples, field)
  local values = {}
  for i, sample in ipairs(samples) do values[i] = sample[field] end
  table.sort(values)
  return values
end

local function median(sorted)
  local n = #sorted
  return (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2
end

-- contenders[i] with samples[i], a list of what a run printed, by name; view: { field, cpu },
-- which names count, the latter perhaps nil -> a list of
-- { name, ours, shares, median, min, max, ratio, cpu, samples }.
function report.figures(contenders, samples, view)
  local figures = {}
  for i, contender in ipairs(contenders) do
    local sorted = sorted_field(samples[i], view.field)
    figures[i] = {
      name = contender.name, ours = contender.name:match("^tidepool") ~= nil,
      shares = contender.shares == true,
      median = median(sorted), min = sorted[1], max = sorted[#sorted],
      cpu = view.cpu and median(sorted_field(samples[i], view.cpu)), samples = samples[i],
    }
    figures[i].ratio = figures[i].median / figures[1].median
  end
  return figures
end

function report.row(workload, name, unit, figures, options)
  print(("\n%s, %s: %s"):format(workload.name, name, workload.what))
  print(("  %d %s a run, %d runs, %s"):format(options.tasks or workload.tasks, workload.things,
    options.runs, unit))
  print(("  %-26s %9s %9s %9s %9s %9s"):format("", "median", "min", "max",
    figures[1].cpu and "cpu" or "", "ratio"))
  local shares = false
  for _, f in ipairs(figures) do
    print(("  %-26s %9.1f %9.1f %9.1f %9s %8.2fx%s"):format(f.name, f.median, f.min, f.max,
      f.cpu and ("%.1f"):format(f.cpu) or "", f.ratio, f.shares and " *" or ""))
    shares = shares or f.shares
  end
  if shares then print("  * the submitting thread runs tasks too: not every task changes threads") end
end

local function by_name(figures, name)
  for _, f in ipairs(figures) do
    if f.name == name then return f end
  end
end

local function fastest_peer(figures)
  local best
  for _, f in ipairs(figures) do
    if not f.ours and not f.shares and (not best or f.median < best.median) then best = f end
  end
  return best
end

-- The kinds of target: the sentence about one, and whether it is met; nil if it cannot be judged.
local kinds = {}

function kinds.at_most(target, mine, _, unit)
  return ("at most %g %s; is %.1f"):format(target.at_most, unit, mine.median),
    mine.median <= target.at_most
end

function kinds.times_peer(target, mine, figures)
  local best = fastest_peer(figures)
  if not best then return nil end
  local times = best.median / mine.median
  return ("at least %gx as fast as the fastest peer without *; is %.1fx (%s)"):format(
    target.times_peer, times, best.name), times >= target.times_peer
end

function kinds.times(target, mine, figures)
  local other = by_name(figures, target.of)
  if not other then return nil end
  local times = other.median / mine.median
  return ("at least %gx as fast as %s; is %.1fx"):format(target.times, other.name, times),
    times >= target.times
end

function kinds.not_above(target, mine, figures)
  local other = by_name(figures, target.not_above)
  if not other then return nil end
  return ("never slower than %s; is %.2fx its time"):format(other.name, mine.median / other.median),
    mine.median <= other.median
end

function kinds.at_most_more(target, mine, figures, unit)
  local other = by_name(figures, target.than)
  if not other then return nil end
  local more = mine.median - other.median
  return ("at most %g %s more than %s; is %.1f"):format(target.at_most_more, unit, other.name, more),
    more <= target.at_most_more
end

local function judge(target, figures, unit)
  local mine = by_name(figures, target.contender)
  for kind, sentence_of in pairs(kinds) do
    if mine and target[kind] then return sentence_of(target, mine, figures, unit) end
  end
end

function report.targets(targets, row, figures, unit)
  for _, target in ipairs(targets) do
    if target.row == row then
      local sentence, met = judge(target, figures, unit)
      if sentence then
        print(("  target %-6s  %s: %s"):format(met and "met" or "missed", target.contender, sentence))
      end
    end
  end
end

-- Names every peer that a reader may miss in the table, with the reason.
function report.not_measured(workload, missing, targets)
  for _, contender in ipairs(missing) do
    print(("  not measured: %s: its package is missing (%s)"):format(contender.name,
      contender.package or contender.program))
  end
  for _, entry in ipairs(workload.absent or {}) do
    print(("  not measured: %s: %s"):format(entry[1], entry[2]))
  end
  if not targets.recorded then return end
  local recorded = {}
  for i, entry in ipairs(targets.recorded) do recorded[i] = ("%s %g"):format(entry[1], entry[2]) end
  print("  recorded on another machine, for scale only: " .. table.concat(recorded, ", "))
end

-- JSON of strings, numbers, booleans, lists and tables with string keys, keys in order.
function report.json(value)
  local kind = type(value)
  if kind == "string" then
    return '"' .. value:gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
  elseif kind ~= "table" then
    return tostring(value)
  end
  local parts = {}
  if #value > 0 then
    for i, item in ipairs(value) do parts[i] = report.json(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do parts[i] = report.json(key) .. ":" .. report.json(value[key]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

return report
