-- Words that have no place in the project: paths of one machine, and marks of unfinished work.
-- They are put together here from halves, so that this file does not object to itself.

local WORDS = {
  ["/ho" .. "me/%w"] = "a path of one machine",
  ["/ro" .. "ot/"] = "a path of one machine",
  ["/wo" .. "rk/"] = "a path of one machine",
  ["/Us" .. "ers/"] = "a path of one machine",
  ["%f[%w]TO" .. "DO%f[%W]"] = "unfinished work",
  ["%f[%w]FIX" .. "ME%f[%W]"] = "unfinished work",
  ["%f[%w]XX" .. "X%f[%W]"] = "unfinished work",
  ["%f[%w]HA" .. "CK%f[%W]"] = "unfinished work",
  ["<<<<" .. "<<<"] = "an unresolved merge",
  [">>>>" .. ">>>"] = "an unresolved merge",
}

local function check(files, complain)
  for path, text in pairs(files) do
    local n = 0
    for line in text:gmatch "([^\n]*)\n?" do
      n = n + 1
      for word, what in pairs(WORDS) do
        local found = line:match(word)
        if found then complain(path, n, ("`%s`: %s"):format(found, what)) end
      end
    end
  end
end

return {
  about = "no paths of one machine and no marks of unfinished work",
  check = check,
  right = { ["a.c"] = "/* homely; rooted; working; users; todos */\n" },
  wrong = {
    { ["a.md"] = "see /ho" .. "me/someone/x\n" },
    { ["a.md"] = "cd /ro" .. "ot/x\n" },
    { ["a.c"] = "/* TO" .. "DO: more */\n" },
    { ["a.c"] = "// FIX" .. "ME\n" },
    { ["a.lua"] = "<<<<" .. "<<< HEAD\n" },
  },
}
