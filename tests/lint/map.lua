-- Lists that must name everything: the map of the documents, the packages, the rules of the lint,
-- the status codes.

-- Every name must stand in `text` of `path`.
local function demand(path, text, names, form, complain)
  for name, why in pairs(names) do
    if not (text or ""):find(form:format(name), 1, true) then
      complain(path, 1, ("does not mention %s (%s)"):format(name, why))
    end
  end
end

local function check(files, complain)
  local documents, packages, rules = {}, {}, {}
  for path in pairs(files) do
    local document = path:match "^docs/([^/]+%.md)$"
    if document and document ~= "README.md" then documents[document] = "a document" end
    local rule = path:match "^tests/lint/([%w_]+)%.lua$"
    if rule and rule ~= "run" then rules[rule] = "a rule of the lint" end
  end
  for package in (files["tools/setup.bash"] or ""):gmatch "\n([%w.+-]+) +%l+ +%S+ +%l" do
    packages[package] = "a package that set-up installs"
  end
  local codes = {}
  for name in (files["runtime/base/status.h"] or ""):gmatch "X%((TP_E%u+)," do codes[name] = "a status code" end
  demand("docs/errors.md", files["docs/errors.md"], codes, "`%s`", complain)
  demand("docs/README.md", files["docs/README.md"], documents, "](%s)", complain)
  demand("docs/dependencies.md", files["docs/dependencies.md"], packages, "`%s`", complain)
  demand("tests/lint/run.lua", files["tests/lint/run.lua"], rules, '"%s"', complain)
end

return {
  about = "docs/README.md names every document, docs/dependencies.md every package, docs/errors.md every status, the lint every rule",
  check = check,
  right = {
    ["docs/README.md"] = "[a](a.md) [d](dependencies.md) [e](errors.md)\n",
    ["docs/errors.md"] = "`TP_EFULL`\n",
    ["runtime/base/status.h"] = "    X(TP_EFULL, -4, \"the pool is full\")\n",
    ["docs/a.md"] = "\n",
    ["docs/dependencies.md"] = "`re2c` `g++`\n",
    ["tools/setup.bash"] = 'x="\\\nre2c  command re2c  makes it\ng++ command g++ does"\n',
    ["tests/lint/run.lua"] = '"b"\n',
    ["tests/lint/b.lua"] = "\n",
  },
  wrong = {
    { ["docs/README.md"] = "\n", ["docs/a.md"] = "\n" },
    { ["docs/README.md"] = "\n", ["tools/setup.bash"] = 'x="\\\nre2c  command re2c  makes it"\n' },
    { ["docs/README.md"] = "\n", ["tests/lint/b.lua"] = "\n" },
    { ["docs/errors.md"] = "`TP_EFULLER`\n", ["docs/README.md"] = "(errors.md)\n",
      ["runtime/base/status.h"] = "    X(TP_EFULL, -4, \"full\")\n" },
  },
}
