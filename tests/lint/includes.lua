-- Which folder may include which: docs/architecture.md, "The house".

-- For the folder on the left, the folders whose files it may include. What is not listed (tests,
-- bench) may include anything.
local MAY = {
  ["runtime/base"] = { "runtime/base" },
  ["coro"] = { "coro", "runtime/base" },
  ["runtime"] = { "runtime", "runtime/base", "coro" },
  ["lua"] = { "lua", "runtime", "runtime/base", "coro" },
  ["gen"] = { "gen" },
  ["gen/parts"] = { "gen/parts" },
  ["examples"] = { "examples" },
}

-- Headers of the system that only some folders may use: the folders that may.
local SYSTEM = {
  ["lua.h"] = { "lua", "gen", "tests", "bench" },
  ["pthread.h"] = { "runtime", "lua", "tests", "bench", "examples" },
}

local function folder_of(path)
  for _, folder in ipairs { "runtime/base", "gen/parts" } do
    if path:sub(1, #folder + 1) == folder .. "/" then return folder end
  end
  return path:match "^([^/]+)/" or "."
end

local function is_in(list, word)
  for _, w in ipairs(list) do
    if w == word then return true end
  end
  return false
end

-- The path of "a/../b" forms, without them.
local function normal(path)
  local n
  path = path:gsub("%./", function() return nil end)
  repeat path, n = path:gsub("[^/]+/%.%./", "", 1) until n == 0
  return path
end

local function check(files, complain)
  for path, text in pairs(files) do
    local folder = folder_of(path)
    local may = MAY[folder]
    if path:match "%.[ch]$" or path:match "%.cc$" or path:match "%.re$" then
      local n = 0
      for line in text:gmatch "([^\n]*)\n?" do
        n = n + 1
        local quoted = line:match '^%s*#%s*include%s+"([^"]+)"'
        local system = line:match "^%s*#%s*include%s+<([^>]+)>"
        if quoted and may then
          local beside = normal((path:match "^(.*/)" or "") .. quoted)
          local target = files[beside] and beside or files[quoted] and quoted
          -- What is in no folder is generated (a pool, a lexer) and lies with its includer.
          if target and not is_in(may, folder_of(target)) then
            complain(path, n, ("%s must not include %s"):format(folder, target))
          end
        elseif system and SYSTEM[system] and not is_in(SYSTEM[system], folder:match "^[^/]+") then
          complain(path, n, ("%s must not include <%s>"):format(folder, system))
        end
      end
    end
  end
end

return {
  about = "includes point down: runtime/base <- coro <- runtime <- lua; gen stands alone",
  check = check,
  right = {
    ["runtime/base/a.h"] = "\n",
    ["runtime/b.c"] = '#include "base/a.h"\n#include <pthread.h>\n',
    ["lua/c.c"] = '#include "../runtime/base/a.h"\n#include <lua.h>\n',
    ["tests/runtime/d.c"] = '#include "runtime/base/a.h"\n',
  },
  wrong = {
    { ["runtime/b.h"] = "\n", ["runtime/base/a.h"] = '#include "../b.h"\n' },
    { ["lua/c.h"] = "\n", ["runtime/b.c"] = '#include "../lua/c.h"\n' },
    { ["runtime/b.h"] = "\n", ["gen/host.c"] = '#include "runtime/b.h"\n' },
    { ["runtime/b.h"] = "\n", ["coro/a.c"] = '#include "../runtime/b.h"\n' },
    { ["runtime/b.c"] = "#include <lua.h>\n" },
    { ["coro/a.c"] = "#include <pthread.h>\n" },
  },
}
