-- Proof tags such as [PARK-1] tie a line of code to the step of an argument in docs/.
-- A tag is defined in docs/*.md where it opens a line (after list, quote, heading or bold marks),
-- or a table's cell; it is cited anywhere else, alone or in a range: [PARK-1..3].

local TAG = "%[(%u+%-%d+)%]"
local RANGE = "%[(%u+%-)(%d+)%.%.(%d+)%]"

local function check(files, complain)
  local defined, cited = {}, {}
  for path, text in pairs(files) do
    local is_doc = path:match "^docs/.*%.md$"
    if is_doc or path:match "%.[ch]$" then
      local n = 0
      for line in text:gmatch "([^\n]*)\n?" do
        n = n + 1
        local opener = is_doc and line:match("^[%s%-%*#>|%d%.]*" .. TAG)
        if opener then
          local other = defined[opener]
          if other then complain(path, n, ("[%s] is also defined at %s:%d"):format(opener, other.path, other.line)) end
          defined[opener] = { path = path, line = n }
        end
        local function cite(tag) cited[tag] = cited[tag] or { path = path, line = n } end
        for tag in line:gmatch(TAG) do
          if tag ~= opener then cite(tag) end
        end
        for noun, from, to in line:gmatch(RANGE) do
          for i = from, to do cite(noun .. math.tointeger(i)) end
        end
      end
    end
  end
  for tag, at in pairs(cited) do
    if not defined[tag] then complain(at.path, at.line, ("[%s] is defined nowhere in docs/"):format(tag)) end
  end
  for tag, at in pairs(defined) do
    if not cited[tag] then complain(at.path, at.line, ("nothing cites [%s]"):format(tag)) end
  end
end

return {
  about = "every cited proof tag is defined in docs/, once, and every defined one is cited",
  check = check,
  right = {
    ["docs/a.md"] = "- **[PARK-1]** First the write.\n\nBy [PARK-1] it holds.\n",
    ["docs/b.md"] = "- **[RING-1]** One.\n- **[RING-2]** Two.\n",
    ["runtime/a.c"] = "/* [PARK-1], [RING-1..2] */\n",
  },
  wrong = {
    { ["runtime/a.c"] = "/* [PARK-1] */\n" },
    { ["runtime/a.c"] = "/* [PARK-1..2] */\n", ["docs/a.md"] = "[PARK-1] One.\n" },
    { ["docs/a.md"] = "- **[PARK-1]** First.\n" },
    { ["docs/a.md"] = "By [PARK-2] it holds.\n", ["runtime/a.c"] = "\n" },
    { ["docs/a.md"] = "[PARK-1] a\n[PARK-1] b\n", ["runtime/a.c"] = "/* [PARK-1] */\n" },
  },
}
