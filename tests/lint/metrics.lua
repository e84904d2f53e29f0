-- The table of docs/metrics.md and the rows of runtime/monitor/metrics.c say the same: name, unit, kind, scope, help.

local SCOPES = { PROCESS = "process", POOL = "pool", WORKER = "worker" }
local ROW = '{{"([%w_]+)", "(%l*)", "([^"]*)", ([%u_]+), TP_METRIC_OF_(%u+)}'

local function check(files, complain)
  local code, text = files["runtime/monitor/metrics.c"], files["docs/metrics.md"] or ""
  if not code then return end
  local known = {}
  for name, unit, help, kind, scope in code:gmatch(ROW) do
    kind = kind:gsub("^TP_METRIC_", ""):lower()
    known[name] = ("| `%s` | %s | %s | %s | %s |"):format(name, kind, unit, SCOPES[scope] or "?", help)
    if not text:find(known[name] .. "\n", 1, true) then complain("docs/metrics.md", 1, "wanted: " .. known[name]) end
  end
  local n = 0
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    n = n + 1
    local name = line:match "^| `(tidepool_[%w_]+)` |"
    if name and not known[name] then complain("docs/metrics.md", n, name .. " is no metric") end
  end
end

local row = '    {{"tidepool_a_bytes", "bytes", "Bytes of a", GAUGE, TP_METRIC_OF_POOL}, 0, U64, ALL},\n'
local line = "| `tidepool_a_bytes` | gauge | bytes | pool | Bytes of a |\n"

return {
  about = "docs/metrics.md tells each metric as it is",
  check = check,
  right = { ["runtime/monitor/metrics.c"] = row, ["docs/metrics.md"] = line },
  wrong = {
    { ["runtime/monitor/metrics.c"] = row, ["docs/metrics.md"] = "" },
    { ["runtime/monitor/metrics.c"] = row, ["docs/metrics.md"] = line:gsub("gauge", "counter") },
    { ["runtime/monitor/metrics.c"] = row, ["docs/metrics.md"] = line .. line:gsub("_a_", "_b_") },
  },
}
