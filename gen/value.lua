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
local LEVELS = 16    -- priority levels and fair classes
local MULTIPLE = 256 -- largest number of equal pools in a multipool

-- What this version accepts; all forms, if it accepts none.
function value.expected(option)
  local now = {}
  for _, form in ipairs(option.forms) do
    now[#now + 1] = not form.later and form.show or nil
  end
  return table.concat(#now > 0 and now or schema.list(option.forms, "show"), " | ")
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
  local wanted = { string = "ctype", number = "number", size = "size", duration = "duration", range = "range",
    list = "pools" }
  local is = wanted[node.kind]
  local base = node.kind == "scaled" and node.base or node
  for _, form in ipairs(forms) do
    local fits = form.is == is
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

function read.range(node, _, option, diag)
  local low, high = node.low, node.high
  local to_cores = high.text == "cores" and not high.args and not high.block
  if low.kind ~= "number" or high.kind ~= "number" and not to_cores then
    return diag:error(node, ("`%s` has no such range"):format(option.name), { expected = value.expected(option) })
  elseif low.value < 1 or high.kind == "number" and (high.value < low.value or high.value > 4096) then
    return diag:error(node, "a range goes from at least 1 up to at most 4096")
  end
  return { low = low.value, high = high.value, text = ("%d..%s"):format(low.value, high.text) }
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

-- The list in `priority(high, low)` or `fair(a = 3, b = 1)`; its text, or nil.
local function read_args(node, form, diag)
  local seen, texts = {}, {}
  local weights = form.args == "weights"
  if #node.args > LEVELS then
    return diag:error(node.args[LEVELS + 1].name, ("`%s` takes at most %d names"):format(form.word, LEVELS))
  end
  for _, arg in ipairs(node.args) do
    local name, weight = arg.name, arg.value
    if seen[name.text] then
      return diag:error(name, ("`%s` stands here twice"):format(name.text))
    elseif weights and not (weight and weight.kind == "number") then
      return diag:error(name, ("`%s` has no weight"):format(name.text), { expected = name.text .. " = N" })
    elseif weight and not weights then
      return diag:error(weight, ("a level of `%s` has no value"):format(form.word), { expected = form.show })
    elseif weight and not within(weight, 1000, "a weight", diag) then
      return nil
    end
    seen[name.text] = true
    texts[#texts + 1] = name.text .. (weight and (" = %d"):format(weight.value) or "")
  end
  return "(" .. table.concat(texts, ", ") .. ")"
end

function read.word(node, form, _, diag)
  local result = { word = form.word, text = form.word }
  if node.args and not form.args then
    return diag:error(node, ("`%s` takes no `( )`"):format(form.word))
  elseif form.args and not node.args then
    return diag:error(node, ("`%s` does not say what it needs"):format(form.word), { expected = form.show })
  elseif node.block and not form.block then
    return diag:error(node, ("`%s` takes no `{ }`"):format(form.word))
  end
  if form.args then
    local args = read_args(node, form, diag)
    if not args then
      return nil
    end
    result.text = result.text .. args
  end
  if form.block then
    result.block = value.block(node.block or {}, form.block, "`" .. form.word .. "`", diag)
    local texts = {}
    for _, option in ipairs(form.block) do
      local set = result.block[option.name] or value.default(option)
      result.block[option.name] = set
      texts[#texts + 1] = set and set.text and option.name .. " = " .. set.text or nil
      result.broken = result.broken or set and set.broken
    end
    if #texts > 0 then
      result.text = result.text .. " { " .. table.concat(texts, "  ") .. " }"
    end
  end
  return result
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

-- The value an option has when a config does not give one, or nil.
function value.default(option)
  return option.default and value.read(parse.own_value(option.default), option)
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
