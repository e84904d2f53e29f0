-- Files that are odd as files: bytes, line ends, sizes, and what cannot be read.

local lib = require "lib"

local GOOD = 'pool a {\n    payload = "int"\n    run = f\n}\n'

-- Name, content, and what is said; nil: nothing, it is a good config.
local cases = {
  { "plain", GOOD },
  { "crlf", (GOOD:gsub("\n", "\r\n")) },
  { "no final newline", (GOOD:gsub("\n$", "")) },
  { "comment at the end", GOOD .. "# end" },
  { "byte order mark", "\xef\xbb\xbf" .. GOOD },
  { "one line", (GOOD:gsub("\n", " ")) },
  { "tabs", (GOOD:gsub("    ", "\t")) },
  { "characters in a comment", "# größe 尺寸 📏\n" .. GOOD },
  { "long line", GOOD .. "#" .. ("x"):rep(500000) },
  { "nul", 'pool a {\n    run = "x\0y"\n}\n', [[
x.pool:2:13: error: this is not text: there is a NUL byte
    2 |     run = "x?y"
      |             ^
]] },
  { "nul at the start", "\0", [[
x.pool:1:1: error: this is not text: there is a NUL byte
    1 | ?
      | ^
]] },
  { "latin-1", "# gr\xf6\xdfe\n" .. GOOD, [[
x.pool:1:5: error: this is not text: there is the byte 0xf6, which is not UTF-8
    1 | # gr??e
      |     ^
]] },
  { "utf-16", "\xff\xfep\0o\0o\0l\0", [[
x.pool:1:1: error: this is not text: there is the byte 0xff, which is not UTF-8
    1 | ??p?o?o?l?
      | ^
]] },
  { "overlong character", "# ä\xc0\xaf\n", [[
x.pool:1:4: error: this is not text: there is the byte 0xc0, which is not UTF-8
    1 | # ä??
      |    ^
]] },
  { "surrogate", "\xed\xa0\x80\n", [[
x.pool:1:1: error: this is not text: there is the byte 0xed, which is not UTF-8
    1 | ???
      | ^
]] },
  { "character cut off", "# \xe2\x82", [[
x.pool:1:3: error: this is not text: there is the byte 0xe2, which is not UTF-8
    1 | # ??
      |   ^
]] },
  { "carriage return alone", "pool a\r{ }\n", [[
x.pool:1:7: error: unexpected carriage return without a line feed
    1 | pool a?{ }
      |       ^
      = expected: `{`
]] },
  { "error with crlf", "pool a {\r\n    stats = yes\r\n}\r\n", [[
x.pool:1:6: error: pool `a` has no `payload`
    1 | pool a {
      |      ^
      = expected: payload = "C TYPE"
x.pool:1:6: error: pool `a` has no `run`
    1 | pool a {
      |      ^
      = expected: run = FUNCTION
x.pool:2:13: error: `stats` cannot be `yes`
    2 |     stats = yes
      |             ^~~
      = expected: on | off
]] },
  { "error behind a byte order mark", "\xef\xbb\xbfpol a { }\n", [[
x.pool:1:1: error: unknown word `pol`
    1 | pol a { }
      | ^~~
      = did you mean `pool`?
]] },
  { "error at the very end", "pool", [[
x.pool:1:5: error: unexpected the end of the file
    1 | pool
      |     ^
      = expected: the name of the pool
]] },
  { "too large", ("# 34567890123456789012345678901\n"):rep(32769), [[
x.pool: error: this file is larger than 1024 KiB
]] },
  { "deep", 'pool a { run = f payload = "int" x = ' .. ("y {"):rep(100000), [[
x.pool:1:8: error: this `{` has no `}`
    1 | pool a { run = f payload = "int" x = y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {...
      |        ^
x.pool:1:34: error: pool `a` has no option `x`
    1 | pool a { run = f payload = "int" x = y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {...
      |                                  ^
      = expected: payload, run, profile, workers, affinity, capacity, min, pending, policy, stealing, overload, timeout, tasks, forks, expire, tune, tracking, stats, ops, lua
x.pool:1:40: error: this `{` has no `}`
    1 | pool a { run = f payload = "int" x = y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {...
      |                                        ^
x.pool:1:43: error: unexpected `{`
    1 | pool a { run = f payload = "int" x = y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {y {...
      |                                           ^
      = expected: `=`
]] },
  { "many mistakes on one line", "pool a {" .. (" x = = "):rep(1000) .. "}" },
}

for _, case in ipairs(cases) do
  local name, content, said = table.unpack(case)
  local dir = lib.dir()
  lib.write(dir .. "/x.pool", content)
  local status, _, err = lib.run("gen x.pool -o made", dir)
  if name == "many mistakes on one line" then
    local _, n = err:gsub(": error: ", "")
    lib.check(name, status == 1 and n == 21 and err:find("too many errors\n$"), err)
  elseif said then
    lib.equal(name, err, said)
    lib.check(name .. ": exit status and files", status == 1 and lib.names(dir) == "x.pool")
  else
    lib.check(name, status == 0 and err == "" and lib.names(dir .. "/made") == "a_pool.c\na_pool.h", err)
  end
end

-- The same config with other line ends gives the same text.
local dir = lib.dir()
lib.write(dir .. "/x.pool", GOOD)
lib.run("gen x.pool -o made", dir)
lib.write(dir .. "/x.pool", "\xef\xbb\xbf" .. GOOD:gsub("\n", "\r\n"))
local _, out = lib.run("gen x.pool -o made", dir)
lib.equal("line ends do not matter", out, "unchanged made/a_pool.h\nunchanged made/a_pool.c\n")

-- What cannot be read. (The tests may run as root, whom no file mode stops.)
local unreadable = {
  { "missing.pool", "No such file or directory" },
  { ".", "Is a directory" },
  { "x.pool/y.pool", "Not a directory" },
  { "loop.pool", "Too many levels of symbolic links" },
  { ("n"):rep(300), "File name too long" },
}
os.execute("ln -s loop.pool " .. lib.quote(dir) .. "/loop.pool")
for _, case in ipairs(unreadable) do
  local status, _, err = lib.run("gen " .. case[1] .. " -o never", dir)
  lib.equal("unreadable " .. case[1]:sub(1, 20), err, ("%s: error: cannot read this file: %s\n"):format(case[1], case[2]))
  lib.check("unreadable: exit status and files", status == 1 and not lib.names(dir):find("never"))
end

local status, _, err = lib.run("gen missing.pool x.pool . -o never", dir)
lib.equal("every file is told of", err, "missing.pool: error: cannot read this file: No such file or directory\n"
  .. ".: error: cannot read this file: Is a directory\n")
lib.check("every file is told of: exit status and files", status == 1 and not lib.names(dir):find("never"))
