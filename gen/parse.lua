-- Tokens to tree. The grammar knows no option: it takes any `word = value` in any block, and what
-- may stand where is said by schema.lua and looked at by check.lua.
-- One invariant: every node carries line, column and width. After a mistake the parser goes on at
-- the next statement, so that one run tells all of them.
--
--   file    = { include STRING | defaults block | pool WORD block | multipool WORD block }
--   block   = "{" { WORD "=" value } "}"
--   value   = item { "," item }
--   item    = atom [ ".." scaled ] | scaled
--   scaled  = atom [ "*" NUMBER ] [ "/" NUMBER ]
--   atom    = STRING | NUMBER | SIZE | DURATION | WORD [ "(" args ")" ] [ block ]
--   args    = WORD [ "=" item ] { "," WORD [ "=" item ] }

local host = require "host"
local text = require "text"

local parse = {}
parse.__index = parse

local STATEMENTS = { "include", "defaults", "pool", "multipool" }
local DEPTH = 4 -- of blocks and argument lists in each other

-- What to say of tokens that are mistakes in themselves; number: where a number could stand.
local MISTAKES = {
  ["bad string"] = { "this string is not closed", expected = 'a `"` before the end of the line' },
  ["bad unit"] = { number = true, "`%s` is not a number, size or duration",
    expected = "a number such as 1024, a size such as 64KiB (B, KiB, MiB, GiB), "
      .. "or a duration such as 500ms (ns, us, ms, s, min, h)" },
  ["huge number"] = { number = true, "`%s` is too large", expected = "a number below 2^63, in its unit" },
  ["negative"] = { number = true, "`%s` is negative", expected = "a number without sign" },
  ["fraction"] = { number = true, "`%s` is a fraction", expected = "a whole number, such as 1500ms instead of 1.5s" },
  ["dashed word"] = { "`%s` is not a word", expected = "letters, digits and `_`" },
}

local HINTS = {
  [";"] = "options end by themselves, without `;`",
  [":"] = "options are written `name = value`",
  ["/"] = "comments start with `#`",
  ["'"] = 'strings are written in double quotes: "struct image *"',
}

-- What people write for a unit.
local UNITS = { k = "KiB", kb = "KiB", kib = "KiB", m = "MiB", mb = "MiB", mib = "MiB", g = "GiB", gb = "GiB",
  gib = "GiB", b = "B", usec = "us", msec = "ms", sec = "s", secs = "s", seconds = "s", minutes = "min", hours = "h" }

-- The word that may be meant by a token that is a mistake, or nil.
local function near_of(token)
  if token.kind == "dashed word" then
    return (token.text:gsub("-", "_"))
  end
  local digits, unit = token.text:match("^(%d+)(%a+)$")
  return token.kind == "bad unit" and unit and UNITS[unit:lower()] and digits .. UNITS[unit:lower()] or nil
end

local function describe(token)
  if token.kind == "end" then
    return "the end of the file"
  end
  if token.text == "\r" then
    return "carriage return without a line feed"
  end
  local shown = token.text:gsub("[\1-\31\127]", "?")
  if utf8.len(shown) > 40 then
    shown = text.characters(shown, 1, 37) .. "..."
  end
  return "`" .. shown .. "`"
end

function parse:advance()
  local token = self.token
  self.token, self.ahead = self.ahead, self.next()
  self.opens_line = self.token.line > token.line
  return token
end

function parse:is(what)
  return self.token.text == what and (self.token.kind == "mark" or self.token.kind == "word")
end

function parse:fail(at, message, more)
  self.diag:error(at, message, more)
  return nil
end

function parse:unexpected(expected)
  local token = self.token
  local mistake = MISTAKES[token.kind]
  local number = expected == "a value" or expected == "a number"
  if mistake and (number or not mistake.number) then
    return self:fail(token, mistake[1]:format(describe(token):sub(2, -2)),
      { expected = mistake.expected, near = near_of(token) })
  end
  return self:fail(token, "unexpected " .. describe(token), { expected = expected, hint = HINTS[token.text] })
end

function parse:want(mark)
  if self:is(mark) then
    return self:advance()
  end
  return self:unexpected("`" .. mark .. "`")
end

-- A node that reaches from one token or node to another one.
local function span(kind, first, last, fields)
  local node = fields or {}
  node.kind, node.line, node.column = kind, first.line, first.column
  local one_line = first.line == last.line
  node.width = one_line and last.column + last.width - first.column or first.width
  return node
end

-- At the first word of a statement? Then a block that is still open was not closed.
function parse:at_statement()
  local token, ahead = self.token, self.ahead
  if token.kind ~= "word" or ahead.text == "=" then
    return false
  end
  return token.text == "include" and ahead.kind == "string"
    or token.text == "defaults" and ahead.text == "{"
    or (token.text == "pool" or token.text == "multipool") and ahead.kind == "word"
end

-- Go on to something that can start the next option or end the block.
function parse:skip_to_option()
  local depth = 0
  while self.token.kind ~= "end" and not self:at_statement() do
    if self:is("{") then
      depth = depth + 1
    elseif self:is("}") then
      if depth == 0 then
        return
      end
      depth = depth - 1
    elseif depth == 0 and self.token.kind == "word" and self.ahead.text == "=" then
      return
    end
    self:advance()
  end
end

function parse:args(depth)
  local list = {}
  self:advance()
  repeat
    if self.token.kind ~= "word" then
      return self:unexpected("a name")
    end
    local arg = { name = self:advance() }
    if self:is("=") then
      self:advance()
      arg.value = self:item(depth)
      if not arg.value then
        return nil
      end
    end
    list[#list + 1] = arg
    local more = self:is(",") and self:advance()
  until not more
  return self:want(")") and list
end

local LITERALS = { string = true, number = true, size = true, duration = true }

function parse:atom(depth)
  local token = self.token
  if LITERALS[token.kind] then
    self:advance()
    return span(token.kind, token, token, { text = token.text, value = token.value })
  end
  if token.kind ~= "word" then
    return self:unexpected("a value")
  end
  self:advance()
  local node = span("word", token, token, { text = token.text })
  if (self:is("(") or self:is("{")) and depth >= DEPTH then
    return self:fail(self.token, "this is nested too deeply")
  end
  if self:is("(") then
    node.args = self:args(depth + 1)
    if not node.args then
      return nil
    end
  end
  if self:is("{") then
    node.block = self:block(depth + 1)
  end
  return node
end

function parse:factor(mark)
  if not self:is(mark) then
    return true, nil
  end
  self:advance()
  if self.token.kind ~= "number" then
    return self:unexpected("a number")
  end
  return true, self:advance()
end

-- The node `first` and the factors that may follow it.
function parse:scaled(first)
  if not first or not self:is("*") and not self:is("/") then
    return first
  end
  local ok, times = self:factor("*")
  if not ok then
    return nil
  end
  local divided
  ok, divided = self:factor("/")
  if not ok then
    return nil
  end
  return span("scaled", first, divided or times, { base = first, times = times, divided = divided })
end

function parse:item(depth)
  local first = self:atom(depth)
  if not first or not self:is("..") then
    return self:scaled(first)
  end
  self:advance()
  local high = self:scaled(self:atom(depth))
  return high and span("range", first, high, { low = first, high = high })
end

function parse:value(depth)
  local first = self:item(depth)
  if not first or not self:is(",") then
    return first
  end
  local items = { first }
  while self:is(",") do
    if self.ahead.kind == "end" or self.ahead.text == "}" then
      return self:fail(self.token, "unexpected `,`", { hint = "options are not separated by commas" })
    end
    local comma = self:advance()
    if self.token.kind == "word" and self.ahead.text == "=" then
      return self:fail(comma, "unexpected `,`", { hint = "options are not separated by commas" })
    end
    items[#items + 1] = self:item(depth)
    if not items[#items] then
      return nil
    end
  end
  return span("list", first, items[#items], { items = items })
end

-- The entries between braces; also after mistakes, which are told.
function parse:block(depth)
  local entries = {}
  local open = self:advance()
  while not self:is("}") do
    if self.token.kind == "end" or self:at_statement() then
      self:fail(open, "this `{` has no `}`")
      return entries
    end
    if self.diag:full() then
      return entries
    end
    local entry = self:entry(depth)
    entries[#entries + 1] = entry
    if not entry or not entry.value then
      self:skip_to_option()
    end
  end
  self:advance()
  return entries
end

-- An entry whose value is broken has none, so that the option still counts as given.
function parse:entry(depth)
  local key = self.token
  if key.kind ~= "word" then
    return self:unexpected("an option, or `}`")
  end
  self:advance()
  if not self:want("=") then
    return { key = key }
  end
  if self:is("}") or self.token.kind == "end" or self.token.kind == "word" and self.ahead.text == "=" then
    self:fail(key, ("`%s` has no value"):format(key.text), { expected = ("%s = VALUE"):format(key.text) })
    return { key = key }
  end
  return { key = key, value = self:value(depth) }
end

function parse:statement()
  local word = self.token
  if word.kind ~= "word" or not parse["statement_" .. word.text] then
    local near = word.kind == "word" and text.nearest(word.text, STATEMENTS)
    if near then
      return self:fail(word, ("unknown word `%s`"):format(word.text), { near = near })
    end
    return self:unexpected(text.any_of(STATEMENTS))
  end
  self:advance()
  return parse["statement_" .. word.text](self, word)
end

function parse:statement_include(word)
  if self.token.kind ~= "string" then
    return self:unexpected('the name of a header in quotes, such as "image.h"')
  end
  return { kind = "include", word = word, name = self:advance() }
end

function parse:statement_defaults(word)
  if not self:is("{") then
    return self:unexpected("`{`")
  end
  return { kind = "defaults", word = word, entries = self:block(1) }
end

function parse:named(word)
  if self.token.kind ~= "word" then
    return self:unexpected("the name of the " .. word.text)
  end
  local name = self:advance()
  if not self:is("{") then
    return self:unexpected("`{`")
  end
  return { kind = word.text, word = word, name = name, entries = self:block(1) }
end

parse.statement_pool = parse.named
parse.statement_multipool = parse.named

-- Go on behind the statement that began at `start` and was broken, and the block it may have had.
function parse:skip_to_statement(start)
  local depth = 0
  while self.token.kind ~= "end" do
    local looks_new = self.opens_line and self.token.kind == "word" and self.ahead.kind == "word"
    if self.token ~= start and (self:at_statement() or depth <= 0 and looks_new) then
      return
    end
    if self:is("{") then
      depth = depth + 1
    elseif self:is("}") then
      depth = depth - 1
    end
    self:advance()
  end
end

local function new(source, diag)
  local self = setmetatable({ next = host.tokens(source), diag = diag }, parse)
  self.token, self.ahead = self.next(), self.next()
  return self
end

-- The statements of a file, mistakes told to diag. source: text without bad bytes.
function parse.file(source, diag)
  local self, list = new(source, diag), {}
  while self.token.kind ~= "end" and not diag:full() do
    local start = self.token
    local statement = self:statement()
    if statement then
      list[#list + 1] = statement
    else
      self:skip_to_statement(start)
    end
  end
  return list
end

-- The node of a value that is written in our own text (a default), so it has no mistakes.
function parse.own_value(source)
  local diag = { error = function(_, _, message) error(("%s in %q"):format(message, source)) end, full = function() return false end }
  return new(source, diag):value(1)
end

return parse
