-- The commands of the build-time program. Exit status: 0 done, 1 a mistake in a config or a failing
-- file, 2 wrong usage; 3 is an error of our own (host.c).

local check = require "check"
local diag = require "diag"
local emit = require "emit"
local files = require "files"
local host = require "host"
local parse = require "parse"
local parts = require "parts"
local plan = require "plan"
local recommend = require "recommend"
local text = require "text"

local VERSION = "0.1" -- as in runtime/tidepool.h
local CONFIG_LIMIT = 1 << 20

local HELP = {
  tidepool = [[
usage: tidepool COMMAND [ARGUMENT...]

  gen FILE.pool... -o DIR   write the C of the pools in these configs to DIR
  check FILE.pool...        only say what is wrong with them
  recommend                 a config for stated requirements, with its reasons
  cflags                    what the compiler needs to find the headers
  libs                      what the linker needs
  --help, --version         also: COMMAND --help

Exit status: 0 done; 1 a mistake in a config, or a file that cannot be read or
written; 2 wrong usage. The language of configs: docs/config.md
]],
  gen = [[
usage: tidepool gen FILE.pool... -o DIR [--depfile FILE] [--dry-run] [--quiet]

Writes NAME_pool.h and NAME_pool.c for every pool and multipool in the configs. DIR is made
if it is missing. Files that would not change are not touched. If anything is
wrong, nothing is written.

  -o DIR           where to write
  --depfile FILE   write there, for make and Ninja, what the first output
                   (NAME_pool.h of the first pool) was made from
  --dry-run        only say what would be written
  --quiet          do not say what was written
]],
  check = [[
usage: tidepool check FILE.pool...

Says everything that is wrong with the configs, and writes nothing.
]],
  recommend = [[
usage: tidepool recommend [OPTION...]

Prints a config for what is required of a pool, with a reason for each setting. Without
options it asks, on a terminal.

  --task DURATION      how long a task takes, with its waiting (100us)
  --rate N             tasks per second (1000)
  --blocking PERCENT   of its time that a task waits for something, 0 to 99 (0)
  --burst N            tasks that come at once, at most (1)
  --latency DURATION   how long a task may wait for its start (any)
  --memory SIZE        of the tasks that wait (any)
  --cores N            processors (those of this machine)
]],
  cflags = [[
usage: tidepool cflags

Prints what to give the compiler for a host program and its generated pools.
]],
  libs = [[
usage: tidepool libs

Prints what to give the linker, behind the object files.
]],
}

-- -- usage -------------------------------------------------------------------------------------

-- Leaves the program with status 2 (host.c catches the table).
local function usage(command, message)
  error { usage = ("%s; try: tidepool %s--help"):format(message, command and command .. " " or "") }
end

-- words -> options by name, and the operands. takes: option -> true if a value follows.
local function read_words(command, words, takes)
  local options, operands, i, only_operands = {}, {}, 1, false
  while i <= #words do
    local word = words[i]
    if only_operands or word == "-" or not word:find("^-") then
      operands[#operands + 1] = word
    elseif word == "--" then
      only_operands = true
    else
      local name, given = word:match("^(%-%-[^=]+)=(.*)$")
      name = name or word
      if takes[name] == nil then
        local known = {}
        for option in pairs(takes) do
          known[#known + 1] = option
        end
        table.sort(known)
        local near = text.nearest(name, known)
        usage(command, ("unknown option `%s`%s"):format(name, near and (", did you mean `%s`?"):format(near) or ""))
      elseif options[name] then
        usage(command, ("`%s` is given twice"):format(name))
      elseif not takes[name] then
        if given then
          usage(command, ("`%s` takes no value"):format(name))
        end
        options[name] = true
      else
        if not given then
          i = i + 1
          given = words[i]
        end
        if not given or given == "" then
          usage(command, ("`%s` needs a value"):format(name))
        end
        options[name] = given
      end
    end
    i = i + 1
  end
  return options, operands
end

-- -- configs -----------------------------------------------------------------------------------

local function bad_byte_place(source, at)
  local before = source:sub(1, at - 1)
  local _, breaks = before:gsub("\n", "")
  local line = before:match("([^\n]*)$")
  return { line = breaks + 1, column = utf8.len(line) + 1, width = 1 }
end

-- The file as { path, base, diag, hash, statements }; mistakes are in diag.
local function read_config(path)
  local file = { path = path, base = files.base(path):gsub("[%c\x7f-\xff]", "?"), statements = {} }
  local source, reason
  if host.kind(path) == "directory" then
    reason = "Is a directory"
  else
    source, reason = host.read(path, CONFIG_LIMIT)
  end
  file.diag = diag.new(path, source)
  if not source then
    file.diag:error(nil, "cannot read this file: " .. reason)
  elseif #source > CONFIG_LIMIT then
    file.diag:error(nil, ("this file is larger than %d KiB"):format(CONFIG_LIMIT // 1024))
  elseif host.bad_byte(source) then
    local at = host.bad_byte(source)
    local byte = source:byte(at)
    local what = byte == 0 and "a NUL byte" or ("the byte 0x%02x, which is not UTF-8"):format(byte)
    file.diag:error(bad_byte_place(source, at), "this is not text: there is " .. what)
  else
    file.hash = text.hash((source:gsub("^\xef\xbb\xbf", ""):gsub("\r\n", "\n")))
    file.statements = parse.file(source, file.diag)
  end
  return file
end

-- Files and pools of the configs; or nil when something was wrong, after telling it.
local function load_configs(home, paths)
  local template = parts.load(home)
  local shared, list, pools = check.shared(template), {}, {}
  for i, path in ipairs(paths) do
    list[i] = read_config(path)
    if not list[i].diag:failed() or #list[i].statements > 0 then
      local found = check.file(list[i], shared)
      table.move(found, 1, #found, #pools + 1, pools)
    end
  end
  check.finish(pools, shared)
  local failed = false
  for _, file in ipairs(list) do
    if file.diag:failed() then
      io.stderr:write(file.diag:render())
      failed = true
    end
  end
  if failed then
    return nil
  end
  return list, pools, template
end

-- -- commands ----------------------------------------------------------------------------------

local commands = {}

local function need_files(command, operands)
  local seen = {}
  if #operands == 0 then
    usage(command, "no config is given")
  end
  for _, path in ipairs(operands) do
    if path == "" then
      usage(command, "the name of a config is empty")
    elseif seen[path] then
      usage(command, ("`%s` is given twice"):format(path))
    end
    seen[path] = true
  end
end

local function complain(path, reason)
  io.stderr:write(("%s: error: %s\n"):format(path, reason))
  return 1
end

local function write_outputs(outputs, dirs, options)
  local dry_run = options["--dry-run"]
  for _, dir in ipairs(dry_run and {} or dirs) do
    local ok, where, reason = files.make_dirs(dir)
    if not ok then
      return complain(where, "cannot make this directory: " .. reason)
    end
  end
  local ok, where, reason = files.write(outputs, dry_run)
  if not ok then
    return complain(where, "cannot write this file: " .. reason)
  end
  for _, file in ipairs(outputs) do
    if not options["--quiet"] and not file.silent then
      local verb = not file.changed and "unchanged" or dry_run and "would write" or "wrote"
      io.write(verb, " ", file.path, "\n")
    end
  end
  return 0
end

function commands.gen(home, words)
  local options, operands = read_words("gen", words,
    { ["-o"] = true, ["--depfile"] = true, ["--dry-run"] = false, ["--quiet"] = false })
  need_files("gen", operands)
  if not options["-o"] then
    usage("gen", "`-o DIR` is missing")
  end
  local depfile = options["--depfile"]
  local list, pools, template = load_configs(home, operands)
  if not list then
    return 1
  end
  local dir = files.trim(options["-o"])
  local outputs, dirs = {}, { dir }
  for _, pool in ipairs(pools) do
    local p = plan.of(pool)
    local source = { version = VERSION, name = pool.file.base, hash = pool.file.hash }
    for _, kind in ipairs { "h", "c" } do
      outputs[#outputs + 1] = {
        path = files.join(dir, ("%s_pool.%s"):format(p.name, kind)),
        text = emit.file(p.template .. "." .. kind, template, p, source),
      }
    end
  end
  if depfile then
    local inputs = table.move(operands, 1, #operands, 1, {})
    local own = parts.files(home)
    table.move(own, 1, #own, #inputs + 1, inputs)
    for _, path in ipairs { outputs[1].path, table.unpack(inputs) } do
      if path:find("[\r\n]") then
        return complain(depfile, "a depfile cannot name a path with a line break")
      end
    end
    outputs[#outputs + 1] = { path = depfile, text = emit.depfile(outputs[1].path, inputs), silent = true }
    dirs[2] = depfile:match("^(.*[^/])/+[^/]*$")
  end
  return write_outputs(outputs, dirs, options)
end

function commands.check(home, words)
  local _, operands = read_words("check", words, {})
  need_files("check", operands)
  local list, pools = load_configs(home, operands)
  if not list then
    return 1
  end
  for _, file in ipairs(list) do
    local names = {}
    for _, pool in ipairs(pools) do
      if pool.file == file then
        names[#names + 1] = pool.name
      end
    end
    local what = #names == 1 and "pool" or "pools"
    io.write(("%s: no mistakes, %s %s\n"):format(file.path, what, table.concat(names, ", ")))
  end
  return 0
end

-- Reads an answer to a question, or leaves with what would have been one.
local function answer(question, word)
  local value = question.read(word)
  return value or usage("recommend", ("`--%s` takes %s, not `%s`"):format(question.name, question.is, word))
end

-- Asks on the terminal until the answer is one; an empty one is the default.
local function ask(question)
  while true do
    io.stderr:write(("%s [%s] "):format(question.asks, question.default))
    local word = io.read "l"
    local value = question.read(not word and question.default or word == "" and question.default or word)
    if value then
      return value
    end
    io.stderr:write(("That is not %s.\n"):format(question.is))
  end
end

local function count_cores()
  local pipe <close> = assert(io.popen "env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc") -- wishes about other programs
  return math.tointeger(pipe:read "n") or 1
end

function commands.recommend(_, words)
  local takes = { ["--cores"] = true }
  for _, question in ipairs(recommend.questions) do
    takes["--" .. question.name] = true
  end
  local options, operands = read_words("recommend", words, takes)
  if #operands > 0 then
    usage("recommend", ("`recommend` takes no `%s`"):format(operands[1]))
  elseif #words == 0 and not os.execute "test -t 0" then
    usage("recommend", "nothing is required, and there is no terminal to ask on")
  end
  local wants, cores = {}, options["--cores"]
  for _, question in ipairs(recommend.questions) do
    local word = options["--" .. question.name]
    wants[question.name] = #words == 0 and ask(question) or answer(question, word or question.default)
  end
  cores = cores and answer({ name = "cores", is = "a number from 1 to 4096",
    read = function(word) return word:find "^%d%d?%d?%d?$" and tonumber(word) >= 1 and tonumber(word) <= 4096 and math.tointeger(tonumber(word)) end,
  }, cores) or count_cores()
  io.write(recommend.text(wants, cores))
  return 0
end

-- Flags are separated by spaces, and a space inside of one is written `\ `, as pkg-config does.
local function flags(command, home, words, format)
  local _, operands = read_words(command, words, {})
  if #operands > 0 then
    usage(command, ("`%s` takes no `%s`"):format(command, operands[1]))
  end
  local root = assert(host.absolute(home)):gsub("[^%w/._+-]", "\\%0")
  io.write((format:gsub("HOME", function() return root end)), "\n")
  return 0
end

function commands.cflags(home, words)
  return flags("cflags", home, words, "-IHOME/runtime -pthread")
end

function commands.libs(home, words)
  return flags("libs", home, words, "HOME/build/release/libtidepool.a -pthread")
end

-- Called by the host with the home directory and the words of the command line.
return function(home, ...)
  local words = { ... }
  local name = words[1]
  local command = commands[name]
  if not name then
    usage(nil, "no command is given")
  elseif name == "--help" or name == "-h" then
    io.write(HELP.tidepool)
    return 0
  elseif name == "--version" then
    io.write("tidepool ", VERSION, "\n")
    return 0
  elseif not command then
    local near = text.nearest(name, { "gen", "check", "recommend", "cflags", "libs" })
    local kind = name:find("^-") and "option" or "command"
    usage(nil, ("unknown %s `%s`%s"):format(kind, name, near and (", did you mean `%s`?"):format(near) or ""))
  end
  for i = 2, #words do
    if words[i] == "--help" or words[i] == "-h" then
      io.write(HELP[name])
      return 0
    end
  end
  return command(home, table.move(words, 2, #words, 1, {}))
end
