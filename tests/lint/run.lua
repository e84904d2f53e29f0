-- Lint: rules on the source text that no compiler knows. `lua5.4 tests/lint/run.lua [ROOT]`.
-- Each rule is a file here that returns
--   about  the rule in one sentence
--   check  function(files, complain): files maps a path to its text, complain(path, line, what)
--   right  a small project { path = text } in which check finds nothing
--   wrong  a list of such projects; in each, check must find something
-- Invariant: a rule that does not object to each of its wrong projects fails by itself, so no rule
-- can go blind unnoticed. docs/style.md gives the reasons.

local HERE = arg[0]:match "^(.*)/[^/]*$"
local ROOT = arg[1] or HERE .. "/../.."
local RULES = { "includes", "contracts", "atomics", "orders", "tags", "text", "words", "links", "map", "metrics" }

-- Every file of the project: all but build/ and the repository itself.
local function read_project(root)
  local files = {}
  local pipe <close> = assert(io.popen("cd '" .. root:gsub("'", "'\\''") .. "' && find . -name .git -prune -o"
    .. " -path ./build -prune -o -type f -print"))
  for path in pipe:lines() do
    local file <close> = assert(io.open(root .. "/" .. path, "rb"))
    files[path:sub(3)] = file:read "a"
  end
  return files
end

-- Runs one rule; returns its complaints, in the order of the text.
local function complaints(rule, files)
  local found = {}
  rule.check(files, function(path, line, what)
    found[#found + 1] = { path = path, line = line, text = ("%s:%d: %s"):format(path, line, what) }
  end)
  table.sort(found, function(a, b)
    if a.path ~= b.path then return a.path < b.path end
    if a.line ~= b.line then return a.line < b.line end
    return a.text < b.text
  end)
  return found
end

local passed, failed = 0, 0

local function expect(ok, what)
  if ok then
    passed = passed + 1
  else
    failed = failed + 1
    print("FAILED: " .. what)
  end
end

local project = read_project(ROOT)
for _, name in ipairs(RULES) do
  local rule = assert(loadfile(HERE .. "/" .. name .. ".lua"))()
  local found = complaints(rule, project)
  for _, complaint in ipairs(found) do print(complaint.text) end
  expect(#found == 0, name .. ": " .. rule.about)

  local innocent = complaints(rule, rule.right)
  expect(#innocent == 0, name .. ": objects to its right example: " .. (innocent[1] and innocent[1].text or ""))
  for i, wrong in ipairs(rule.wrong) do
    expect(#complaints(rule, wrong) > 0, ("%s: is blind to its wrong example %d"):format(name, i))
  end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
