-- Documents do not point at what is not there: links, headings, and paths in `code`.

local FOLDERS = { runtime = true, coro = true, gen = true, lua = true, tests = true, bench = true,
  docs = true, examples = true, tools = true }

local function normal(path)
  local n
  path = path:gsub("^%./", ""):gsub("/%./", "/")
  repeat path, n = path:gsub("[^/]+/%.%./", "", 1) until n == 0
  return path
end

local function exists(files, path)
  path = path:gsub("/$", "")
  if files[path] then return true end
  for other in pairs(files) do
    if other:sub(1, #path + 1) == path .. "/" then return true end
  end
  return false
end

-- A heading's name in links: lower case, blanks as hyphens, other signs dropped.
local function anchors(text)
  local names = {}
  for heading in ("\n" .. text):gmatch "\n#+ ([^\n]*)" do
    names[heading:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-")] = true
  end
  return names
end

local function check(files, complain)
  for path, text in pairs(files) do
    if path:match "%.md$" then
      local folder, n, in_code = path:match "^(.*/)" or "", 0, false
      for line in text:gmatch "([^\n]*)\n?" do
        n = n + 1
        if line:match "^```" then in_code = not in_code end
        for target in (in_code and "" or line):gmatch "%]%(([^)%s]+)%)" do
          local file, anchor = target:match "^([^#]*)#?(.*)$"
          if not target:match "^%a+:" then
            local full = file == "" and path or normal(folder .. file)
            if not exists(files, full) then
              complain(path, n, "links to a missing file: " .. target)
            elseif anchor ~= "" and files[full] and not anchors(files[full])[anchor] then
              complain(path, n, "links to a missing heading: " .. target)
            end
          end
        end
        for code in (in_code and "" or line):gmatch "`([%w_]+/[%w_./-]+)`" do
          local is_path = FOLDERS[code:match "^[^/]+"]
          local is_form = code:match "%f[%w]%u%u+%f[^%w_]" or code:match "_NAME" -- as in tests/NAME.lua
          if is_path and not is_form and not exists(files, code)
            and not exists(files, normal(folder .. code)) then
            complain(path, n, "names a missing file: " .. code)
          end
        end
      end
    end
  end
end

return {
  about = "links and paths in documents lead to something",
  check = check,
  right = {
    ["README.md"] = "# A b, c\n[x](docs/y.md) [z](docs/y.md#one-two) [w](https://example.org)\n`docs/y.md` `docs`\n",
    ["docs/y.md"] = "# One two\n[up](../README.md#a-b-c) `runtime/`\n",
    ["runtime/a.c"] = "\n",
  },
  wrong = {
    { ["README.md"] = "[x](docs/y.md)\n" },
    { ["README.md"] = "[x](docs/y.md#two)\n", ["docs/y.md"] = "# One\n" },
    { ["docs/y.md"] = "`runtime/gone.c`\n" },
    { ["docs/y.md"] = "[x](README.md)\n", ["README.md"] = "\n" },
  },
}
