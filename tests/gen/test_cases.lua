-- tests/gen/cases: err/NAME.pool has one mistake and NAME.err what is said of it; ok/NAME.pool shows
-- one idea and ok/NAME/ holds what is made of it; or, if that is almost the same as of another case, by which
-- lines it differs from what is held there.

local lib = require "lib"

local function stems(dir)
  local list = {}
  for name in lib.names(dir):gmatch("[^\n]+") do
    list[#list + 1] = name:match("^(.*)%.pool$")
  end
  return list
end

local ERR, OK = "tests/gen/cases/err", "tests/gen/cases/ok"

local dir = lib.dir() -- stays empty
for _, name in ipairs(stems(ERR)) do
  local status, out, err = lib.run(("gen %s.pool -o %s/made --depfile %s/made.d"):format(name, dir, dir), ERR)
  lib.golden("err/" .. name, err, ERR .. "/" .. name .. ".err")
  lib.check("err/" .. name .. ": exit status, output, files", status == 1 and out == "" and lib.names(dir) == "",
    ("status %s, output %q, files %q"):format(status, out, lib.names(dir)))
  local check_status, _, check_err = lib.run(("check %s.pool"):format(name), ERR)
  lib.check("err/" .. name .. ": check says the same", check_status == 1 and check_err == err)
end

-- Case -> the one it is like, which comes before it.
local LIKE = { profile_cpu = "minimal", profile_io = "minimal", profile_mixed = "minimal", profile_own = "minimal" }

-- With the numbers of the lines: so that one file and this give the other.
local function difference(from, to)
  local _, text = lib.sh(("diff %s %s"):format(lib.quote(from), lib.quote(to)))
  return text
end

for _, name in ipairs(stems(OK)) do
  dir = lib.dir()
  local like, kept = LIKE[name], {}
  local status, _, err = lib.run(("gen %s.pool -o %s"):format(name, dir), OK)
  lib.check("ok/" .. name, status == 0 and err == "", err)
  if lib.accept then
    os.execute("mkdir -p " .. OK .. "/" .. name)
  end
  for file in lib.names(dir):gmatch("[^\n]+") do
    local made = dir .. "/" .. file
    kept[#kept + 1] = like and file .. ".diff" or file
    local text = like and difference(("%s/%s/%s"):format(OK, like, file), made) or lib.read(made)
    lib.golden(("ok/%s/%s"):format(name, kept[#kept]), text, ("%s/%s/%s"):format(OK, name, kept[#kept]))
  end
  lib.equal("ok/" .. name .. ": files", table.concat(kept, "\n"), lib.names(OK .. "/" .. name))
end
