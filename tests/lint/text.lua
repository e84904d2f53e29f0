-- The shape of text: no tabs, no trailing blanks, a newline at the end, a head comment, and no file
-- too long to hold in mind.

local LONGEST = 700

local KINDS = { c = "/*", h = "/*", cc = "//", re = "/*", S = "/*", lua = "--", bash = "#", sh = "#",
  ninja = "#", pool = "#", md = "#" }

-- Parts of the template begin with a blank line, which ends up in the generated file, and the head
-- comment of the header is the generator's banner.
local function is_headed(path, text, opens_with)
  if path:match "^gen/parts/" then text = text:gsub("^\n", "") end
  return text:sub(1, #opens_with) == opens_with or path == "gen/parts/pool.h"
end

local function kind_of(path, text)
  if text:sub(1, 2) == "#!" then return "bash" end
  return path:match "%.(%a+)$"
end

-- Test data is meant to be odd.
local function is_data(path) return path:match "^tests/gen/cases/" end

local function check(files, complain)
  for path, text in pairs(files) do
    local opens_with = KINDS[kind_of(path, text)]
    if opens_with and not is_data(path) then
      local n = 0
      for line in text:gmatch "([^\n]*)\n" do
        n = n + 1
        if line:find "\t" then complain(path, n, "a tab") end
        if line:find "%s$" then complain(path, n, "trailing blanks") end
      end
      if text:sub(-1) ~= "\n" then complain(path, n + 1, "no newline at the end") end
      if text:sub(-2) == "\n\n" then complain(path, n, "blank lines at the end") end
      if n > LONGEST then complain(path, n, ("longer than %d lines"):format(LONGEST)) end
      if not is_headed(path, text, opens_with) then
        complain(path, 1, "no comment at the head that says what this file is")
      end
    end
  end
end

return {
  about = "text without tabs and trailing blanks, with a head comment, of at most 700 lines",
  check = check,
  right = {
    ["runtime/a.c"] = "/* A. */\nint a;\n",
    ["tests/a.lua"] = "-- A.\n",
    ["tidepool"] = "#!/usr/bin/env bash\n# A.\n",
    ["data.bin"] = "\t \n\n",
  },
  wrong = {
    { ["runtime/a.c"] = "/* A. */\n\tint a;\n" },
    { ["runtime/a.c"] = "/* A. */ \n" },
    { ["runtime/a.c"] = "/* A. */\r\n" },
    { ["runtime/a.c"] = "/* A. */" },
    { ["runtime/a.c"] = "/* A. */\n\n" },
    { ["runtime/a.c"] = "int a;\n" },
    { ["gen/a.lua"] = "return {}\n" },
    { ["docs/a.md"] = "# A\n" .. ("\n-"):rep(701) .. "\n" },
  },
}
