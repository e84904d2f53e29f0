-- tests/gen/cases: err/NAME.pool has one mistake and NAME.err what is said of it; ok/NAME.pool shows
-- one idea and ok/NAME/ holds what is made of it.

local lib = require "lib"

local function stems(dir)
  local list = {}
  for name in lib.names(dir):gmatch("[^\n]+") do
    list[#list + 1] = name:match("^(.*)%.pool$")
  end
  return list
end

local ERR, OK = "tests/gen/cases/err", "tests/gen/cases/ok"

for _, name in ipairs(stems(ERR)) do
  local dir = lib.dir()
  local status, out, err = lib.run(("gen %s.pool -o %s/made --depfile %s/made.d"):format(name, dir, dir), ERR)
  lib.golden("err/" .. name, err, ERR .. "/" .. name .. ".err")
  lib.check("err/" .. name .. ": exit status, output, files", status == 1 and out == "" and lib.names(dir) == "",
    ("status %s, output %q, files %q"):format(status, out, lib.names(dir)))
  local check_status, _, check_err = lib.run(("check %s.pool"):format(name), ERR)
  lib.check("err/" .. name .. ": check says the same", check_status == 1 and check_err == err)
end

for _, name in ipairs(stems(OK)) do
  local dir = lib.dir()
  local status, _, err = lib.run(("gen %s.pool -o %s"):format(name, dir), OK)
  lib.check("ok/" .. name, status == 0 and err == "", err)
  if lib.accept then
    os.execute("mkdir -p " .. OK .. "/" .. name)
  end
  for file in lib.names(dir):gmatch("[^\n]+") do
    lib.golden(("ok/%s/%s"):format(name, file), lib.read(dir .. "/" .. file), ("%s/%s/%s"):format(OK, name, file))
  end
  lib.equal("ok/" .. name .. ": files", lib.names(dir), lib.names(OK .. "/" .. name))
end
