-- wordcount in Lua: counts the words of files and directories on all cores, in the worker states of
-- a pool. What is counted and printed: README.md; the C twin is wordcount.c.
-- Run it with `./tidepool run examples/wordcount/wordcount.lua`.

local tide = require "tidepool"

local USAGE = [[
usage: wordcount.lua [-n N] [-w N] [--all] [FILE or DIRECTORY]...
Count the words of files, and of all files below directories, on all cores.

  -n N     print the N most frequent words (default 10)
  --all    print every word
  -w N     workers, 1 to 4096 (default: the number of cores)
  --help   print this and stop

With no file or directory: /usr/share/common-licenses, and docs in the current
directory, each if it exists. examples/wordcount/README.md has the rules.
]]

local PIECE_BYTES = 1 << 20 -- a larger file is counted in several pieces
local PIECES_PER_WORKER = 8 -- so that no worker is left with much more than the others
local BATCH_MIN_BYTES = 1 << 14

local function complain(path, reason)
  io.stderr:write("wordcount: ", (path:gsub("%c", "?")), ": ", reason, "\n")
end

local function refuse_usage(message)
  io.stderr:write("wordcount: ", message, "\nTry 'wordcount.lua --help'.\n")
  os.exit(2)
end

-- -- options -----------------------------------------------------------------------------------------

local function parse_number(option, text, least, most)
  local number = text and text:match "^%d+$" and math.tointeger(tonumber(text))
  if number and number >= least and number <= most then return number end
  refuse_usage(("%s takes a number from %d to %d, not '%s'"):format(option, least, most, text or ""))
end

local function parse_options(args)
  local options = { n_top = 10, paths = {} }
  local i = 1
  while i <= #args do
    local arg = args[i]
    local letter, value = arg:match "^(%-[nw])(.*)"
    if letter and value == "" then
      i = i + 1
      value = args[i]
    end
    if letter == "-n" then
      options.n_top = parse_number("-n", value, 0, math.maxinteger)
    elseif letter == "-w" then
      options.workers = parse_number("-w", value, 1, 4096)
    elseif arg == "--all" then
      options.n_top = math.maxinteger
    elseif arg == "--help" then
      io.write(USAGE)
      os.exit(0)
    elseif arg == "--" then
      table.move(args, i + 1, #args, #options.paths + 1, options.paths)
      break
    elseif arg:sub(1, 1) == "-" and arg ~= "-" then
      refuse_usage("there is no option " .. arg)
    else
      options.paths[#options.paths + 1] = arg
    end
    i = i + 1
  end
  return options
end

-- -- finding files -------------------------------------------------------------------------------------

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Adds the files below one argument to `files`. Stock Lua cannot list a directory: find does, with
-- an end mark that no name can hold, and its complaints apart.
local function walk(argument, files, sum)
  local errors_path = os.tmpname()
  -- A name that find would take for an option or an operator begins with ./ from here.
  local path = argument:find "^[-(!]" and "./" .. argument or argument
  local pipe = assert(io.popen(("LC_ALL=C find -H %s -printf '%%y%%d %%s %%p\\0' 2> %s"):format(
    quote(path), quote(errors_path))))
  local n, n_errors, found_directory = 0, 0, false
  local output = pipe:read "a"
  pipe:close()
  for kind, depth, size, name in output:gmatch "(%a)(%d+) (%d+) ([^\0]*)\0" do
    local is_argument = depth == "0"
    n = n + 1
    if kind == "f" then
      files[#files + 1] = { path = name, size = math.tointeger(tonumber(size)), is_argument = is_argument }
    elseif kind == "d" then
      found_directory = found_directory or is_argument
    elseif kind == "l" and is_argument then
      complain(name, "No such file or directory")
      n_errors = n_errors + 1
    elseif kind == "l" then
      sum.links = sum.links + 1
    else
      sum.special = sum.special + 1
    end
  end
  for line in io.lines(errors_path) do
    if line:find "^find: " then
      io.stderr:write("wordcount: ", (line:gsub("^find: '(.*)': ", "%1: ")), "\n")
      n_errors = n_errors + 1
    end
  end
  os.remove(errors_path)
  sum.unreadable = sum.unreadable + n_errors
  sum.bad_argument = sum.bad_argument or n_errors > 0 and (n == 0 or not found_directory or n == 1)
end

local function default_paths()
  local paths = {}
  for _, path in ipairs { "/usr/share/common-licenses", "docs" } do
    local file = io.open(path) -- a directory can be opened, if not read
    if file then
      file:close()
      paths[#paths + 1] = path
    end
  end
  if #paths == 0 then
    refuse_usage "nothing to count: neither /usr/share/common-licenses nor docs exists here"
  end
  return paths
end

-- -- counting ------------------------------------------------------------------------------------------

-- Counts a batch of pieces; runs in a worker. A piece is a file from byte `first` to byte `last`, or
-- to the end the file has if there is no `last`. A word belongs to the piece in which it begins.
local function count_batch(pieces)
  local BLOCK_BYTES = 1 << 16
  local BINARY_BYTES = 8192

  local total = { counts = {}, words = 0, bytes = 0, results = {} }

  local function count_text(text)
    local counts = total.counts
    for word in text:gmatch "[A-Za-z]+" do
      word = word:lower()
      counts[word] = (counts[word] or 0) + 1
      total.words = total.words + 1
    end
  end

  -- The text up to its last byte that is no letter, and the letters after it.
  local function split(text)
    local stop = text:reverse():find "[^A-Za-z]"
    local n = stop and stop - 1 or #text
    return text:sub(1, #text - n), text:sub(#text - n + 1)
  end

  -- What of the block is this piece's, when the word of an earlier piece goes on in it: nil if all
  -- of it is that word's.
  local function without_beginning(block)
    local stop = block:find "[^A-Za-z]"
    return stop and block:sub(stop)
  end

  local function is_binary(file)
    local head, reason = file:read(BINARY_BYTES)
    if reason then return nil, reason end
    return (head or ""):find("\0", 1, true) ~= nil
  end

  -- Counts from the file's place to byte `last`. Returns true, or nil and the reason.
  local function count_blocks(file, piece)
    local at = piece.first
    local skips = false -- a word of an earlier piece goes on here
    if at > 0 then
      local before = file:seek("set", at - 1) and file:read(1)
      skips = before ~= nil and before:find "[A-Za-z]" ~= nil
    else
      file:seek("set", 0)
    end
    local word = {} -- the blocks, or ends of blocks, of a word that may go on
    local reason
    repeat
      local is_past = piece.last and at > piece.last
      if is_past and (skips or word[1] == nil) then break end
      local block
      block, reason = file:read(piece.last and not is_past and math.min(BLOCK_BYTES, piece.last - at + 1) or BLOCK_BYTES)
      if block then
        at = at + #block
        if is_past then
          local ending = block:match "^[A-Za-z]*"
          word[#word + 1] = ending
          if #ending < #block then break end
        else
          total.bytes = total.bytes + #block
          local text = block
          if skips then
            text = without_beginning(block)
            skips = text == nil
          end
          local whole, ending = split(text or "")
          if whole ~= "" then
            count_text(table.concat(word) .. whole)
            word = {}
          end
          if ending ~= "" then word[#word + 1] = ending end
        end
      end
    until not block
    count_text(table.concat(word))
    return not reason, reason
  end

  -- Returns "counted" or "binary", or nil and the reason; a file that fails half-way gives both.
  local function count_piece(piece)
    local file <close>, reason = io.open(piece.path, "rb")
    if not file then return nil, (reason:gsub("^.*: ", "")) end
    local binary
    binary, reason = is_binary(file)
    if reason then return nil, reason end
    if binary then return "binary" end
    local _
    _, reason = count_blocks(file, piece)
    return "counted", reason
  end

  for i, piece in ipairs(pieces) do
    local what, reason = count_piece(piece)
    total.results[i] = { what = what, reason = reason }
  end
  return total
end

-- Cuts the files into pieces, and packs these into batches of about the same size.
local function make_batches(files, n_workers)
  local total_bytes = 0
  for _, file in ipairs(files) do total_bytes = total_bytes + file.size end
  local batch_bytes = math.max(BATCH_MIN_BYTES, math.min(PIECE_BYTES, total_bytes // (n_workers * PIECES_PER_WORKER)))
  local batches, batch, room = {}, nil, 0
  for i, file in ipairs(files) do
    for first = 0, math.max(file.size - 1, 0), PIECE_BYTES do
      local is_last = first + PIECE_BYTES >= file.size
      if room <= 0 then
        batch = {}
        batches[#batches + 1] = batch
        room = batch_bytes
      end
      batch[#batch + 1] = { path = file.path, file = i, first = first, last = not is_last and first + PIECE_BYTES - 1 or nil }
      room = room - math.min(PIECE_BYTES, file.size) - 512 -- opening a file costs too
    end
  end
  return batches
end

-- Adds what a worker has counted to the sum. A file is counted, or binary, or unreadable, once.
local function merge(sum, files, batch, total)
  for word, n in pairs(total.counts) do
    sum.counts[word] = (sum.counts[word] or 0) + n
  end
  sum.words = sum.words + total.words
  sum.bytes = sum.bytes + total.bytes
  for i, result in ipairs(total.results) do
    local file = files[batch[i].file]
    if result.what and not file.is_seen then
      local kind = result.what == "binary" and "binary" or "files"
      sum[kind] = sum[kind] + 1
      file.is_seen = true
    end
    if result.reason and not file.is_bad then
      complain(file.path, result.reason)
      sum.unreadable = sum.unreadable + 1
      sum.bad_argument = sum.bad_argument or file.is_argument
      file.is_bad = true
    end
  end
end

local function count(files, sum, pool)
  local batches = make_batches(files, pool:stats().workers)
  local handles = {}
  for i, batch in ipairs(batches) do handles[i] = assert(pool:spawn(count_batch, batch)) end
  for i, batch in ipairs(batches) do merge(sum, files, batch, handles[i]:await()) end
end

-- -- the report ------------------------------------------------------------------------------------------

local function print_counts(sum, n_top)
  local words = {}
  for word in pairs(sum.counts) do words[#words + 1] = word end
  table.sort(words, function(a, b)
    local n_a, n_b = sum.counts[a], sum.counts[b]
    if n_a ~= n_b then return n_a > n_b end
    return a < b
  end)
  local lines = {}
  for i = 1, math.min(#words, n_top) do
    lines[#lines + 1] = ("%8d  "):format(sum.counts[words[i]]) .. words[i]
  end
  lines[#lines + 1] = "words " .. sum.words
  lines[#lines + 1] = "distinct " .. #words
  lines[#lines + 1] = "files " .. sum.files
  lines[#lines + 1] = "bytes " .. sum.bytes
  lines[#lines + 1] = ("skipped: %d links, %d binary, %d special, %d unreadable"):format(
    sum.links, sum.binary, sum.special, sum.unreadable)
  return table.concat(lines, "\n") .. "\n"
end

local function describe_run(seconds, stats)
  return ("# %.1f ms on %d workers, in Lua\n# pool: %d tasks, %d stolen in %d steals, %d parks\n"):format(
    seconds * 1000, stats.workers, stats.completed, stats.stolen, stats.steals, stats.parks)
end

local function main()
  local options = parse_options(arg)
  local start = tide.now()
  local pool <close> = tide.pool { workers = options.workers }
  local sum = { counts = {}, words = 0, files = 0, bytes = 0, links = 0, binary = 0, special = 0, unreadable = 0 }
  local files = {}
  for _, path in ipairs(#options.paths > 0 and options.paths or default_paths()) do walk(path, files, sum) end
  count(files, sum, pool)
  pool:join_all()
  local text = print_counts(sum, options.n_top) .. describe_run(tide.now() - start, pool:stats())
  local written, reason = io.stdout:write(text)
  if written then written, reason = io.stdout:flush() end
  if not written then
    io.stderr:write("wordcount: cannot write the result: ", reason, "\n")
    return false
  end
  return not sum.bad_argument
end

os.exit(main(), true)
