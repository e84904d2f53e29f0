-- What gen does to files: the same text always, nothing touched without need, all or nothing.

local lib = require "lib"

local CONFIG = [[
include "types.h"
pool resize { payload = "struct image *" run = resize_image }
pool fetch { payload = "uint64_t" run = fetch_page stats = on }
]]
local ALL = "fetch_pool.c\nfetch_pool.h\nresize_pool.c\nresize_pool.h"

local function all_of(dir)
  local texts = {}
  for name in lib.names(dir):gmatch("[^\n]+") do
    texts[#texts + 1] = name .. "\n" .. lib.read(dir .. "/" .. name)
  end
  return table.concat(texts, "\n")
end

local dir = lib.dir()
lib.write(dir .. "/c.pool", CONFIG)

-- The same from everywhere.
local status, out, err = lib.run("gen c.pool -o one/two/", dir)
lib.check("gen", status == 0 and err == "", err)
lib.equal("gen says what it wrote", out, "wrote one/two/resize_pool.h\nwrote one/two/resize_pool.c\n"
  .. "wrote one/two/fetch_pool.h\nwrote one/two/fetch_pool.c\n")
lib.equal("gen writes a header and a source per pool", lib.names(dir .. "/one/two"), ALL)
lib.run(("gen %s/c.pool -o=%s/three"):format(dir, dir), "/")
lib.run("gen --quiet -- ../c.pool >/dev/null; true", dir .. "/one")
lib.run("gen ../c.pool -o ../three", dir .. "/one")
lib.sh(("LC_ALL=C.UTF-8 LUA_INIT='error()' LUA_PATH=/nowhere %s --home ../../%s gen /%s/c.pool -o /%s/four")
  :format(lib.tool, lib.root, dir, dir), "/usr/lib")
lib.check("the same from another directory", all_of(dir .. "/one/two") == all_of(dir .. "/three"))
lib.check("the same in another environment", all_of(dir .. "/one/two") == all_of(dir .. "/four"))
lib.check("no path of this machine", not all_of(dir .. "/three"):find(lib.root, 1, true)
  and not all_of(dir .. "/three"):find(dir, 1, true))

-- Nothing is touched without need.
local function times(path)
  local _, seconds = lib.sh(("stat -c '%%n %%Y' %s/*"):format(path), dir)
  return seconds
end
lib.sh("touch -d @1000 three/*", dir)
local before = times("three")
status, out = lib.run("gen c.pool -o three", dir)
lib.equal("unchanged files stay", times("three"), before)
lib.check("unchanged files are told", status == 0 and not out:find("wrote") and out:find("unchanged three/fetch_pool.c\n"), out)
lib.write(dir .. "/three/fetch_pool.h", "changed by hand\n")
status, out = lib.run("gen c.pool -o three --dry-run", dir)
lib.check("dry run says", status == 0 and out:find("would write three/fetch_pool.h\n"), out)
lib.equal("dry run does nothing", lib.read(dir .. "/three/fetch_pool.h"), "changed by hand\n")
lib.run("gen c.pool -o three", dir)
lib.equal("only what differs is written", times("three"):gsub("fetch_pool.h %d+", "fetch_pool.h 1000"), before)
lib.equal("no other file is left", lib.names(dir .. "/three"), ALL)
status, out = lib.run("gen c.pool -o three --quiet", dir)
lib.check("quiet", status == 0 and out == "")
status = lib.run("gen c.pool -o five --dry-run", dir)
lib.check("dry run makes no directory", status == 0 and not lib.names(dir):find("five"))

-- All or nothing.
local kept = all_of(dir .. "/three")
lib.write(dir .. "/bad.pool", CONFIG .. "pool x { }\n")
status = lib.run("gen bad.pool -o three", dir)
lib.check("a mistake changes no file", status == 1 and all_of(dir .. "/three") == kept)
lib.write(dir .. "/d.pool", (CONFIG:gsub("struct image %*", "struct image")))
status, _, err = lib.sh(("ulimit -f 24; %s --home %s gen d.pool -o three"):format(lib.tool, lib.root), dir)
lib.equal("a failing write is told", err, "three/resize_pool.c: error: cannot write this file: File too large\n")
lib.check("a failing write changes no file", status == 1 and all_of(dir .. "/three") == kept)
lib.sh("mkdir -p six/fetch_pool.c", dir)
status, _, err = lib.run("gen c.pool -o six", dir)
lib.equal("an output is a directory", err, "six/fetch_pool.c: error: cannot write this file: Is a directory\n")
lib.check("an output is a directory: nothing else is written", status == 1 and lib.names(dir .. "/six") == "fetch_pool.c")
status, _, err = lib.run("gen c.pool -o c.pool", dir)
lib.check("DIR is a file", status == 1 and err == "c.pool: error: cannot make this directory: Not a directory\n", err)
status, _, err = lib.run("gen c.pool -o c.pool/x", dir)
lib.check("DIR is in a file", status == 1 and err == "c.pool: error: cannot make this directory: Not a directory\n", err)
status, _, err = lib.run("gen c.pool -o /proc/x", dir)
lib.check("DIR cannot be made", status == 1
  and err == "/proc/x: error: cannot make this directory: No such file or directory\n", err)

-- Several configs.
lib.write(dir .. "/e.pool", 'pool fetch { payload = "int" run = g }\n')
status, _, err = lib.run("gen c.pool e.pool -o seven", dir)
lib.check("one name in two configs", status == 1 and not lib.names(dir):find("seven"))
lib.equal("one name in two configs", err, [[
e.pool:1:6: error: `fetch` is given twice
    1 | pool fetch { payload = "int" run = g }
      |      ^~~~~
c.pool:3:6: note: it was first given here
    3 | pool fetch { payload = "uint64_t" run = fetch_page stats = on }
      |      ^~~~~
]])
lib.write(dir .. "/f.pool", 'pool other { payload = "int" run = g }\n')
status, out = lib.run("check c.pool f.pool", dir)
lib.check("check", status == 0
  and out == "c.pool: no mistakes, pools resize, fetch\nf.pool: no mistakes, pool other\n", out)

-- The depfile, as Ninja reads it.
status = lib.run("gen c.pool -o 'o x' --depfile o.d", dir)
local depfile = lib.read(dir .. "/o.d")
lib.check("depfile", status == 0 and depfile:find("^o\\ x/resize_pool%.h: \\\n  c%.pool \\\n")
  and depfile:find(lib.root .. "/gen/emit.lua", 1, true) and depfile:find(lib.root .. "/gen/parts/pool.c", 1, true), depfile)
status, _, err = lib.run("gen c.pool -o eight --depfile c.pool/x", dir)
lib.check("depfile cannot be written", status == 1 and not lib.names(dir):find("eight/")
  and err == "c.pool: error: cannot make this directory: Not a directory\n", err)
lib.write(dir .. "/build.ninja", ([[
rule gen
  command = %s --home %s gen $in -o 'a $$b' --depfile x.d --quiet
  depfile = x.d
  restat = 1
build a$ $$b/resize_pool.h | a$ $$b/resize_pool.c a$ $$b/fetch_pool.h a$ $$b/fetch_pool.c: gen c.pool
]]):format(lib.tool, lib.root))
status, out = lib.sh("ninja", dir)
lib.check("ninja builds", status == 0 and lib.names(dir .. "/a $b") == ALL, out)
_, out = lib.sh("ninja -d explain -n 2>&1", dir)
lib.check("ninja has nothing to do", out:find("no work to do", 1, true), out)
