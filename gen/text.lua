-- Small helpers for text: lines, lists, likeness of words, a hash. Nothing here knows of pools.

local text = {}

-- The lines of s, without their line ends. A last line need not be ended.
function text.lines(s)
  local list = {}
  for line in (s:find("\n$") and s or s .. "\n"):gmatch("([^\n]*)\n") do
    list[#list + 1] = line
  end
  return list
end

-- The n characters of s from the `first` on; s is valid UTF-8 and long enough.
function text.characters(s, first, n)
  local from = utf8.offset(s, first)
  return s:sub(from, utf8.offset(s, n + 1, from) - 1)
end

-- { "a", "b", "c" } -> "a, b or c"
function text.any_of(words)
  if #words < 2 then
    return words[1] or ""
  end
  return table.concat(words, ", ", 1, #words - 1) .. " or " .. words[#words]
end

-- The words of s on lines of at most `width` letters.
function text.wrap(s, width)
  local lines = {}
  for word in s:gmatch("%S+") do
    local last = lines[#lines]
    if last and #last + 1 + #word <= width then
      lines[#lines] = last .. " " .. word
    else
      lines[#lines + 1] = word
    end
  end
  return lines
end

-- How many letters must be added, dropped, changed or swapped with the next one to make b of a.
function text.distance(a, b)
  local before, last, row = nil, nil, {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    before, last, row = last, row, { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
      local swapped = i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j)
      if swapped then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

-- The word of the list that someone who wrote `word` may have meant, or nil.
function text.nearest(word, list)
  local best, best_distance = nil, math.max(1, #word // 3) + 1
  if #word > 64 then
    return nil
  end
  for _, candidate in ipairs(list) do
    local d = text.distance(word:lower(), candidate:lower())
    if d < best_distance then
      best, best_distance = candidate, d
    end
  end
  return best
end

-- FNV-1a with 64 bits (Fowler, Noll, Vo), as 16 hexadecimal digits.
function text.hash(s)
  local h = 0xcbf29ce484222325
  for i = 1, #s do
    h = (h ~ s:byte(i)) * 0x100000001b3
  end
  return ("%016x"):format(h)
end

-- Where the comment that ends a line of C code begins, or nil: `int a; /* here */`.
local function comment_column(line)
  local at = 1
  while true do
    local found = line:find('["\'/]', at)
    if not found then
      return nil
    elseif line:sub(found, found + 1) == "/*" then
      local whole = line:find("^/%*.-%*/$", found) and not line:find("*/.", found)
      return whole and line:find("%S") < found and found or nil
    elseif line:sub(found, found) == "/" then
      at = found + 1
    else
      local quote = line:sub(found, found)
      at = found + 1
      while at <= #line and line:sub(at, at) ~= quote do
        at = at + (line:sub(at, at) == "\\" and 2 or 1)
      end
      at = at + 1
    end
  end
end

-- Put the comments behind consecutive lines of C below each other, one space behind the longest.
function text.align_comments(lines)
  local out, group, inside = {}, {}, false
  local function flush()
    local width = 0
    for _, item in ipairs(group) do
      width = math.max(width, #item.code)
    end
    for _, item in ipairs(group) do
      out[#out + 1] = item.code .. (" "):rep(width + 1 - #item.code) .. item.comment
    end
    group = {}
  end
  for _, line in ipairs(lines) do
    local opens = not inside and line:find("/*", 1, true)
    local column = opens and comment_column(line)
    if column then
      local code = line:sub(1, column - 1):gsub("%s+$", "")
      group[#group + 1] = { code = code, comment = line:sub(column) }
    else
      flush()
      out[#out + 1] = line
    end
    -- A comment that goes on: everything up to its end is text, not code.
    if opens or inside then
      inside = not line:find("*/", opens or 1, true)
    end
  end
  flush()
  return out
end

-- Lines of C as the formatter wants them apart: no two empty lines in a row, none at the begin or
-- end of a block or of the file.
function text.drop_blank_lines(lines)
  local out = {}
  for i, line in ipairs(lines) do
    local previous = out[#out]
    if line ~= "" then
      if previous == "" and line:find("^%s*}") then
        out[#out] = nil
      end
      out[#out + 1] = line
    elseif previous and previous ~= "" and not previous:find("{$") and i < #lines then
      out[#out + 1] = line
    end
  end
  while out[#out] == "" do
    out[#out] = nil
  end
  return out
end

return text
