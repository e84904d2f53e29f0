-- One value of one option: finds which of the forms in the schema a node of the tree has, and reads
-- it; or says what would have been accepted. The text of a value is how a config would write it.

local ctype = require "ctype"
local names = require "names"
local parse = require "parse"
local schema = require "schema"
local text = require "text"

local value = {}
local read = {} -- by form: function(node, form, option, diag) -> value, or nil when told

local FACTOR = 1024  -- largest number of cores * A / B
local LEVELS = 16    -- most priority levels or classes
local GLANCE = 120   -- letters of what was expected
local MULTIPLE = 256 -- largest number of equal pools in a multipool

-- What this version accepts; all forms, if it accepts none. Where that is too long to read at a
-- glance, blocks are left out.
function value.expected(option)
  local now = {}
  for _, form in ipairs(option.forms) do
    now[#now + 1] = not form.later and form.show or nil
  end
  local all = table.concat(#now > 0 and now or schema.list(option.forms, "show"), " | ")
  return #all <= GLANCE and all or (all:gsub(" *%b{}", ""))
end

-- The words that values of an option can be or begin with.
local function words_of(option)
  local words = schema.list(option.forms, "word")
  for _, form in ipairs(option.forms) do
    words[#words + 1] = form.is == "cores" and "cores" or nil
  end
  return words
end

-- The form a node can have, by its looks alone.
local function find_form(node, forms)
  local wanted = { number = "number", size = "size", duration = "duration", range = "range", list = "pools" }
  local is = wanted[node.kind]
  local base = node.kind == "scaled" and node.base or node
  for _, form in ipairs(forms) do
    local fits = form.is == is or node.kind == "string" and (form.is == "ctype" or form.is == "hours")
    if node.kind == "word" and form.is == "word" then
      fits = form.word == node.text
    elseif base.kind == "word" and not base.args and not base.block then
      fits = form.is == "cores" and base.text == "cores"
        or form.is == "cname" and node.kind == "word"
        or form.is == "pools"
    end
    if fits then
      return form
    end
  end
  return nil
end

local function closest_power(n)
  local p = 2
  while p < 16384 and p * 2 - n <= n - p do
    p = p * 2
  end
  return p
end

function read.number(node, form, option, diag)
  local n = node.value
  local whole = not form.power_of_two or n & (n - 1) == 0
  if n < form.min or n > form.max or not whole then
    local what = form.power_of_two and "a power of two " or ""
    local near = not whole and tostring(closest_power(n)) or nil
    return diag:error(node, ("`%s` must be %sfrom %s"):format(option.name, what, form.range), { near = near })
  end
  return { number = n, text = ("%d"):format(n) }
end

local function read_quantity(node, form, option, diag)
  if node.value < form.min or node.value > form.max then
    return diag:error(node, ("`%s` must be from %s"):format(option.name, form.range))
  end
  return { number = node.value, text = node.text }
end

read.size = read_quantity
read.duration = read_quantity

function read.ctype(node, _, _, diag)
  local inner = node.text:sub(2, -2)
  local type, wrong = ctype.read(inner)
  if not type then
    local before, part = inner:sub(1, wrong.at - 1), inner:sub(wrong.at, wrong.at + wrong.size - 1)
    local at = { line = node.line, column = node.column + 1 + utf8.len(before), width = utf8.len(part) }
    if wrong.size == 0 then
      at = node
    end
    local expected = not wrong.hint and 'a type such as "struct image *" or "uint64_t"' or nil
    return diag:error(at, wrong.message, { hint = wrong.hint, expected = expected })
  end
  return { type = type, text = '"' .. type.text .. '"' }
end

function read.cname(node, _, _, diag)
  local problem = names.problem(node.text)
  if problem then
    return diag:error(node, ("`%s` cannot be the name of a function: it %s"):format(node.text, problem))
  end
  return { name = node.text, text = node.text }
end

local function within(token, max, what, diag)
  if token and (token.value < 1 or token.value > max) then
    diag:error(token, ("%s must be from 1 to %d"):format(what, max))
    return false
  end
  return true
end

function read.cores(node, _, _, diag)
  local times, divided = node.times, node.divided
  if not within(times, FACTOR, "the factor", diag) or not within(divided, FACTOR, "the divisor", diag) then
    return nil
  end
  local written = times and (" * %d"):format(times.value) or ""
  written = written .. (divided and (" / %d"):format(divided.value) or "")
  return { times = times and times.value or 1, divided = divided and divided.value or 1, text = "cores" .. written }
end

-- low, and high or times and divided.
function read.range(node, form, option, diag)
  local low, high = node.low, node.high
  local base = high.kind == "scaled" and high.base or high
  local to_cores = base.text == "cores" and not base.args and not base.block
  if low.kind ~= "number" or high.kind ~= "number" and not to_cores then
    return diag:error(node, ("`%s` has no such range"):format(option.name), { expected = value.expected(option) })
  end
  local top = to_cores and read.cores(high, form, option, diag) or not to_cores and { high = high.value, text = high.text }
  if not top then
    return nil
  elseif low.value < 1 or low.value > 4096 or top.high and (top.high < low.value or top.high > 4096) then
    return diag:error(node, "a range goes from at least 1 up to at most 4096")
  end
  top.low, top.text = low.value, ("%d..%s"):format(low.value, top.text)
  return top
end

-- from and to: minutes of the day.
function read.hours(node, _, option, diag)
  local h1, m1, h2, m2 = node.text:match('^"(%d%d):(%d%d)%-(%d%d):(%d%d)"$')
  if not h1 then
    return diag:error(node, ("`%s` are written otherwise"):format(option.name),
      { expected = '"HH:MM-HH:MM", such as "08:00-18:00"' })
  end
  local from, to = h1 * 60 + m1, h2 * 60 + m2
  if tonumber(m1) > 59 or tonumber(m2) > 59 or from > 23 * 60 + 59 or to > 24 * 60 then
    return diag:error(node, "a day has no such time", { expected = 'times from "00:00" to "24:00"' })
  elseif (to - from) % (24 * 60) == 0 then
    return diag:error(node, "these hours are none, or the whole day", { hint = "leave `hours` out for the whole day" })
  end
  return { from = from, to = to, text = node.text }
end

function read.pools(node, _, _, diag)
  local list, texts = {}, {}
  for _, item in ipairs(node.kind == "list" and node.items or { node }) do
    local name = item.kind == "scaled" and item.base or item
    if name.kind ~= "word" or name.args or name.block or item.divided then
      return diag:error(item, "this is not a pool", { expected = "POOL, or POOL * N" })
    elseif not within(item.times, MULTIPLE, "the number of equal pools", diag) then
      return nil
    end
    list[#list + 1] = { at = name, name = name.text, times = item.times and item.times.value or 1 }
    texts[#texts + 1] = name.text .. (item.times and (" * %d"):format(item.times.value) or "")
  end
  return { pools = list, text = table.concat(texts, ", ") }
end

-- What is wrong with a level or class, told to diag, or nothing. seen: the names before it.
local function check_arg(arg, form, seen, diag)
  local name, weight, weights = arg.name, arg.value, form.args == "weights"
  local twin, problem = seen[name.text:upper()], names.class_problem(name.text)
  if twin == name.text then
    diag:error(name, ("`%s` stands here twice"):format(name.text))
  elseif twin then
    diag:error(name, ("`%s` and `%s` differ in case alone"):format(twin, name.text))
  elseif problem then
    diag:error(name, ("`%s` cannot be the name of a class: it %s"):format(name.text, problem))
  elseif weights and not (weight and weight.kind == "number") then
    diag:error(name, ("`%s` has no weight"):format(name.text), { expected = name.text .. " = N" })
  elseif weight and not weights then
    diag:error(weight, ("a level of `%s` has no value"):format(form.word), { expected = form.show })
  else
    return not weight or within(weight, 1000, "a weight", diag)
  end
  return false
end

-- The list in `priority(high, low)` or `fair(a = 3, b = 1)` as { at, name, weight }, and its text; or nil.
local function read_args(node, form, diag)
  local list, seen, texts = {}, {}, {}
  local args = node.args or parse.own_value(("%s(%s)"):format(form.word, form.default_args)).args
  if #args > LEVELS then
    return diag:error(args[LEVELS + 1].name, ("`%s` takes at most %d names"):format(form.word, LEVELS))
  end
  for i, arg in ipairs(args) do
    if not check_arg(arg, form, seen, diag) then
      return nil
    end
    local name, weight = arg.name.text, arg.value and arg.value.value
    seen[name:upper()] = name
    list[i] = { at = node.args and arg.name or node, name = name, weight = weight }
    texts[i] = name .. (weight and (" = %d"):format(weight) or "")
  end
  if #list < 2 then
    return diag:error(node, ("`%s` takes at least 2 names"):format(form.word), { expected = form.show })
  end
  return list, "(" .. table.concat(texts, ", ") .. ")"
end

-- The values of a word's block, with its defaults: by name, and whether one of them is broken.
local function read_block(node, form, diag)
  local block, broken = value.block(node.block or {}, form.block, "`" .. form.word .. "`", diag), false
  for _, option in ipairs(form.block) do
    local set = block[option.name] or value.default(option)
    block[option.name] = set
    broken = broken or set and set.broken
  end
  return block, broken
end

function read.word(node, form, _, diag)
  local result = { word = form.word, head = form.word, form = form }
  if node.args and not form.args then
    return diag:error(node, ("`%s` takes no `( )`"):format(form.word))
  elseif form.args and not node.args and not form.default_args then
    return diag:error(node, ("`%s` does not say what it needs"):format(form.word), { expected = form.show })
  elseif node.block and not form.block then
    return diag:error(node, ("`%s` takes no `{ }`"):format(form.word))
  end
  if form.args then
    local args, written = read_args(node, form, diag)
    if not args then
      return nil
    end
    result.args, result.head = args, form.word .. written
  end
  if form.block then
    result.block, result.broken = read_block(node, form, diag)
  end
  result.text = value.text(result, {})
  return result
end

-- A value as a config would write it, without those options of its block that are in `hidden`.
function value.text(set, hidden)
  local texts = {}
  for _, option in ipairs(set.block and set.form.block or {}) do
    local inner = set.block[option.name]
    if inner and inner.text and not hidden[option.name] then
      texts[#texts + 1] = option.name .. " = " .. inner.text
    end
  end
  return #texts == 0 and (set.head or set.text) or set.head .. " { " .. table.concat(texts, "  ") .. " }"
end

-- The value of a node as one of the option's forms: form, node, text and what the form has; or nil,
-- when the mistake was told to diag.
function value.read(node, option, diag)
  local form = find_form(node, option.forms)
  if not form then
    local word = node.kind == "scaled" and node.base or node
    local near = word.kind == "word" and text.nearest(word.text, words_of(option)) or nil
    local simple = node.text and #node.text <= 40 and not node.args and not node.block
    local shown = simple and (" be `%s`"):format(node.text) or " have this value"
    return diag:error(node, ("`%s` cannot%s"):format(option.name, shown),
      { expected = value.expected(option), near = near })
  end
  local result = read[form.is](node, form, option, diag)
  if not result then
    return nil
  end
  result.form, result.node = form, node
  if form.later and not result.broken then
    diag:error(node, ("`%s = %s` is not supported by this version"):format(option.name, result.text))
  end
  return result
end

-- The value an option has when a config does not give one, or nil. profile: what the config's profile has instead, by name.
function value.default(option, profile)
  local default = profile and profile[option.name] or option.default
  return default and value.read(parse.own_value(default), option)
end

-- The values of the entries of a block by option name; mistakes are told. owner: for messages.
function value.block(entries, options, owner, diag)
  local result, given = {}, {}
  for _, entry in ipairs(entries) do
    local key = entry.key
    local option = schema.find(options, key.text)
    if not option then
      local known = schema.list(options, "name")
      local near = text.nearest(key.text, known)
      diag:error(key, ("%s has no option `%s`"):format(owner, key.text),
        { near = near, expected = not near and table.concat(known, ", ") or nil })
    elseif given[key.text] then
      diag:error(key, ("`%s` is given twice"):format(key.text),
        { other = { at = given[key.text], says = "it was first given here" } })
    else
      given[key.text] = key
      result[key.text] = entry.value and value.read(entry.value, option, diag) or { broken = true }
      result[key.text].key = key
    end
  end
  return result
end

return value
