-- The tests of the config language and the generator: `lua5.4 tests/gen/run.lua [--accept] [TOOL]`,
-- from the project's root. --accept makes what comes out now the expected texts in tests/gen/cases
-- and docs/config.md; look at the difference before it is committed.

package.path = "tests/gen/?.lua;gen/?.lua;" .. package.path
package.preload.host = function() return {} end -- the tool's C functions; modules under test here need none

local lib = require "lib"

for _, word in ipairs(arg) do
  if word == "--accept" then
    lib.accept = true
  else
    lib.tool = word
  end
end
if not lib.tool:find("^/") then
  lib.tool = lib.root .. "/" .. lib.tool
end

for _, name in ipairs { "test_text", "test_emit", "test_cases", "test_bytes", "test_usage", "test_files", "test_compile",
  "test_docs", "test_recommend", "test_mutations" } do
  require(name)
end
lib.finish()
