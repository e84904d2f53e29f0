-- Tree to checked model. What comes out has every option of every pool resolved, and nothing in it
-- can fail later: a config is refused here, with a position and a reason, or not at all.

local ctype = require "ctype"
local names = require "names"
local schema = require "schema"
local text = require "text"
local value = require "value"

local check = {}

-- Rules over more than one option. Each finds the value that is wrong, with a message and perhaps the
-- word that was meant, or nothing; `why` is the reason, told to the user.
local rules = {
  {
    why = "an unlimited pool is never full, so no task waits for room or is refused",
    find = function(v)
      local stray = v.capacity.word == "unlimited"
        and (v.overload.from == "pool" or v.overload.from == "defaults" and v.capacity.from == "defaults")
      return stray and v.overload.key, "`overload` has no meaning with `capacity = unlimited`"
    end,
  },
  {
    why = "memory is held only for tasks in flight",
    find = function(v)
      local more = v.min and v.capacity.number and v.min.number > v.capacity.number
      return more and v.min.node, "`min` is larger than the capacity"
    end,
  },
  {
    why = "the generated header names the type, and must know it first",
    find = function(v, pool)
      local unknown = v.payload and not v.payload.type.known and #pool.includes == 0
      return unknown and v.payload.node, 'nothing declares this type: there is no `include "..."`',
        unknown and v.payload.type.name and text.nearest(v.payload.type.name, ctype.known())
    end,
  },
  {
    why = "a task of a script needs no payload and no function in C",
    find = function(v)
      local both = v.lua.word == "on" and (v.payload or v.run)
      return both and both.key, ("`%s` has no meaning with `lua = on`"):format(both and both.key.text)
    end,
  },
}

-- -- includes ----------------------------------------------------------------------------------

local function read_include(statement, includes, diag)
  local name = statement.name.text:sub(2, -2)
  local problem, hint
  if name == "" then
    problem = "this include has no name"
  elseif name:find("^/") then
    problem, hint = "an absolute path is good on one machine only", "name the header as C would, below a -I directory"
  elseif name:find("[%c\\*?<>]") then
    problem = "this name has characters that an include in C cannot have"
  elseif includes[name] then
    diag:error(statement.name, ('"%s" is included twice'):format(name),
      { other = { at = includes[name], says = "it was first included here" } })
    return
  end
  if problem then
    diag:error(statement.name, problem, { hint = hint })
    return
  end
  includes[name] = statement.name
  includes[#includes + 1] = name
end

-- -- names -------------------------------------------------------------------------------------

local function check_name(statement, file, shared)
  local name, diag = statement.name, file.diag
  local problem = names.pool_problem(name.text)
  local first = shared.pools[name.text]
  if problem then
    diag:error(name, ("`%s` cannot be the name of a %s: it %s"):format(name.text, statement.kind, problem))
  elseif first then
    diag:error(name, ("`%s` is given twice"):format(name.text),
      { other = { at = first.at, diag = first.diag, says = "it was first given here" } })
    return
  end
  shared.pools[name.text] = { at = name, diag = diag, kind = statement.kind, bad = problem ~= nil }
end

-- Take all names that the pool's code defines. `shared.taken` knows who has a name already.
local function take_names(pool, shared)
  for _, id in ipairs(shared.parts.names_of(pool.name)) do
    local other = shared.taken[id]
    if other then
      pool.diag:error(pool.at, ("pools `%s` and `%s` would both define `%s`"):format(other.name, pool.name, id),
        { other = { at = other.at, diag = other.diag, says = "the other pool is here" } })
      return
    elseif shared.parts.used[id] then
      pool.diag:error(pool.at, ("pool `%s` would define `%s`, which has a meaning already"):format(pool.name, id))
      return
    end
    shared.taken[id] = pool
  end
end

-- A name of the user's that the generated code would take for its own. Tags of structs have a name
-- space of their own: only those that the pools define are taken.
local function check_foreign_name(pool, name, node, shared, is_tag)
  local owner = shared.taken[name]
  if owner or not is_tag and shared.parts.used[name] then
    local whose = owner and ("the code of pool `%s`"):format(owner.name) or "the generated code"
    pool.diag:error(node, ("`%s` is a name that %s uses itself"):format(name, whose), { hint = "choose another name" })
  end
end

-- One function cannot take two types.
local function check_run(pool, shared)
  local run, payload = pool.values.run, pool.values.payload
  local first = shared.runs[run.name]
  if first and first.values.payload.text ~= payload.text then
    pool.diag:error(run.node, ("`%s` would take `%s` here and `%s` in pool `%s`"):format(run.name,
      payload.type.text, first.values.payload.type.text, first.name),
      { other = { at = first.values.run.node, diag = first.diag, says = "it was first given here" } })
  end
  shared.runs[run.name] = first or pool
end

local function check_foreign_names(pool, shared)
  local run, payload = pool.values.run, pool.values.payload
  local name = payload and payload.type and not payload.type.known and (payload.type.tag or payload.type.name)
  if run and run.name then
    check_foreign_name(pool, run.name, run.node, shared)
  end
  if name then
    check_foreign_name(pool, name, payload.node, shared, payload.type.tag ~= nil)
  end
  if run and run.name and payload and payload.type then
    check_run(pool, shared)
  end
end

-- -- pools -------------------------------------------------------------------------------------

-- The value of every option: the pool's own, else that of `defaults`, else the schema's.
local function resolve(pool, own, defaults)
  for _, option in ipairs(schema.pool) do
    local set, from = own[option.name], "pool"
    if not set then
      set, from = defaults[option.name], "defaults"
    end
    if not set then
      set, from = value.default(option), "schema"
    end
    if set then
      local copy = { from = from }
      for key, field in pairs(set) do
        copy[key] = field
      end
      pool.values[option.name] = copy
    end
  end
end

local function require_options(pool, options)
  for _, option in ipairs(options) do
    local scripted = pool.values.lua and pool.values.lua.word == "on"
    if option.required and not pool.values[option.name] and not scripted then
      pool.diag:error(pool.at, ("%s `%s` has no `%s`"):format(pool.kind, pool.name, option.name),
        { expected = ("%s = %s"):format(option.name, value.expected(option)) })
    end
  end
end

local function obey_rules(pool)
  for _, set in pairs(pool.values) do
    if set.broken then
      return -- one mistake is not told as two
    end
  end
  for _, rule in ipairs(rules) do
    local at, message, near = rule.find(pool.values, pool)
    if at then
      pool.diag:error(at, message, { hint = rule.why, near = near or nil })
    end
  end
end

local function check_pool(statement, file, defaults, includes, shared)
  local pool = { kind = "pool", name = statement.name.text, at = statement.name, diag = file.diag, file = file,
    includes = includes, values = {} }
  local own = value.block(statement.entries, schema.pool, ("pool `%s`"):format(pool.name), file.diag)
  resolve(pool, own, defaults)
  require_options(pool, schema.pool)
  obey_rules(pool)
  local entry = shared.pools[pool.name]
  if entry.at == pool.at and not entry.bad then
    take_names(pool, shared)
  end
  shared.headers[pool.name .. "_pool.h"] = pool
  return pool
end

local function check_multipool(statement, file, shared)
  local name = statement.name
  local pool = { kind = "multipool", name = name.text, at = name, diag = file.diag }
  pool.values = value.block(statement.entries, schema.multipool, ("multipool `%s`"):format(name.text), file.diag)
  require_options(pool, schema.multipool)
  file.diag:error(statement.word, "`multipool` is not supported by this version")
  local known, members = {}, pool.values.pools
  for other, entry in pairs(shared.pools) do
    if entry.kind == "pool" and entry.diag == file.diag then
      known[#known + 1] = other
    end
  end
  table.sort(known)
  for _, member in ipairs(members and members.pools or {}) do
    local entry = shared.pools[member.name]
    if not entry or entry.kind ~= "pool" or entry.diag ~= file.diag then
      file.diag:error(member.at, ("there is no pool `%s` in this file"):format(member.name),
        { near = text.nearest(member.name, known) })
    end
  end
end

-- -- files -------------------------------------------------------------------------------------

-- What the checks of all files of one run share. parts: see parts.lua.
function check.shared(parts)
  return { parts = parts, pools = {}, headers = {}, taken = {}, runs = {} }
end

-- The pools of a file, in its order; mistakes are told to file.diag. file: path, statements, diag.
function check.file(file, shared)
  local includes, defaults, named = {}, {}, {}
  local first_defaults
  for _, statement in ipairs(file.statements) do
    if statement.kind == "include" then
      read_include(statement, includes, file.diag)
    elseif statement.kind ~= "defaults" then
      check_name(statement, file, shared)
      named[#named + 1] = statement
    elseif first_defaults then
      file.diag:error(statement.word, "`defaults` is given twice",
        { other = { at = first_defaults.word, says = "it was first given here" } })
    else
      first_defaults = statement
      defaults = value.block(statement.entries, schema.pool, "`defaults`", file.diag)
    end
  end
  if #named == 0 and not file.diag:failed() then
    local start = { line = 1, column = 1, width = 1 }
    file.diag:error(start, "there is no pool in this file", { expected = "pool NAME { payload = ...  run = ... }" })
  end
  local pools = {}
  for _, statement in ipairs(named) do
    if statement.kind == "pool" then
      pools[#pools + 1] = check_pool(statement, file, defaults, includes, shared)
    else
      check_multipool(statement, file, shared)
    end
  end
  return pools
end

-- The last look, when the names of all files are taken.
function check.finish(pools, shared)
  for _, pool in ipairs(pools) do
    for _, name in ipairs(pool.includes) do
      local made = shared.headers[name:match("[^/]*$")]
      if made then
        pool.diag:error(pool.includes[name], ("this is the header made for pool `%s`"):format(made.name))
      end
    end
    check_foreign_names(pool, shared)
  end
end

return check
