-- The harness of the binding's tests: each file requires it, calls `test` with a name and a function
-- for every case, and ends with `finish`, which prints "N passed, N failed" and exits.
-- A case fails by any error; `equal` and its kin say what was expected.

local harness = { passed = 0, failed = 0 }

function harness.test(name, case)
  local ok, message = xpcall(case, debug.traceback)
  if ok then
    harness.passed = harness.passed + 1
  else
    harness.failed = harness.failed + 1
    print(("FAILED %s\n  %s"):format(name, tostring(message):gsub("\n", "\n  ")))
  end
end

local function show(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

-- Equal as Lua sees it, but nan equals nan and 1 differs from 1.0.
function harness.equal(found, expected, what)
  local same = rawequal(found, expected) and math.type(found) == math.type(expected)
    or found ~= found and expected ~= expected
  if not same then
    error(("%sfound %s, expected %s"):format(what and what .. ": " or "", show(found), show(expected)), 2)
  end
end

-- All values of a call: harness.values({f()}, n, v1, v2, ...), where nil counts.
function harness.values(found, ...)
  local expected = table.pack(...)
  if found.n ~= expected.n then
    error(("found %d values, expected %d"):format(found.n, expected.n), 2)
  end
  for i = 1, expected.n do harness.equal(found[i], expected[i], "value " .. i) end
end

-- The text must contain `part` as it stands.
function harness.contains(text, part)
  if type(text) ~= "string" or not text:find(part, 1, true) then
    error(("found %s, expected it to contain %s"):format(show(text), show(part)), 2)
  end
end

-- The call must raise an error; returns it.
function harness.raises(f, ...)
  local result = table.pack(pcall(f, ...))
  if result[1] then error("no error was raised", 2) end
  return result[2]
end

-- The call must raise exactly this text, after a position.
function harness.raises_text(expected, f, ...)
  local found = tostring(harness.raises(f, ...)):gsub("^[^\n]-:%d+: ", "")
  if found ~= expected then
    error(("found error %s, expected %s"):format(show(found), show(expected)), 2)
  end
end

-- A table that counts how often it is closed, for `local x <close>`.
function harness.closer(log, name)
  return setmetatable({}, { __close = function(_, err)
    log[#log + 1] = name or "closed"
    log.error = err
  end })
end

-- A case that uses `script`. The thread sanitizer's library, preloaded, is inherited by the shell
-- that io.popen starts, and the shell crashes in it: there is no such case then. What these cases
-- do to states, others do to worker states.
function harness.test_script(name, case)
  if not (os.getenv "LD_PRELOAD" or ""):find("libtsan", 1, true) then harness.test(name, case) end
end

-- Runs a script in a process of its own. Returns its output, both streams, and how it ended.
-- settings: shell assignments for its environment.
function harness.script(code, settings)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(code)
  file:close()
  local pipe = assert(io.popen(("%s exec lua5.4 %s 2>&1"):format(settings or "", path)))
  local output = pipe:read "a"
  local _, how, code_or_signal = pipe:close()
  os.remove(path)
  return output, how, code_or_signal
end

function harness.finish()
  print(("%d passed, %d failed"):format(harness.passed, harness.failed))
  os.exit(harness.failed == 0, true)
end

return harness
