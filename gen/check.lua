-- Tree to checked model. What comes out has every option of every pool resolved, and nothing in it
-- can fail later: a config is refused here, with a position and a reason, or not at all.

local names = require "names"
local rules = require "rules"
local schema = require "schema"
local text = require "text"
local value = require "value"

local check = {}

local MEMBERS = 256 -- most pools of a multipool: TP_MULTI_MEMBERS_MAX in runtime/multi.h

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

-- Take a name that the pool's code defines, for what stands at `at`. `shared.taken` knows who has a
-- name already. False if this is a mistake, which is told.
local function take_name(pool, id, at, shared)
  local other = shared.taken[id]
  if other == pool then
    pool.diag:error(at, ("%s `%s` would define `%s` twice"):format(pool.kind, pool.name, id))
  elseif other then
    pool.diag:error(at, ("`%s` and `%s` would both define `%s`"):format(other.name, pool.name, id),
      { other = { at = other.at, diag = other.diag, says = "the other one is here" } })
  elseif shared.parts.used.pool[id] or shared.parts.used.multipool[id] then
    pool.diag:error(at, ("%s `%s` would define `%s`, which has a meaning already"):format(pool.kind, pool.name, id))
  else
    shared.taken[id] = pool
    return true
  end
  return false
end

-- Take all names of a pool's code: those of the template, and the enumerators of its classes. A pool
-- whose own name is no good takes none.
local function take_names(pool, shared)
  local entry = shared.pools[pool.name]
  if entry.at ~= pool.at or entry.bad then
    return
  end
  shared.headers[pool.name .. "_pool.h"] = pool
  for _, id in ipairs(shared.parts.names_of(pool.kind, pool.name)) do
    if not take_name(pool, id, pool.at, shared) then
      return
    end
  end
  for _, arg in ipairs(pool.values.policy and pool.values.policy.args or {}) do
    if not take_name(pool, names.class(pool.name, arg.name), arg.at, shared) then
      return
    end
  end
end

-- A name of the user's that the generated code would take for its own. Tags of structs have a name
-- space of their own: only those that the pools define are taken.
local function check_foreign_name(pool, name, node, shared, is_tag)
  local owner, used = shared.taken[name], shared.parts.used
  if owner or not is_tag and (used.pool[name] or pool.is_member and used.multipool[name]) then
    local whose = owner and ("the code of %s `%s`"):format(owner.kind, owner.name) or "the generated code"
    pool.diag:error(node, ("`%s` is a name that %s uses itself"):format(name, whose), { hint = "choose another name" })
  end
end

-- The functions of the host that a pool calls, as { what, name, at }.
local function functions_of(pool)
  local list, run = {}, pool.values.run
  local overload = pool.values.capacity.number and pool.values.overload.block
  local dropped = overload and overload.dropped
  if run and run.name then
    list[1] = { what = "run", name = run.name, at = run.node }
  end
  if dropped and dropped.name then
    list[#list + 1] = { what = "dropped", name = dropped.name, at = dropped.node }
  end
  return list
end

-- One function cannot take two types, nor return a value for one pool and none for another.
local function check_function(pool, f, shared)
  local payload, first = pool.values.payload, shared.functions[f.name]
  local problem
  if first and first.what ~= f.what then
    problem = ("`%s` cannot be both `run`, which returns a value, and `dropped`, which returns none"):format(f.name)
  elseif first and first.pool.values.payload.text ~= payload.text then
    problem = ("`%s` would take `%s` here and `%s` in pool `%s`"):format(f.name,
      payload.type.text, first.pool.values.payload.type.text, first.pool.name)
  end
  if problem then
    pool.diag:error(f.at, problem, { other = { at = first.at, diag = first.pool.diag, says = "it was first given here" } })
  end
  shared.functions[f.name] = first or { what = f.what, at = f.at, pool = pool }
end

local function check_foreign_names(pool, shared)
  local payload = pool.values.payload
  local name = payload and payload.type and not payload.type.known and (payload.type.tag or payload.type.name)
  for _, f in ipairs(functions_of(pool)) do
    check_foreign_name(pool, f.name, f.at, shared)
    if payload and payload.type then
      check_function(pool, f, shared)
    end
  end
  if name then
    check_foreign_name(pool, name, payload.node, shared, payload.type.tag ~= nil)
  end
end

-- -- pools -------------------------------------------------------------------------------------

-- The value of every option: the pool's own, else that of `defaults`, else that of its profile, else the schema's.
local function resolve(pool, options, own, defaults)
  local chosen = own.profile or defaults.profile
  local profile = chosen and schema.profiles[chosen.word]
  for _, option in ipairs(options) do
    local set, from = own[option.name], "pool"
    if not set then
      set, from = defaults[option.name], "defaults"
    end
    if not set then
      set, from = value.default(option, profile), profile and profile[option.name] and "profile" or "schema"
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
  resolve(pool, schema.pool, own, defaults)
  require_options(pool, schema.pool)
  obey_rules(pool)
  take_names(pool, shared)
  return pool
end

-- The pool of this file that a member of a multipool names, or nil, when that was told.
local function find_member(member, pools, diag)
  local known = schema.list(pools, "name")
  for _, pool in ipairs(pools) do
    if pool.name == member.name then
      return pool
    end
  end
  diag:error(member.at, ("there is no pool `%s` in this file"):format(member.name),
    { near = text.nearest(member.name, known) })
  return nil
end

-- A multipool drives its members through their tables of functions, so they have one.
local function need_table(pool, face, member, diag)
  local ops = pool.values.ops
  if ops and ops.from == "pool" and ops.word == "off" then
    diag:error(ops.node, ("pool `%s` is in multipool `%s`, which needs its table of functions"):format(pool.name, face.name),
      { hint = "leave `ops` out", other = { at = member.at, says = "it is named here" } })
  elseif not ops or ops.word ~= "on" then
    pool.values.ops = { word = "on", text = "on", from = "multipool" }
  end
  pool.is_member = true
end

-- Members are pools of this file, each named once, and take the same payload; they get a table of
-- functions, and there are not too many of them. pools: of the file.
local function check_members(face, pools, diag)
  local seen, first, first_at, n = {}, nil, nil, 0
  for _, member in ipairs(face.members) do
    local pool = find_member(member, pools, diag)
    local payload = pool and pool.values.payload
    member.pool = pool
    if n <= MEMBERS and n + member.times > MEMBERS then
      diag:error(member.at, ("with these, multipool `%s` has more than %d pools"):format(face.name, MEMBERS))
    end
    n = n + member.times
    if pool and not seen[member.name] then
      need_table(pool, face, member, diag)
    end
    if seen[member.name] then
      diag:error(member.at, ("`%s` stands here twice"):format(member.name),
        { hint = "so many equal pools: " .. member.name .. " * 2",
          other = { at = seen[member.name], says = "it was first given here" } })
    elseif payload and payload.type and first and payload.text ~= first.values.payload.text then
      diag:error(member.at, ("pool `%s` takes `%s`, but pool `%s` takes `%s`"):format(pool.name, payload.type.text,
        first.name, first.values.payload.type.text),
        { hint = "one face has one type of payload", other = { at = first_at, says = "the other pool is named here" } })
    elseif payload and payload.type and not first then
      first, first_at = pool, member.at
    end
    seen[member.name] = seen[member.name] or member.at
  end
end

-- pools: of the file.
local function check_multipool(statement, file, pools, shared)
  local face = { kind = "multipool", name = statement.name.text, at = statement.name, diag = file.diag, file = file,
    includes = {}, values = {} }
  local own = value.block(statement.entries, schema.multipool, ("multipool `%s`"):format(face.name), file.diag)
  resolve(face, schema.multipool, own, {})
  require_options(face, schema.multipool)
  face.members = face.values.pools and face.values.pools.pools or {}
  check_members(face, pools, file.diag)
  take_names(face, shared)
  return face
end

-- -- files -------------------------------------------------------------------------------------

-- What the checks of all files of one run share. parts: see parts.lua.
function check.shared(parts)
  return { parts = parts, pools = {}, headers = {}, taken = {}, functions = {} }
end

-- The pools of a file, in its order, then its multipools; mistakes are told to file.diag. file: path,
-- statements, diag.
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
  local pools, faces = {}, {}
  for _, statement in ipairs(named) do
    pools[#pools + 1] = statement.kind == "pool" and check_pool(statement, file, defaults, includes, shared) or nil
  end
  for _, statement in ipairs(named) do
    faces[#faces + 1] = statement.kind == "multipool" and check_multipool(statement, file, pools, shared) or nil
  end
  return table.move(faces, 1, #faces, #pools + 1, pools)
end

-- The last look, when the names of all files are taken.
function check.finish(pools, shared)
  for _, pool in ipairs(pools) do
    for _, name in ipairs(pool.includes) do
      local made = shared.headers[name:match("[^/]*$")]
      if made then
        pool.diag:error(pool.includes[name], ("this is the header made for %s `%s`"):format(made.kind, made.name))
      end
    end
    if pool.kind == "pool" then -- a multipool has no names of the user's but its own
      check_foreign_names(pool, shared)
    end
  end
end

return check
