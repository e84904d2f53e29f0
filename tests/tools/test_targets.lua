-- What the bench compares and how fast it must be agree: each workload has its targets, if none, and each target is for a row, a figure
-- and contenders that there are. Run from the project's root.
package.path = "bench/?.lua;" .. package.path
local workloads, targets = require "workloads", require "targets"

local KINDS = { "at_most", "times_peer", "times", "not_above", "at_most_more" }
local n_passed, n_failed = 0, 0

local function check(holds, ...)
  n_passed, n_failed = n_passed + (holds and 1 or 0), n_failed + (holds and 0 or 1)
  if not holds then print("FAILED: " .. string.format(...)) end
end

-- The names under which the figures of a workload are printed, each with its contenders' names.
local function printed(workload)
  local rows = {}
  for _, row in ipairs(workload.rows) do
    local names = {}
    for _, contender in ipairs(row.contenders or workload.contenders) do names[contender.name] = true end
    for _, view in ipairs(workload.views or { {} }) do
      rows[view.name and row.name .. ", " .. view.name or row.name] = names
    end
  end
  return rows
end

local known = {}
for _, workload in ipairs(workloads) do
  known[workload.name] = true
  check(targets[workload.name], "%s has no entry in targets.lua", workload.name)
  local rows = printed(workload)
  for i, target in ipairs(targets[workload.name] or {}) do
    local names, n_kinds = rows[target.row], 0
    for _, kind in ipairs(KINDS) do n_kinds = n_kinds + (target[kind] and 1 or 0) end
    check(n_kinds == 1, "%s: target %d is of %d kinds", workload.name, i, n_kinds)
    check(names, "%s: target %d is for the row '%s', which there is not", workload.name, i, target.row)
    for _, who in ipairs { target.contender, target.of or target.not_above or target.than } do
      check(not names or names[who], "%s: target %d names '%s', which there is not", workload.name, i, who)
    end
  end
end
for name in pairs(targets) do check(known[name], "targets.lua has '%s', which is no workload", name) end

print(("%d passed, %d failed"):format(n_passed, n_failed))
os.exit(n_failed == 0)
