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

-- Code without its comments. Every run of the tool does this to all parts: so nothing is searched for letter by letter.
local function without_comments(code)
  local pieces, at = {}, 1
  for from in function() return code:find("/*", at, true) end do
    pieces[#pieces + 1] = code:sub(at, from - 1)
    at = select(2, assert(code:find("*/", from + 2, true))) + 1
  end
  pieces[#pieces + 1] = code:sub(at)
  return table.concat(pieces, " ")
end

-- The identifiers of this code: used.x for all of them, own[i] for those of the template's pool,
-- without job_ or JOB_: { upper = is JOB_, rest = }.
local function collect_names(code, used, own)
  for id in without_comments(code):gsub('"[^"\n]*"', '""'):gmatch("[%w_]+") do
    if not used[id] and not id:find("^%d") then
      used[id] = true
      local rest = id:match("^job_(.+)$") or id:match("^JOB_(.+)$")
      own[#own + 1] = rest and { upper = id:find("^J") ~= nil, rest = rest }
    end
  end
end

-- The templates from a reader of parts, name -> text or nil: part(name), its lines or nil; of each
-- kind, used[kind], the names its code uses but for those of the pool; names_of(kind, pool), the names
-- that its code defines.
function parts.from(read)
  local own, template, texts, cache = {}, { used = {} }, {}, {}

  local function whole(name)
    if texts[name] == nil then
      texts[name] = read(name) or false
    end
    return texts[name] or nil
  end

  function template.part(name)
    if not cache[name] and whole(name) then
      cache[name] = text.lines(whole(name))
    end
    return cache[name]
  end

  function template.names_of(kind, pool)
    local list = {}
    for i, id in ipairs(own[kind]) do
      list[i] = (id.upper and pool:upper() or pool) .. "_" .. id.rest
    end
    return list
  end

  local function collect(kind, name)
    local code = assert(whole(name), name)
    for included in ("\n" .. code):gmatch('\n#include "([^"\n]+)"%f[\n]') do
      if included ~= "options.h" and whole(included) then
        collect(kind, included)
      end
    end
    collect_names(code, template.used[kind], own[kind])
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
