-- Requirements to a config: which settings they ask for, and why. Nothing is measured; the arithmetic is that of
-- docs/model.md. Invariant: the same requirements give the same text, and `tidepool check` accepts it.

local recommend = {}

local DURATIONS = { ns = 1, us = 1000, ms = 1000000, s = 1000000000, min = 60000000000 }
local SIZES = { B = 1, KiB = 1 << 10, MiB = 1 << 20, GiB = 1 << 30 }

local DAY = 1440 * DURATIONS.min

local function number(word, from, to)
  local n = word:find "^%d+$" and math.tointeger(tonumber(word))
  return n and n >= from and n <= to and n or nil
end

local function with_unit(word, units, most)
  local digits, unit = word:match "^(%d+)(%a+)$"
  local n = digits and #digits <= 12 and units[unit] and math.tointeger(tonumber(digits))
  return n and n > 0 and n <= most // units[unit] and n * units[unit] or nil
end

local function duration_of(word)
  return with_unit(word, DURATIONS, DAY)
end

-- What can be required: option, question, what is accepted, how it is read.
recommend.questions = {
  { name = "task", asks = "How long does a task take, with its waiting?", is = "a duration such as 50us, a day at most", default = "100us",
    read = duration_of },
  { name = "rate", asks = "How many tasks come per second?", is = "a number from 1 to 1000000000", default = "1000",
    read = function(word) return number(word, 1, 1000000000) end },
  { name = "blocking", asks = "How much of its time does a task wait for something, in percent?", is = "a number from 0 to 99", default = "0",
    read = function(word) return number(word, 0, 99) end },
  { name = "burst", asks = "How many tasks come at once, at most?", is = "a number from 1 to 1000000000", default = "1",
    read = function(word) return number(word, 1, 1000000000) end },
  { name = "latency", asks = "How long may a task wait for its start? (`any`: it does not matter)", is = "a duration such as 5ms, a day at most, or any", default = "any",
    read = function(word) return word == "any" and word or duration_of(word) end },
  { name = "memory", asks = "How much memory may tasks take that wait? (`any`: it does not matter)", is = "a size such as 64MiB, or any", default = "any",
    read = function(word) return word == "any" and word or with_unit(word, SIZES, math.maxinteger) end },
}

-- Bytes per task in flight, about: its slot, and its stack if it is a coroutine that sleeps.
local SLOT_BYTES, STACK_BYTES = 64, 16 << 10
local LOAD = 0.7 -- of the workers: above it, waiting grows faster than what is gained
local CROWD = 4  -- times the processors: so many threads are still worth less than coroutines

local function up(x)
  return math.tointeger(math.ceil(x - 1e-9))
end

local function duration(ns)
  for _, unit in ipairs { "s", "ms", "us" } do
    if ns % DURATIONS[unit] == 0 then return ("%d%s"):format(ns // DURATIONS[unit], unit) end
  end
  return ("%dns"):format(ns)
end

-- The settings, in their order, as { name, value, why }.
function recommend.settings(wants, cores)
  local list = {}
  local function set(name, value, why, ...)
    list[#list + 1] = { name, value, why:format(...) }
  end
  local seconds, blocked = wants.task / 1e9, wants.blocking / 100
  local busy, held = wants.rate * seconds * (1 - blocked), wants.rate * seconds
  local profile = blocked >= 0.5 and "io" or blocked > 0.1 and "mixed" or "cpu"
  local base = { io = { 2, 1024 }, mixed = { 1.5, 768 }, cpu = { 1, 512 } }
  local usual = math.max(1, math.floor(base[profile][1] * cores))
  local needed = up(held / LOAD)

  set("profile", profile, "tasks wait for %d %% of their time", wants.blocking)
  local is_coroutine = blocked >= 0.5 and needed > CROWD * cores
  local n_workers = usual
  if is_coroutine then
    n_workers = cores
    set("tasks", "coroutine", "%d tasks at once wait or compute; as coroutines they do not need as many threads", up(held))
    set("workers", "cores", "what waits keeps no worker, and computing takes %.1f processors", busy)
  elseif needed > usual and blocked > 0.1 then
    n_workers = math.min(needed, 4096)
    set("workers", ("%d"):format(n_workers), "%.1f tasks are in work at once (rate times length); with %d %% load, so many workers", held, LOAD * 100)
  elseif wants.burst > usual and held < 0.1 * usual then
    set("workers", ("1..cores%s"):format(profile == "io" and " * 2" or profile == "mixed" and " * 3 / 2" or ""),
      "between bursts there is work for %.2f of them", held)
    set("expire", "30s", "the others end when they have been idle for so long")
  end

  local most = math.min(is_coroutine and math.huge or n_workers / seconds, blocked < 1 and cores / (seconds * (1 - blocked)) or math.huge)
  local capacity, why = base[profile][2], "the profile's"
  if wants.latency ~= "any" then
    capacity = math.max(n_workers, math.tointeger(math.floor(math.min(most * wants.latency / 1e9, 1e9))) + n_workers)
    why = ("so many are done within %s, at %.0f per second"):format(duration(wants.latency), most)
  end
  if is_coroutine and capacity < 2 * held then
    capacity, why = up(2 * held), "twice what is in flight on average"
  end
  if wants.latency == "any" and wants.burst > capacity then
    capacity, why = wants.burst, "a whole burst"
  end
  if wants.memory ~= "any" then
    local fits = math.max(1, wants.memory // (SLOT_BYTES + (is_coroutine and STACK_BYTES or 0)))
    if fits < capacity then
      capacity, why = fits, ("more tasks of about %d bytes each do not fit"):format(SLOT_BYTES + (is_coroutine and STACK_BYTES or 0))
    end
  end
  capacity = math.min(capacity, 1000000000)
  set("capacity", ("%d"):format(capacity), "%s", why)
  if wants.burst > 1 then
    set("min", ("%d"):format(math.min(wants.burst, capacity)), "memory for a burst is there when it comes")
  end
  set("policy", "fifo", wants.latency ~= "any" and "the oldest first: no task waits much longer than the others" or "nothing asks for another order")
  if wants.latency ~= "any" then
    set("overload", "reject", "a task that finds the pool full would start too late: its submitter is told at once")
  else
    set("overload", "block", "the submitter waits for room: nothing is lost, and what comes in slows down")
  end
  set("stats", "on", "to see whether it was true: utilisation and latency (docs/statistics.md)")

  local notes = {}
  if busy > cores then
    notes[#notes + 1] = ("this load computes on %.1f processors, and there are %d: the pool will be full"):format(busy, cores)
  end
  if wants.latency ~= "any" and wants.burst > capacity then
    notes[#notes + 1] = ("of a burst of %d tasks, %d are refused: the others would start too late"):format(wants.burst, wants.burst - capacity)
  end
  if wants.task < 1000 then
    notes[#notes + 1] = "tasks of less than a microsecond cost more to schedule than to do: put several into one"
  end
  return list, notes
end

-- The config.
function recommend.text(wants, cores)
  local settings, notes = recommend.settings(wants, cores)
  local out = { ("# Recommended for tasks of %s, %d per second, %d at once at most, waiting for %d %% of their time,\n"):format(
    duration(wants.task), wants.rate, wants.burst, wants.blocking),
    ("# on %d processor%s. Start: %s. Memory: %s.\n"):format(cores, cores == 1 and "" or "s",
      wants.latency == "any" and "any time" or "within " .. duration(wants.latency),
      wants.memory == "any" and "any" or ("%d bytes"):format(wants.memory)) }
  for _, note in ipairs(notes) do
    out[#out + 1] = "# NOTE: " .. note .. ".\n"
  end
  out[#out + 1] = "pool work {\n    payload = \"void *\" # yours\n    run = run_work # yours: int run_work(void *)\n"
  for _, setting in ipairs(settings) do
    out[#out + 1] = ("\n    # %s\n    %s = %s\n"):format(setting[3], setting[1], setting[2])
  end
  out[#out + 1] = "}\n"
  return table.concat(out)
end

return recommend
