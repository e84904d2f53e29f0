-- Writing files so that a failure changes nothing: all texts are put beside their places first, and
-- then moved there. A file that has its text already is not touched, so nothing is built anew.

local host = require "host"

local files = {}

-- "a/b/" -> "a/b"; "" and "/" stay as they are
function files.trim(dir)
  return (dir:gsub("(.)/+$", "%1"))
end

function files.join(dir, name)
  return (dir == "/" and "" or dir) .. "/" .. name
end

-- The last part of a path.
function files.base(path)
  return path:match("([^/]+)/*$") or path
end

-- Make a directory and those above it.
function files.make_dirs(dir)
  local at = 1
  while at do
    at = dir:find("/", at + 1, true)
    local part = at and dir:sub(1, at - 1) or dir
    local ok, reason = host.make_dir(part)
    if not ok then
      return nil, part, reason
    end
  end
  return true
end

local function remove_all(staged)
  for _, file in ipairs(staged) do
    host.remove(file.beside)
  end
end

-- Write the files { path =, text = } whose texts are not there yet; sets `changed` in those.
-- Returns true; or nil, the path and the reason, and then no file was changed.
function files.write(list, dry_run)
  local staged = {}
  for i, file in ipairs(list) do
    local kind = host.kind(file.path)
    if kind == "directory" then
      remove_all(staged)
      return nil, file.path, "Is a directory"
    end
    file.changed = kind ~= "file" or host.read(file.path, #file.text) ~= file.text
    if file.changed and not dry_run then
      file.beside = ("%s.%d-%d.tmp"):format(file.path, host.process(), i)
      local ok, reason = host.write_new(file.beside, file.text)
      if not ok then
        remove_all(staged)
        return nil, file.path, reason
      end
      staged[#staged + 1] = file
    end
  end
  for i, file in ipairs(staged) do
    local ok, reason = host.rename(file.beside, file.path)
    if not ok then
      remove_all(table.move(staged, i, #staged, 1, {}))
      return nil, file.path, reason
    end
  end
  return true
end

return files
