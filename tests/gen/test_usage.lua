-- The command line: help, wrong usage, and what cflags and libs print.

local lib = require "lib"

local wrong = {
  { "", "no command is given; try: tidepool --help" },
  { "gne", "unknown command `gne`, did you mean `gen`?; try: tidepool --help" },
  { "frobnicate", "unknown command `frobnicate`; try: tidepool --help" },
  { "--frobnicate", "unknown option `--frobnicate`; try: tidepool --help" },
  { "gen", "no config is given; try: tidepool gen --help" },
  { "gen x.pool", "`-o DIR` is missing; try: tidepool gen --help" },
  { "gen -o d", "no config is given; try: tidepool gen --help" },
  { "gen x.pool -o", "`-o` needs a value; try: tidepool gen --help" },
  { "gen x.pool -o ''", "`-o` needs a value; try: tidepool gen --help" },
  { "gen '' -o d", "the name of a config is empty; try: tidepool gen --help" },
  { "gen x.pool x.pool -o d", "`x.pool` is given twice; try: tidepool gen --help" },
  { "gen x.pool -o d -o e", "`-o` is given twice; try: tidepool gen --help" },
  { "gen x.pool -o d --depfil=e", "unknown option `--depfil`, did you mean `--depfile`?; try: tidepool gen --help" },
  { "gen x.pool -o d --dry-run=yes", "`--dry-run` takes no value; try: tidepool gen --help" },
  { "gen x.pool -o d --depfile", "`--depfile` needs a value; try: tidepool gen --help" },
  { "check", "no config is given; try: tidepool check --help" },
  { "check x.pool -o d", "unknown option `-o`; try: tidepool check --help" },
  { "cflags now", "`cflags` takes no `now`; try: tidepool cflags --help" },
  { "libs --now", "unknown option `--now`; try: tidepool libs --help" },
}
for _, case in ipairs(wrong) do
  local status, out, err = lib.run(case[1])
  lib.equal("usage: " .. case[1], err, "tidepool: " .. case[2] .. "\n")
  lib.check("usage: " .. case[1] .. ": exit status", status == 2 and out == "")
end

local status, out, err = lib.sh(lib.quote(lib.tool))
lib.check("no home", status == 2 and out == "" and err == "tidepool: usage: tidepool --home DIR COMMAND ...\n", err)

for _, words in ipairs { "--help", "-h", "gen --help", "gen x.pool --help", "check -h", "cflags --help", "libs --help" } do
  status, out, err = lib.run(words)
  lib.check(words, status == 0 and out:find("^usage: tidepool ") and err == "", err)
end

status, out = lib.run("--version")
local header = lib.read("runtime/tidepool.h")
local version = ("%s.%s"):format(header:match("VERSION_MAJOR (%d+)"), header:match("VERSION_MINOR (%d+)"))
lib.check("version", status == 0 and out == "tidepool " .. version .. "\n", out)

status, out = lib.run("cflags")
lib.check("cflags", status == 0 and out == ("-I%s/runtime -pthread\n"):format(lib.escaped_root), out)
status, out = lib.run("libs")
lib.check("libs", status == 0 and out == ("%s/build/release/libtidepool.a -pthread\n"):format(lib.escaped_root), out)
status, _, err = lib.run("cflags >/dev/full")
lib.check("output that cannot be written",
  status == 1 and err == "tidepool: cannot write the output: No space left on device\n", err)

-- A home with a space in its name, and one that is none.
local dir = lib.dir()
os.execute(("ln -s %s %s"):format(lib.quote(lib.root .. "/gen"), lib.quote(dir .. "/gen")))
os.execute(("mkdir %s && cp -r %s %s"):format(lib.quote(dir .. "/a b"), lib.quote(lib.root .. "/gen"), lib.quote(dir .. "/a b")))
status, out = lib.sh(lib.quote(lib.tool) .. " --home 'a b' cflags", dir)
lib.check("a space is escaped", status == 0 and out == ("-I%s/a\\ b/runtime -pthread\n"):format(dir), out)
status, _, err = lib.sh(lib.quote(lib.tool) .. " --home /nowhere cflags", dir)
lib.check("a home that is none", status == 3 and err:find("^tidepool: internal error, "), err)
os.execute("rm " .. lib.quote(dir .. "/a b/gen/parts/pool.c"))
lib.write(dir .. "/x.pool", 'pool a { payload = "int" run = f }')
status, _, err = lib.sh(lib.quote(lib.tool) .. " --home 'a b' gen x.pool -o made", dir)
lib.check("a part is missing", status == 3 and err:find("^tidepool: internal error, ") and err:find("pool.c", 1, true), err)
