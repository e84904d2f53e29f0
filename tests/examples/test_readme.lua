-- The code of the README, and of pages that have a whole program, is run as a reader would run it: blocks that begin with a comment naming a file
-- are written to that file, then each `sh` block is run in order, and what it prints must be what
-- its comments promise. Invariant: every sh block but the two commands at the top is run, so no
-- page can promise what does not work.

local here = arg[0]:match "^(.*)/[^/]*$"

local function output_of(command)
  local pipe <close> = assert(io.popen(command))
  return (pipe:read "a"), pipe:close()
end

local root = output_of("cd '" .. here .. "/../..' && pwd"):gsub("\n$", "")
local scratch = output_of "mktemp -d":gsub("\n$", "")

local function write(name, text)
  local file <close> = assert(io.open(scratch .. "/" .. name, "w"))
  file:write(text)
end

-- The fenced blocks of a document, in order, each with its language.
local function blocks(path)
  local found, block = {}, nil
  for line in io.lines(path) do
    local language = line:match "^```(.*)$"
    if language and not block then
      block = { language = language, lines = {} }
    elseif language then
      found[#found + 1] = block
      block = nil
    elseif block then
      block.lines[#block.lines + 1] = line
    end
  end
  return found
end

-- What the comments of a sh block promise as its output.
local function promise(block)
  local lines = {}
  for _, line in ipairs(block.lines) do lines[#lines + 1] = line:match "^# (.*)$" end
  return table.concat(lines, "\n")
end

local passed, failed = 0, 0

-- What cflags and libs print is escaped for a shell; filled in here, it may contain blanks, which
-- the README says a bare $(...) cannot.
local function fill_in(line)
  return (line:gsub("%$%((%./tidepool %l+)%)", function(command)
    return (output_of("cd " .. scratch .. " && " .. command):gsub("\n$", ""))
  end))
end

local function run(block)
  local lines = {}
  for i, line in ipairs(block.lines) do lines[i] = root:find " " and fill_in(line) or line end
  write("block.sh", table.concat(lines, "\n") .. "\n")
  local printed, ok = output_of("cd " .. scratch .. " && bash -eu block.sh 2>&1")
  printed = printed:gsub("tidepool: waiting for another build in this checkout\n", "") -- of another suite
  printed = printed:gsub("\n$", "")
  if ok and printed == promise(block) then
    passed = passed + 1
  else
    failed = failed + 1
    print("FAILED: " .. table.concat(block.lines, "; ") .. "\nprinted:\n" .. printed)
  end
end

assert(os.execute(("ln -s '%s/tidepool' %s/tidepool"):format(root, scratch)))

-- Runs a page; `least` is how many sh blocks and files it has at least.
local function run_page(path, least)
  local n_run, n_files = passed + failed, 0
  for _, block in ipairs(blocks(root .. "/" .. path)) do
    local first = block.lines[1] or ""
    local name = first:match "^# ([%w_]+%.pool)$" or first:match "^/%* ([%w_]+%.[ch]) %*/$"
      or first:match "^%-%- ([%w_]+%.lua)$"
    if name then
      write(name, table.concat(block.lines, "\n") .. "\n")
      n_files = n_files + 1
    elseif block.language == "sh" and not first:match "^%./tidepool demo" then
      run(block)
    end
  end
  if passed + failed - n_run < least.sh or n_files < least.files then
    failed = failed + 1
    print("FAILED: " .. path .. " has lost its examples")
  end
end

run_page("README.md", { sh = 2, files = 4 })
run_page("docs/forks.md", { sh = 1, files = 3 })
run_page("docs/runtime.md", { sh = 1, files = 1 })
os.execute("rm -r " .. scratch)
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
