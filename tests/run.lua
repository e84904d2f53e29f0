-- Runs every test suite and adds up: `lua5.4 tests/run.lua [--soak SECONDS | --tasks N] FLAVOUR...`,
-- from the project's root, after a build. A suite is a program or script that prints how many of its tests
-- passed and failed. Invariant: whatever ends without such a count, with another status than its
-- count implies, or with a sanitizer's report, is a failure; so is a place without suites.
-- docs/testing.md describes the suites.

local SECONDS = 600 -- for one suite, many times what the slowest needs
local LANES = 2     -- suites at a time
local DIR = "build/test"
local SHOWN = 60    -- lines of a failing suite's output
local PORTION = 100000 -- tasks of one random run
local WEATHER = 60 -- seconds of one program of tests/soak

local function lines_of(command)
  local pipe <close> = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  return lines
end

-- -- what there is to run -------------------------------------------------------------------------

-- How a flavour's programs are started. A sanitizer whose runtime is not in the main program (stock
-- lua5.4) must be loaded ahead of everything else.
local function launcher(flavour, is_script)
  if flavour == "asan" then
    local preload = is_script and "LD_PRELOAD=$(gcc -print-file-name=libasan.so) " or ""
    return "exec env ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 " .. preload
  elseif flavour == "tsan" then
    local preload = is_script and "LD_PRELOAD=$(gcc -print-file-name=libtsan.so) " or ""
    -- ThreadSanitizer cannot run under the most random address layouts of recent kernels.
    local calm = os.execute "setarch -R true 2>/dev/null" and "setarch -R " or ""
    return "exec " .. calm .. "env TSAN_OPTIONS=second_deadlock_stack=1 " .. preload
  elseif flavour == "aarch64" then
    return "exec qemu-aarch64 "
  end
  return "exec env "
end

-- The programs that are built below a folder (they have no dot in their names): asked of Ninja,
-- since build/ may also hold programs whose source is gone.
local function programs(folder)
  local found = {}
  for _, line in ipairs(lines_of "ninja -t targets all") do
    local path = line:match "^([^.:]+): "
    if path and path:sub(1, #folder) == folder then found[#found + 1] = path end
  end
  table.sort(found)
  return found
end

local function scripts(pattern)
  return lines_of(("for path in %s; do if [ -e $path ]; then echo $path; fi; done"):format(pattern))
end

local suites = {}

local function add(flavour, name, command)
  suites[#suites + 1] = { flavour = flavour, name = name, command = command,
    log = ("%s/%03d"):format(DIR, #suites + 1) }
end

-- Adds a suite that has failed already: a place where suites must be, but are not.
local function need_some(flavour, place, n)
  if n == 0 then add(flavour, place, "echo 'there is no suite here'; false") end
end

local function is_about_descriptors(name)
  return name:find "^runtime/io/" or name == "parts/coroutine-fifo" or name == "parts/coroutine-pinned"
end

local function add_programs(flavour)
  local folder = "build/" .. flavour .. "/tests/"
  local found = programs(folder)
  for _, path in ipairs(found) do
    add(flavour, path:sub(#folder + 1), launcher(flavour, false) .. path)
    if is_about_descriptors(path:sub(#folder + 1)) then -- once more, on the other back end
      local start = launcher(flavour, false):gsub("env ", "env TIDEPOOL_IO=io_uring ", 1)
      add(flavour, path:sub(#folder + 1) .. " on io_uring", start .. path)
    end
  end
  need_some(flavour, folder, #found)
end

-- The random rounds of tests/stress, until so many tasks were accepted: in portions, each with a seed
-- of its own, so that a run shows how far it is and a failure names the portion.
local function add_rounds(flavour, n_tasks)
  local folder = "build/" .. flavour .. "/tests/"
  local found, seed = programs(folder .. "stress/"), os.time() % 100000 * 10000
  need_some(flavour, folder .. "stress", #found)
  for at = 0, n_tasks - 1, PORTION do
    local path = found[at // PORTION % #found + 1]
    local n = math.min(PORTION, n_tasks - at)
    add(flavour, ("%s %d"):format(path:sub(#folder + 8), seed + at // PORTION * 1000),
      ("%s%s %d %d"):format(launcher(flavour, false), path, seed + at // PORTION * 1000, n))
  end
end

-- The runtime in bad weather, so long in all: in portions, each with a seed of its own, two at a time.
local function add_weather(seconds)
  local seed = os.time() % 100000 * 10000
  for at = 0, seconds - 1, WEATHER do
    local n = math.min(WEATHER, seconds - at)
    for lane, flavours in ipairs { { "release", "asan" }, { "tsan", "tsan" } } do
      local flavour = flavours[at // WEATHER % 2 + 1]
      local own = seed + at // WEATHER * 2 + lane
      add(flavour, ("soak/weather %d s, seed %d"):format(n, own),
        ("%sbuild/%s/tests/soak/weather %d %d"):format(launcher(flavour, false), flavour, n, own))
    end
  end
end

local function add_lua(flavour)
  local found = scripts("tests/lua/test_*.lua")
  for _, path in ipairs(found) do
    add(flavour, (path:gsub("^tests/", "")), ("%sLUA_CPATH_5_4='build/%s/lua/?.so;;' lua5.4 %s")
      :format(launcher(flavour, true), flavour, path))
  end
  need_some(flavour, "tests/lua", #found)
end

-- The C examples, under the flavours that find what the release flavour does not show.
local function add_examples(flavour)
  for _, path in ipairs(scripts "tests/examples/test_*.sh") do
    add(flavour, (path:gsub("^tests/", "")), ("%sbash %s build/%s"):format(launcher(flavour, false), path, flavour))
  end
end

-- What does not depend on how the C code is compiled runs once, with the release flavour.
local function add_once()
  add("release", "soak/weather 60 s", "build/release/tests/soak/weather 60")
  for _, place in ipairs { "gen/run.lua", "lint/run.lua", "tools/test_*", "parts/test_*.sh", "parts/test_*.lua", "examples/test_*" } do
    local found = scripts("tests/" .. place)
    for _, path in ipairs(found) do
      local interpreter = path:match "%.lua$" and "lua5.4 " or "bash "
      add("release", (path:gsub("^tests/", "")), "exec " .. interpreter .. path)
    end
    need_some("release", place, #found)
  end
end

-- -- running ----------------------------------------------------------------------------------------

-- Adds up the last words of a suite: "N passed, N failed", or CMocka's summary of each group.
local function count(text)
  local passed, failed = text:match "(%d+) passed, (%d+) failed%s*$"
  if passed then return tonumber(passed), tonumber(failed) end
  passed, failed = nil, 0
  for n in text:gmatch "%[  PASSED  %] (%d+) test%(s%)" do passed = (passed or 0) + n end
  for n in text:gmatch "%[  FAILED  %][^\n]- (%d+) test%(s%), listed" do failed = failed + n end
  return passed and math.tointeger(passed), math.tointeger(failed)
end

-- What is wrong with a suite that ended so: nil, or a reason.
local function verdict(status, text, passed, failed)
  if status == 124 or status == 137 then return "timed out" end
  if status > 128 and status < 193 then return "died of signal " .. status - 128 end
  if text:find "%f[%w]%w+Sanitizer" or text:find ": runtime error: " then return "sanitizer report" end
  if not passed then return "no count of tests" end
  if failed > 0 then return failed .. " failed" end
  if status ~= 0 then return "status " .. status end
  if passed == 0 then return "no tests" end
end

local function show_failure(text, log)
  local lines = {}
  for line in (text:gsub("\n$", "") .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
  local from = math.max(1, #lines - SHOWN + 1)
  if from > 1 then print(("      | ... %d lines more in %s"):format(from - 1, log)) end
  for i = from, #lines do print("      | " .. lines[i]) end
end

-- Runs a list of suites, LANES at a time. Returns the sums, or nil if it was interrupted.
local function run(list, is_quiet)
  local by_log, input = {}, DIR .. "/jobs"
  local jobs <close> = assert(io.open(input, "w"))
  for _, suite in ipairs(list) do
    by_log[suite.log] = suite
    jobs:write(suite.log, "\t", SECONDS, "\t", suite.command, "\n")
  end
  jobs:flush()

  local n_done, all_passed, all_failed = 0, 0, 0
  local results <close> = io.popen(("xargs -P %d -d '\\n' -n 1 bash tests/job.bash <%s"):format(LANES, input))
  for line in results:lines() do
    local log, status, taken = line:match "^(.-)\t(%d+)\t(.*)$"
    local suite = by_log[log]
    local file <close> = assert(io.open(log, "rb"))
    local text = file:read "a"
    local passed, failed = count(text)
    local wrong = verdict(math.tointeger(status), text, passed, failed)
    if wrong and failed == 0 then failed = 1 end
    n_done, all_passed, all_failed = n_done + 1, all_passed + (passed or 0), all_failed + failed
    if wrong or not is_quiet then
      local skipped = text:match "%[  SKIPPED %] (%d+) test%(s%)"
      print(("%s %-8s %-36s %5d passed %7.2f s%s%s"):format(wrong and "FAIL " or "ok   ",
        suite.flavour, suite.name, passed or 0, taken, skipped and "  " .. skipped .. " skipped" or "",
        wrong and "  " .. wrong or ""))
    end
    if wrong then show_failure(text, log) end
    io.flush()
  end
  if n_done == #list then return all_passed, all_failed end
end

local function soak(seconds)
  local list = {}
  for _, suite in ipairs(suites) do
    if suite.name:match "^stress/" or suite.name:match "^soak/" or suite.name:match "^parts/" or suite.name:match "^runtime/"
      or suite.name:match "^coro/" or suite.name:match "^lua/" then
      list[#list + 1] = suite
    end
  end
  local ends, round, passed, failed = os.time() + seconds, 0, 0, 0
  repeat
    local p, f = run(list, true)
    if not p then return nil end
    round, passed, failed = round + 1, passed + p, failed + f
    print(("round %d: %d suites, %d passed, %d failed"):format(round, #list, p, f))
    io.flush()
  until os.time() >= ends
  return passed, failed
end

local function main()
  local seconds, n_tasks, weather
  if arg[1] == "--soak" then seconds = tonumber(table.remove(arg, 1) and table.remove(arg, 1)) end
  if arg[1] == "--tasks" then n_tasks = math.tointeger(tonumber(table.remove(arg, 1) and table.remove(arg, 1))) end
  if arg[1] == "--weather" then weather = math.tointeger(tonumber(table.remove(arg, 1) and table.remove(arg, 1))) end
  assert(os.execute("mkdir -p " .. DIR))
  if weather then add_weather(weather) end
  for _, flavour in ipairs(n_tasks and arg or {}) do add_rounds(flavour, n_tasks) end
  for _, flavour in ipairs((n_tasks or weather) and {} or arg) do
    add_programs(flavour)
    if flavour ~= "model" and flavour ~= "aarch64" then add_lua(flavour) end
    if flavour == "release" and not seconds then add_once() end
    if (flavour == "asan" or flavour == "tsan") and not seconds then add_examples(flavour) end
  end

  local started = os.time()
  local passed, failed
  if seconds then passed, failed = soak(seconds) else passed, failed = run(suites) end
  if not passed then error "interrupted!" end
  print(("%d suites, %d s"):format(#suites, os.time() - started))
  print(("%d passed, %d failed"):format(passed, failed))
  return failed == 0
end

local ok, result = pcall(main)
if not ok then
  io.stderr:write("tests/run.lua: ", (tostring(result):gsub("interrupted!", "stopped")), "\n")
  os.exit(tostring(result):find "interrupted!" and 130 or 1)
end
os.exit(result)
