-- Reads the text of a C type and decides whether `T x;` declares something that can be copied.
-- Only the spelling is looked at: what a typedef name stands for is the C compiler's business.

local names = require "names"

local ctype = {}

local ARITHMETIC = {}
for w in ("char short int long float double signed unsigned"):gmatch("%S+") do
  ARITHMETIC[w] = true
end

-- Types that tidepool.h declares, through stdbool.h, stddef.h and stdint.h.
local STANDARD = { bool = true, wchar_t = true, max_align_t = true, size_t = true, ptrdiff_t = true, intptr_t = true, uintptr_t = true,
  intmax_t = true, uintmax_t = true }
for _, bits in ipairs { "8", "16", "32", "64" } do
  for _, kind in ipairs { "int", "int_least", "int_fast" } do
    STANDARD[kind .. bits .. "_t"] = true
    STANDARD["u" .. kind .. bits .. "_t"] = true
  end
end

local QUALIFIER = { const = true, volatile = true }
local TAG = { struct = true, union = true, enum = true }

-- Words and stars with their places; or nil and the mistake.
local function split(text)
  local list, at = {}, 1
  while true do
    at = text:find("[^ \t]", at)
    if not at then
      return list
    end
    local word = text:match("^[%a_][%w_]*", at) or text:match("^%*", at)
    if not word then
      local c = text:match("^" .. utf8.charpattern, at)
      local message = ("`%s` is not part of a type that can be copied"):format(c)
      local hint
      if c == "[" or c == "]" then
        message, hint = "an array cannot be a payload", "put it in a struct, or pass a pointer"
      elseif c == "(" or c == ")" then
        message, hint = "a function type cannot be written here", "give it a name with typedef"
      elseif c == "{" or c == "}" then
        message, hint = "a struct is not defined here", "define it in a header and include that"
      end
      return nil, { at = at, size = #c, message = message, hint = hint }
    end
    list[#list + 1] = { text = word, at = at, size = #word }
    at = at + #word
  end
end

-- Do these arithmetic words name a type, in whatever order?
local function is_arithmetic(count)
  local n = function(w) return count[w] or 0 end
  local sign, long = n "signed" + n "unsigned", n "long"
  for w, times in pairs(count) do
    if not ARITHMETIC[w] or (times > 1 and w ~= "long") then
      return false
    end
  end
  if n "float" > 0 then
    return sign + long + n "char" + n "short" + n "int" + n "double" == 0
  elseif n "double" > 0 then
    return sign + n "char" + n "short" + n "int" == 0 and long <= 1
  elseif n "char" > 0 then
    return sign <= 1 and long + n "short" + n "int" == 0
  end
  return sign <= 1 and long <= 2 and (long == 0 or n "short" == 0)
end

local function mistake(word, message, hint)
  return nil, { at = word.at, size = word.size, message = message, hint = hint }
end

-- The words before the first star: one base type with qualifiers. Fills type; or nil and the mistake.
local function read_base(words, type)
  local base, count, arithmetic = {}, {}, nil
  for i, word in ipairs(words) do
    local before = base[#base]
    if QUALIFIER[word.text] then
      type.qualifier = word
    elseif before and TAG[before.text] and #base == 1 and not names.is_c_keyword(word.text) then
      type.tag = word.text
      base[#base + 1] = word
    elseif ARITHMETIC[word.text] and (#base == 0 or arithmetic) then
      base[#base + 1], arithmetic = word, true
      count[word.text] = (count[word.text] or 0) + 1
    elseif word.text == "_Bool" then
      return mistake(word, "`_Bool` is no type of C++", 'write bool')
    elseif names.is_c_keyword(word.text) and (#base > 0 or not TAG[word.text]) and word.text ~= "void" then
      return mistake(word, ("`%s` is not part of a type that can be copied"):format(word.text))
    elseif #base > 0 then
      return mistake(word, ("`%s` is not part of the type"):format(word.text), "write the type alone, without a name")
    else
      base[1] = word
    end
    if i == #words and TAG[word.text] then
      return mistake(word, ("this %s has no name"):format(word.text))
    end
  end
  local first = base[1]
  if not first then
    return mistake(words[1], "this names no type")
  elseif arithmetic and not is_arithmetic(count) then
    return mistake(first, "these words together are no type of C")
  end
  type.void = first.text == "void" and first
  if not arithmetic and not type.tag and not type.void then
    type.name = first.text
  end
  return type
end

-- type: text (as the formatter writes it), name (of a typedef), tag, known (declared without an
-- include); or nil and { at =, size =, message =, hint = } within the text.
function ctype.read(text)
  local list, wrong = split(text)
  if not list then
    return nil, wrong
  elseif #list == 0 then
    return nil, { at = 1, size = 0, message = "this names no type" }
  end
  local words, stars, type, last = {}, "", {}, nil
  for _, word in ipairs(list) do
    if word.text == "*" then
      stars, last = stars .. (last and last.text ~= "*" and #stars > 0 and " *" or "*"), word
    elseif last == nil then
      words[#words + 1] = word
    elseif QUALIFIER[word.text] then
      stars, last = stars .. (last.text == "*" and "" or " ") .. word.text, word
    else
      return mistake(word, ("`%s` is not part of the type"):format(word.text), "write the type alone, without a name")
    end
  end
  if #words == 0 then
    return mistake(list[1], "this names no type")
  end
  type, wrong = read_base(words, type)
  if not type then
    return nil, wrong
  end
  local top = last == nil and type.qualifier or last and QUALIFIER[last.text] and last
  if top then
    return mistake(top, ("a %s payload cannot be copied into the queue"):format(top.text),
      ("leave out `%s`; in front of a `*` it is fine"):format(top.text))
  elseif type.void and not last then
    return mistake(type.void, "a payload of type void has no value", 'use "void *", or "uintptr_t" for a number')
  end
  local texts = {}
  for i, word in ipairs(words) do
    texts[i] = word.text
  end
  type.text = table.concat(texts, " ") .. (stars ~= "" and " " .. stars or "")
  type.known = not type.tag and (not type.name or STANDARD[type.name]) and true or false
  return type
end

-- The types that need no include.
function ctype.known()
  local list = {}
  for _, set in ipairs { ARITHMETIC, STANDARD } do
    for name in pairs(set) do
      list[#list + 1] = name
    end
  end
  table.sort(list)
  return list
end

return ctype
