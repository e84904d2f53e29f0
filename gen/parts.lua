-- The templates: reads gen/parts once, puts the parts in reading order, and knows their names.

local host = require "host"
local text = require "text"

local parts = {}

local LIMIT = 1 << 20

-- path of a file below the tool's home; "." is not written
function parts.below(home, path)
  return home == "." and path or (home:gsub("/+$", "")) .. "/" .. path
end

local function names_in(dir, pattern)
  local found = assert(host.list(dir))
  local list = {}
  for _, name in ipairs(found) do
    if name:find(pattern) and not name:find("^%.") then
      list[#list + 1] = name
    end
  end
  table.sort(list)
  return list
end

-- Everything a generated text is made from, for depfiles.
function parts.files(home)
  local list = {}
  for _, name in ipairs(names_in(parts.below(home, "gen"), "%.lua$")) do
    list[#list + 1] = parts.below(home, "gen/" .. name)
  end
  for _, name in ipairs(names_in(parts.below(home, "gen/parts"), "%.[ch]$")) do
    list[#list + 1] = parts.below(home, "gen/parts/" .. name)
  end
  return list
end

-- Where each template begins, by what it is a template of.
local ROOTS = { pool = "pool.c", multipool = "multi.c" }

-- The identifiers of the code in these lines: used.x for all of them, own[i] for those of the
-- template's pool, without job_ or JOB_: { upper = is JOB_, rest = }.
local function collect_names(lines, used, own)
  local code = table.concat(lines, "\n"):gsub('"[^"\n]*"', '""'):gsub("/%*.-%*/", " "):gsub("%f[%w_]%d[%w_]*", "0")
  for id in code:gmatch("[%a_][%w_]*") do
    local prefix, rest = id:match("^(job_)(.+)$")
    if not prefix then
      prefix, rest = id:match("^(JOB_)(.+)$")
    end
    if rest and not used[id] then
      own[#own + 1] = { upper = prefix == "JOB_", rest = rest }
    end
    used[id] = true
  end
end

-- The templates from a reader of parts, name -> text or nil: part(name), its lines or nil; of each
-- kind, used[kind], the names its code uses but for those of the pool; names_of(kind, pool), the names
-- that its code defines.
function parts.from(read)
  local own, template, cache = {}, { used = {} }, {}

  function template.part(name)
    if cache[name] == nil then
      local found = read(name)
      cache[name] = found and text.lines(found) or false
    end
    return cache[name] or nil
  end

  function template.names_of(kind, pool)
    local list = {}
    for i, id in ipairs(own[kind]) do
      list[i] = (id.upper and pool:upper() or pool) .. "_" .. id.rest
    end
    return list
  end

  local function collect(kind, name)
    for _, line in ipairs(assert(template.part(name), name)) do
      local included = line:match('^#include "([^"]+)"$')
      if included and included ~= "options.h" and template.part(included) then
        collect(kind, included)
      end
    end
    collect_names(template.part(name), template.used[kind], own[kind])
  end

  for kind, root in pairs(ROOTS) do
    own[kind], template.used[kind] = {}, {}
    collect(kind, root)
    for _, id in ipairs(own[kind]) do
      template.used[kind][(id.upper and "JOB_" or "job_") .. id.rest] = nil
    end
  end
  return template
end

-- The templates of a home.
function parts.load(home)
  return parts.from(function(name)
    return (host.read(parts.below(home, "gen/parts/" .. name), LIMIT))
  end)
end

return parts
