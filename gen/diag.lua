-- Diagnostics: every mistake in a config, told the way a compiler does, sorted by position.
--
--   mail.pool:4:5: error: unknown option `stealling`
--       4 |     stealling = on
--         |     ^~~~~~~~~
--         = expected: payload, run, workers, ...
--         = did you mean `stealing`?

local text = require "text"

local diag = {}
diag.__index = diag

local LIMIT = 20      -- errors shown per file
local EXCERPT = 100   -- characters of a source line shown

-- Collects the errors of one file. file: as the user named it; source: its text, or nil.
function diag.new(file, source)
  return setmetatable({ file = file, source = source, errors = {} }, diag)
end

-- An error at `at`, anything with line, column and width; nil means the file as a whole.
-- more (all optional): expected, a text; near, a word; hint, a sentence; other, { at =, says =, in_file = }.
function diag:error(at, message, more)
  local e = { at = at, message = message, order = #self.errors }
  for key, value in pairs(more or {}) do
    e[key] = value
  end
  self.errors[#self.errors + 1] = e
end

function diag:failed()
  return #self.errors > 0
end

-- True when more errors would not be shown.
function diag:full()
  return #self.errors > LIMIT
end

-- The source line n with what a terminal would act on made visible, or nil.
local function source_line(source, n)
  local from = 1
  for _ = 2, n do
    local stop = source:find("\n", from, true)
    if not stop then
      return nil
    end
    from = stop + 1
  end
  local line = source:sub(from, (source:find("\n", from, true) or #source + 1) - 1)
  line = line:gsub("\r$", ""):gsub("[\0-\8\11-\31\127]", "?")
  if n == 1 then
    line = line:gsub("^\xef\xbb\xbf", "")
  end
  local valid, bad = utf8.len(line)
  return valid and line or line:sub(1, bad - 1) .. line:sub(bad):gsub("[\x80-\xff]", "?")
end

-- The line, and below it the run of carets; long lines are cut around the place.
local function excerpt(out, source, at)
  local line = source and source_line(source, at.line)
  if not line or line == "" then
    return
  end
  local length = utf8.len(line)
  local cut = length > EXCERPT and at.column > EXCERPT - 20
  local first = cut and at.column - EXCERPT // 2 or 1
  local last = math.min(length, first + EXCERPT - 1)
  local shown = first > last and "" or text.characters(line, first, last - first + 1)
  local lead = at.column > first and text.characters(line, first, math.min(at.column, length + 1) - first) or ""
  lead = lead:gsub(utf8.charpattern, function(c) return c == "\t" and c or " " end)
  if first > 1 then
    shown, lead = "..." .. shown, "   " .. lead
  end
  if last < length then
    shown = shown .. "..."
  end
  local width = math.max(1, math.min(at.width, last - at.column + 1))
  out[#out + 1] = ("%5d | %s"):format(at.line, shown)
  out[#out + 1] = ("      | %s^%s"):format(lead, ("~"):rep(width - 1))
end

local function place(file, at)
  return at and ("%s:%d:%d"):format(file, at.line, at.column) or file
end

function diag:render_one(out, e)
  out[#out + 1] = ("%s: error: %s"):format(place(self.file, e.at), e.message)
  if e.at then
    excerpt(out, self.source, e.at)
  end
  if e.expected then
    out[#out + 1] = "      = expected: " .. e.expected
  end
  if e.near then
    out[#out + 1] = ("      = did you mean `%s`?"):format(e.near)
  end
  if e.hint then
    out[#out + 1] = "      = " .. e.hint
  end
  if e.other then
    local file = e.other.diag or self
    out[#out + 1] = ("%s: note: %s"):format(place(file.file, e.other.at), e.other.says)
    excerpt(out, file.source, e.other.at)
  end
end

-- All errors as text, in the order of the file.
function diag:render()
  table.sort(self.errors, function(a, b)
    local la, lb = a.at and a.at.line or 0, b.at and b.at.line or 0
    if la ~= lb then
      return la < lb
    end
    local ca, cb = a.at and a.at.column or 0, b.at and b.at.column or 0
    if ca ~= cb then
      return ca < cb
    end
    return a.order < b.order
  end)
  local out, shown, last = {}, 0, nil
  for _, e in ipairs(self.errors) do
    local said = place(self.file, e.at) .. e.message
    if said ~= last then
      if shown == LIMIT then
        out[#out + 1] = self.file .. ": error: too many errors"
        break
      end
      self:render_one(out, e)
      shown, last = shown + 1, said
    end
  end
  return #out > 0 and table.concat(out, "\n") .. "\n" or ""
end

return diag
