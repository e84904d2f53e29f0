-- Broken configs by the hundred: valid ones with random changes, always the same ones. Whatever
-- comes in, the tool ends with 0 or 1, says something if and only if it is 1, and never fails itself.

local lib = require "lib"

local RUNS = 300
local seed = 20240607

local function random(n) -- xorshift (Marsaglia 2003); 1 to n
  seed = seed ~ (seed << 13)
  seed = seed ~ (seed >> 7)
  seed = seed ~ (seed << 17)
  return math.abs(seed % n) + 1
end

local PIECES = { "{", "}", "(", ")", "=", ",", "*", "/", "..", "\"", "#", "\n", " ", "pool", "multipool", "defaults", "include",
  "cores", "on", "off", "block", "priority", "adaptive", "auto", "payload", "run", "0", "1", "99999999999999999999", "64KiB", "2s", "-1", "1.5",
  "\r", "\t", "\0", "\xff", "ä", "_", ";", "fair(a = 1)", "1..cores", "1..cores * 2", "\"08:00-18:00\"", "a * 4, b", "\"int\"", "\"[\"", "\"const *\"" }

local sources = { ok = {}, err = {} }
for name, list in pairs(sources) do
  local dir = "tests/gen/cases/" .. name
  for file in lib.names(dir):gmatch("[^\n]+%.pool") do
    list[#list + 1] = lib.read(dir .. "/" .. file)
  end
end

local function mutate(s)
  for _ = 1, random(4) do
    local at, what = random(#s + 1), random(5)
    if what == 1 then
      s = s:sub(1, at - 1) .. s:sub(at + random(8)) -- drop
    elseif what == 2 then
      s = s:sub(1, at - 1) .. PIECES[random(#PIECES)] .. s:sub(at) -- put in
    elseif what == 3 then
      local from = random(#s + 1)
      s = s:sub(1, at - 1) .. s:sub(from, from + random(30)) .. s:sub(at) -- copy
    elseif what == 4 then
      s = s:sub(1, at) -- cut off
    else
      s = s:sub(1, at - 1) .. string.char(random(256) - 1) .. s:sub(at + 1) -- change
    end
  end
  return s
end

local dir = lib.dir()
local bad, n_good = {}, 0
for i = 1, RUNS do
  local list = i % 3 == 0 and sources.ok or sources.err
  local config = mutate(list[random(#list)])
  lib.write(dir .. "/x.pool", config)
  local status, _, err = lib.run("gen x.pool -o made --dry-run", dir)
  local sound = status == 0 and err == "" or status == 1 and err:find("^x%.pool.-: error: ") ~= nil
  n_good = n_good + (status == 0 and 1 or 0)
  if not sound or err:find("internal error", 1, true) then
    bad[#bad + 1] = ("mutation %d, status %s:\n%s\n%s"):format(i, status, config, err)
  end
end
lib.check(RUNS .. " mutations", #bad == 0, bad[1])
lib.check("some mutations are good configs, most are not", n_good > 0 and n_good < RUNS / 2, n_good .. " are good")
