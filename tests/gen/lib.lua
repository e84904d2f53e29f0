-- What the tests of the generator share: counting, comparing texts, running the tool, scratch files.

local lib = { tool = "build/tool/tidepool", accept = false, passed = 0, failed = 0 }

local function capture(command)
  local pipe <close> = assert(io.popen(command))
  return (pipe:read("a"):gsub("\n$", ""))
end

lib.root = capture("pwd")
lib.tmp = capture("mktemp -d")

function lib.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- A checkout whose path would need quotes is used through a link, so that expected texts may name it.
lib.escaped_root = lib.root:gsub("[^%w/._-]", "\\%0") -- as cflags prints it
if lib.root:find "[^%w/._-]" then
  os.execute(("ln -s %s %s/root"):format(lib.quote(lib.root), lib.tmp))
  lib.root = lib.tmp .. "/root"
end

function lib.read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a")
end

function lib.write(path, content)
  local file <close> = assert(io.open(path, "wb"))
  file:write(content)
end

-- A new, empty scratch directory.
function lib.dir()
  return capture("mktemp -d " .. lib.quote(lib.tmp .. "/XXXXXX"))
end

-- The names in a directory, hidden ones too; "" if there are none or it does not exist.
function lib.names(dir)
  return capture("ls -A " .. lib.quote(dir) .. " 2>/dev/null")
end

-- Runs a shell command in a directory: status, stdout, stderr.
function lib.sh(command, dir)
  local out, err = lib.tmp .. "/stdout", lib.tmp .. "/stderr"
  local _, _, status = os.execute(("cd %s && { %s\n} >%s 2>%s"):format(lib.quote(dir or lib.root), command, out, err))
  return status, lib.read(out), lib.read(err)
end

-- Runs the tool with words for the shell, in a directory.
function lib.run(words, dir)
  return lib.sh(("%s --home %s %s"):format(lib.quote(lib.tool), lib.quote(lib.root), words), dir)
end

local function show_difference(got, wanted)
  local a, b = lib.tmp .. "/wanted", lib.tmp .. "/got"
  lib.write(a, wanted)
  lib.write(b, got)
  print((capture(("diff -u --label wanted --label got %s %s | head -40"):format(a, b)):gsub("[^\n]+", "    %0")))
end

function lib.check(name, ok, detail)
  if ok then
    lib.passed = lib.passed + 1
  else
    lib.failed = lib.failed + 1
    print("FAILED " .. name)
    local shown = 0
    for line in (detail or ""):gmatch("[^\n]+") do
      shown = shown + 1
      if shown <= 20 then
        print("    " .. line)
      end
    end
  end
  return ok
end

function lib.equal(name, got, wanted)
  if not lib.check(name, got == wanted) then
    show_difference(tostring(got), tostring(wanted))
  end
end

-- Compares with a committed file, or makes it the committed one.
function lib.golden(name, got, path)
  local wanted = lib.read(path)
  if lib.accept and got ~= wanted then
    lib.write(path, got)
    print("accepted " .. path)
    wanted = got
  end
  if not wanted then
    lib.check(name, false, path .. " is missing (--accept makes it)")
  else
    lib.equal(name, got, wanted)
  end
end

function lib.finish()
  os.execute("rm -rf " .. lib.quote(lib.tmp))
  print(("%d passed, %d failed"):format(lib.passed, lib.failed))
  os.exit(lib.failed == 0)
end

return lib
