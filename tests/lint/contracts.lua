-- Every public prototype carries its contract, in a form that can be relied on.

local TAGS = "%[thread: [^%]]+%] %[suspends: [^%]]+%] %[blocks: [^%]]+%] %[allocates: [^%]]+%]"

-- What the host writes and the pool calls; its comment says so in its own words.
local HOSTS = { VALUE_RUN = true, VALUE_DROPPED = true }

local function is_public(path)
  return path:match "^runtime/.+%.h$" or path:match "^coro/[^/]+%.h$" or path == "gen/parts/pool.h"
end

-- The comment that ends right above line n, as its first line and its last words. Where the words
-- depend on a switch, a template's fence stands between them and the end of the comment.
local function comment_above(lines, n)
  local last = n - 1
  if last == 0 or not lines[last]:match "%*/$" then return nil end
  while last > 1 and (lines[last] == " */" or lines[last]:match "^#") do last = last - 1 end
  local first = last
  while first > 1 and not lines[first]:match "^/%*" do first = first - 1 end
  return lines[first], (lines[last]:gsub(" %*/$", ""))
end

-- An inline function may stand between conditionals, with the comment above them.
local function check_inline(lines, n, name, complain)
  local first = n
  while first > 1 and lines[first - 1]:match "^#" do first = first - 1 end
  if comment_above(lines, first) then return end
  for i = n + 1, #lines do
    if lines[i]:match "/%*" then return end
    if lines[i]:match "^}" then break end
  end
  complain(n, name .. " has no comment, neither above nor inside")
end

local function check_prototype(lines, n, name, complain)
  if HOSTS[name] then return end
  local first, last = comment_above(lines, n)
  if not first then
    complain(n, name .. " has no contract right above it")
  elseif first:sub(1, #name + 5) ~= "/* " .. name .. ": " then
    complain(n, ("the contract of %s must begin with `/* %s: `"):format(name, name))
  elseif not last:match(TAGS .. "$") then
    complain(n, ("the contract of %s must end with [thread: ] [suspends: ] [blocks: ] [allocates: ]"):format(name))
  end
end

local function check(files, complain)
  for path, text in pairs(files) do
    if is_public(path) then
      local function here(n, what) complain(path, n, what) end
      local lines, in_comment = {}, false
      for line in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
      for n, line in ipairs(lines) do
        if line:match "^/%*" then in_comment = true end
        -- A declaration begins at the margin with a word and has its name before a parenthesis.
        local name = not in_comment and line:match "^[%a_][%w_%s%*]-[%s%*]([%w_]+)%("
        if name and line:match "^static " then
          check_inline(lines, n, name, here)
        elseif name then
          check_prototype(lines, n, name, here)
        end
        if line:match "%*/" then in_comment = false end
      end
    end
  end
end

local GOOD = "/* tp_a: does it.\n * [thread: any] [suspends: no] [blocks: no] [allocates: no] */\nint tp_a(void);\n"

return {
  about = "every public prototype has a contract `/* name: ... [thread: ] ... [allocates: ] */`",
  check = check,
  right = {
    ["runtime/a.h"] = "/* Head. */\n" .. GOOD .. "/* Adds. */\nstatic inline int tp_b(void)\n{\n}\n",
    ["gen/parts/pool.h"] = "#if WITH_A\n" .. GOOD:gsub(" %*/", "\n#endif\n */", 1) .. "#endif\n",
    ["runtime/base/a.h"] = GOOD .. "static inline void tp_c(int a)\n{\n    /* relaxed */\n}\n",
  },
  wrong = {
    { ["runtime/a.h"] = "int tp_a(void);\n" },
    { ["runtime/a.h"] = GOOD .. "\nconst char *tp_b(int a,\n    int b);\n" },
    { ["runtime/sync/a.h"] = "int tp_a(void);\n" },
    { ["runtime/base/a.h"] = (GOOD:gsub(" %[blocks: no%]", "")) },
    { ["coro/a.h"] = (GOOD:gsub("tp_a:", "tp_b:")) },
    { ["gen/parts/pool.h"] = "struct job_pool *job_pool_x(void);\n" },
    { ["runtime/a.h"] = "static inline int tp_b(void)\n{\n    return 1;\n}\n" },
  },
}
