-- docs/config.md holds a reference of all options, made from gen/schema.lua: it must agree.

local lib = require "lib"
local schema = require "schema"

local BEGIN, END = "<!-- options: begin, made from gen/schema.lua -->\n", "<!-- options: end -->\n"

local function form_line(form, indent)
  local marks = { form.doc, form.later and "*not supported by this version*" or nil }
  local said = (form.doc and ": " .. form.doc or "") .. (form.later and (form.doc and "; " or ": ") .. marks[#marks] or "")
  return ("%s- `%s`%s\n"):format(indent, form.show, said)
end

local function render_option(out, option, indent)
  local given = option.required and " Required." or option.default and (" Default: `%s`."):format(option.default) or ""
  out[#out + 1] = option.doc .. given .. "\n"
  out[#out + 1] = "\n"
  for _, form in ipairs(option.forms) do
    out[#out + 1] = form_line(form, indent)
    for _, inner in ipairs(form.block or {}) do
      local default = inner.default and (" Default: `%s`."):format(inner.default) or ""
      local shows = {}
      for i, f in ipairs(inner.forms) do
        shows[i] = "`" .. f.show .. "`" .. (f.doc and " (" .. f.doc .. ")" or "")
      end
      out[#out + 1] = ("%s  - `%s` = %s. %s%s\n"):format(indent, inner.name, table.concat(shows, " or "), inner.doc, default)
    end
  end
  out[#out + 1] = "\n"
end

local function render()
  local out = { "\n" }
  for _, group in ipairs { { "pool", "a pool" }, { "multipool", "a multipool" } } do
    out[#out + 1] = ("### Options of %s\n\n"):format(group[2])
    for _, option in ipairs(schema[group[1]]) do
      out[#out + 1] = ("#### %s\n\n"):format(option.name)
      render_option(out, option, "")
    end
  end
  return table.concat(out)
end

local path = "docs/config.md"
local page = lib.read(path) or ""
local from, to = page:find(BEGIN, 1, true), page:find(END, 1, true)
if lib.check("docs/config.md has a place for the options", from and to) then
  local whole = page:sub(1, from - 1) .. BEGIN .. render() .. page:sub(to)
  lib.golden("docs/config.md", whole, path)
end

-- The examples of the page are configs: those marked so must be good.
local n = 0
for config in page:gmatch("```pool\n(.-)```") do
  n = n + 1
  local dir = lib.dir()
  lib.write(dir .. "/x.pool", config)
  local status, _, err = lib.run("check x.pool", dir)
  lib.check("example " .. n .. " of docs/config.md", status == 0, err)
end
lib.check("docs/config.md has examples", n > 0)
