-- Which variants of the template the behaviour suite is compiled for; writes sample.ninja, for every flavour,
-- variants.ninja, for release, asan and tsan, and product.ninja, for release. Run from the project's root after a
-- change here: lua5.4 tests/parts/variants.lua. With --check it writes nothing, and says whether all are as they
-- should be (tests/parts/test_variants.lua).
--
-- The product: every policy with every way of stealing, every overload policy, with and without
-- statistics. The selection: programs in which any two choices of any two axes stand together at least
-- once; a program with overload = any, which tries each of them, counts for each. The sample: those of the selection
-- in which each choice stands at least once, and each policy with some overload policy that stands alone.

-- -- axes ----------------------------------------------------------------------------------------
-- A choice: its name in a program's name, if any; its flags; what follows is for `possible`.

local policy = { "policy",
  { "fifo", "-DWITH_LIFO=0", lanes = true, fifo = true },
  { "lifo", "-DWITH_LIFO=1", lanes = true },
  { "priority", "-DWITH_PRIORITY=1 -DVALUE_EXCEED=5 -DVALUE_PENDING=3", ordered = true },
  { "fair", "-DWITH_FAIR=1", ordered = true, fair = true },
  { "adaptive", "-DWITH_ADAPTIVE=1", adaptive = true },
}

local stealing = { "stealing",
  { "off", "-DWITH_STEALING=0", is_off = true },
  { "one", "-DWITH_HALF=0", steals = true },
  { "half", "-DWITH_HALF=1", steals = true }, -- also with a limit: parts.ninja
}

local overload = { "overload",
  { "any", "-DWITH_ANY=1", counts_for = { block = true, reject = true, caller_runs = true, drop_newest = true, spill = true } },
  { "block", "", keeps = true },
  { "limits", "-DWITH_WAITING=1 -DWITH_DEADLINE=1", keeps = true, limits = true },
  { "reject", "-DWITH_REJECT=1", keeps = true },
  { "caller_runs", "-DWITH_CALLER_RUNS=1", keeps = true },
  { "drop_oldest", "-DWITH_DROP_OLDEST=1", drops_oldest = true },
  { "drop_newest", "-DWITH_DROP_NEWEST=1" },
  { "spill", "-DWITH_SPILL=1", keeps = true },
  { "unlimited", "-DWITH_BOUNDED=0", keeps = true },
}

local stats = { "stats", { "stats", "" }, { "plain", "-DWITH_STATS=0" } }
local tracking = { "tracking", { nil, "" }, { "tracked", "-DWITH_TRACKING=1" } }

local others = {
  { "queue", { nil, "" }, { "queue2", "-DVALUE_QUEUE=2", ring = true }, { "queue4", "-DVALUE_QUEUE=4", ring = true } },
  { "victims", { nil, "" }, { "next", "-DWITH_RANDOM=0", ring = true } },
  { "newest", { nil, "" }, { "newest", "-DWITH_NEWEST=1", newest = true } },
  { "dropped", { nil, "" }, { "told", "-DWITH_DROPPED=1", hook = true } },
  { "age", { nil, "" }, { "age3", "-DVALUE_AGE=3", ages = true } },
  { "min", { nil, "" }, { "min", "-DWITH_PREALLOCATE=1 -DVALUE_PREALLOCATE=50" } },
  { "tune", { nil, "" }, { "tune", "-DWITH_TUNE=1" } },
  { "workers", { nil, "" }, { "three", "-DWITH_CORES=0 -DVALUE_WORKERS=3" } },
}

-- Can these choices stand together? gen/rules.lua says why not.
local function possible(choices)
  local has = {}
  for _, choice in ipairs(choices) do
    for property in pairs(choice) do has[property] = true end
  end
  local has_lanes = has.lanes and not has.drops_oldest
  local is_board = has.ordered or has.lanes and has.drops_oldest
  return not (is_board and (has.steals or has.ring)
    or has.ring and has.is_off and not has_lanes
    or has.newest and (has.is_off or is_board or has.lanes and not has.fifo or has.adaptive)
    or has.hook and has.keeps
    or has.ages and (has.lanes or has.fair))
end

local function with(choices, choice)
  local more = table.move(choices, 1, #choices, 1, {})
  more[#more + 1] = choice
  return more
end

-- -- the product ---------------------------------------------------------------------------------

local function product()
  local rows = { {} }
  for _, axis in ipairs { policy, stealing, overload, stats } do
    local longer = {}
    for _, row in ipairs(rows) do
      for i = 2, #axis do
        local more = with(row, axis[i])
        if possible(more) and not axis[i].limits then longer[#longer + 1] = more end -- limits: any has them
      end
    end
    rows = longer
  end
  for i, row in ipairs(rows) do -- with and without ids, in turn: over two rows, statistics change
    rows[i] = with(row, tracking[2 + (i // 2) % 2])
  end
  return rows
end

-- -- the selection -------------------------------------------------------------------------------

-- What a choice counts for: itself, and what it tries besides.
local function counting(choice, axis)
  local list = { choice }
  for i = 2, #axis do
    if choice.counts_for and choice.counts_for[axis[i][1]] then list[#list + 1] = axis[i] end
  end
  return list
end

local function selection()
  local axes = { policy, overload, stealing, stats, tracking, table.unpack(others) }
  local covered = {} -- [choice][choice]
  for _, axis in ipairs(axes) do
    for i = 2, #axis do covered[axis[i]] = {} end
  end

  local function new_pairs(a, axis_a, b, axis_b)
    local n = 0
    for _, x in ipairs(counting(a, axis_a)) do
      for _, y in ipairs(counting(b, axis_b)) do n = n + (covered[x][y] and 0 or 1) end
    end
    return n
  end

  -- The choices of a row, by axis, as a list without holes.
  local function listed(row)
    local list = {}
    for i = 1, #axes do list[#list + 1] = row[i] end
    return list
  end

  -- Fills the open axes of a row, each with the choice that makes most new pairs. Nil if one cannot be.
  local function fill(row)
    for i, axis in ipairs(axes) do
      local best, most = row[i], -1
      for k = 2, row[i] and 1 or #axis do
        if possible(with(listed(row), axis[k])) then
          local n = 0
          for j, other in ipairs(axes) do
            if row[j] then n = n + new_pairs(axis[k], axis, row[j], other) end
          end
          if n > most then best, most = axis[k], n end
        end
      end
      if not best then return nil end
      row[i] = best
    end
    for i, axis in ipairs(axes) do
      for j, other in ipairs(axes) do
        if i ~= j then
          for _, x in ipairs(counting(row[i], axis)) do
            for _, y in ipairs(counting(row[j], other)) do covered[x][y] = true end
          end
        end
      end
    end
    return listed(row)
  end

  local rows = {}
  for i = 1, #axes do
    for j = i + 1, #axes do
      for a = 2, #axes[i] do
        for b = 2, #axes[j] do
          if not covered[axes[i][a]][axes[j][b]] and possible { axes[i][a], axes[j][b] } then
            rows[#rows + 1] = fill { [i] = axes[i][a], [j] = axes[j][b] }
          end
        end
      end
    end
  end
  for k = 2, #overload do -- and each overload policy on its own, each with another policy
    local is_there = false
    for _, row in ipairs(rows) do
      for _, choice in ipairs(row) do is_there = is_there or choice == overload[k] end
    end
    if not is_there then rows[#rows + 1] = fill { policy[2 + k % (#policy - 1)], overload[k] } end
  end
  return rows
end

-- Divides the selection: rows that have a choice which those before have not, and the rest.
local function divide(rows)
  local sample, rest, seen = {}, {}, {}
  for _, row in ipairs(rows) do
    local is_new = false
    for _, choice in ipairs(row) do
      is_new = is_new or not seen[choice]
    end
    local list = is_new and sample or rest
    list[#list + 1] = row
    for _, choice in ipairs(row) do
      seen[choice] = true
    end
  end
  return sample, rest
end

-- -- writing -------------------------------------------------------------------------------------

local function edge(folder, row)
  local names, flags = {}, {}
  for _, choice in ipairs(row) do
    names[#names + 1] = choice[1]
    flags[#flags + 1] = choice[2] ~= "" and choice[2] or nil
  end
  local program = ("$b/tests/%s/%s"):format(folder, table.concat(names, "-"))
  return ("build %s: variant tests/parts/behaviour.c | $b/libtidepool.a\n  variant = %s\n"):format(program, table.concat(flags, " ")), program
end

local function text(head, folder, rows, phony, more)
  local lines, programs, seen = { head }, {}, {}
  for _, row in ipairs(rows) do
    local line, program = edge(folder, row)
    assert(not seen[program], program)
    seen[program] = true
    lines[#lines + 1], programs[#programs + 1] = line, program
  end
  programs[#programs + 1] = more
  lines[#lines + 1] = ("build %s: phony $\n  %s\n"):format(phony, table.concat(programs, " $\n  "))
  return table.concat(lines)
end

local sample, rest = divide(selection())
local made = {
  ["sample.ninja"] = text("# The behaviour suite, for a sample of variants: written by tests/parts/variants.lua, included by parts.ninja.\n\n",
    "parts", sample, "${flavour}-tests-sample"),
  ["variants.ninja"] = text("# The behaviour suite, for the selection of variants without the sample: written by tests/parts/variants.lua.\n"
    .. "b = build/$flavour\ncc = $cc\ncflags = $base_cflags $opt\nldflags = $link\nvariant_opt = $variant_opt\n\n",
    "parts", rest, "${flavour}-tests-selection"),
  ["product.ninja"] = text("# The behaviour suite, for all products of variants, release only: written by tests/parts/variants.lua.\n"
    .. "# Not optimised: it compiles in a fifth of the time. The selection repeats oftener what these repeat.\n"
    .. "b = build/release\ncc = $cc\ncflags = $base_cflags -O0 -g -DTEST_SHARE=4\nldflags =\n\n",
    "product", product(), "release-tests-product"),
}

local n_passed, n_failed = 0, 0
for path, wanted in pairs(made) do
  if arg[1] == "--check" then
    local file <close> = assert(io.open(path))
    local is_same = file:read "a" == wanted
    n_passed, n_failed = n_passed + (is_same and 1 or 0), n_failed + (is_same and 0 or 1)
    if not is_same then print(path .. " is out of date: lua5.4 tests/parts/variants.lua writes it") end
  else
    local file <close> = assert(io.open(path, "w"))
    file:write(wanted)
  end
end
if arg[1] == "--check" then
  print(("%d passed, %d failed"):format(n_passed, n_failed))
  os.exit(n_failed == 0)
end
