-- What is generated must compile without a warning, as C and its header as C++, and the formatter
-- must leave it as it is: one pool for every value of every option that this version has, and faces of
-- several of them.

local lib = require "lib"

local PAYLOADS = { "struct image *", "uintptr_t", "const char *", "unsigned long long", "struct image", "enum colour",
  "const struct image *const *",
  "struct task *", "struct worker", "bool", "struct next *", "wchar_t" } -- names that the code uses, as tags
local WORKERS = { "3", "4096", "cores", "cores * 3 / 2", "cores / 2", "1..4096", "2..cores", "2..cores * 3 / 2" }
local OVERLOADS = { "capacity = 1000000000 overload = reject", "capacity = unlimited", "capacity = 1",
  "overload = block { waiting = 3 }", "overload = block { deadline = 24h }",
  "overload = block { waiting = 1000000 deadline = 1us }", "overload = caller_runs", "overload = drop_oldest",
  "overload = drop_oldest { dropped = drop%d }", "overload = drop_newest", "overload = drop_newest { dropped = drop%d }",
  "overload = spill", "overload = any", "overload = any { dropped = drop%d }" }
local LEVELS = {}
for i = 1, 16 do
  LEVELS[i] = "l" .. i
end
local POLICIES = { "fifo", "lifo", "priority(a, b)", "priority(" .. table.concat(LEVELS, ", ") .. ") { exceed = 0 age = 1 }",
  "fair(a = 1, b = 1000)", "fair(" .. table.concat(LEVELS, " = 3, ") .. " = 3) { slice = 1us }", "adaptive",
  "adaptive(a = 5, b = 2) { age = 1000000 slice = 24h }" }
local STEALING = { "off", "on", "on { queue = 2 batch = one }", "on { queue = 16384 batch = 16384 victims = next newest = 64 }" }
local OTHERS = { -- name, and values; "" for none
  { "stats", "on", "off" }, { "tracking", "off", "on" }, { "ops", "on", "off" }, { "affinity", "off", "on" }, { "min", "", "1" },
  { "expire", "off", "1us", "24h" }, { "timeout", "", "5s" }, { "tune", "off", "on", "auto", "auto { period = 24h }", 'auto { hours = "22:30-06:00" }',
    'auto { hours = "00:00-06:30" }', 'auto { hours = "18:00-00:00" }' },
}

-- The value of `list` for pool n, all in turn; `every`: how many pools have the same.
local function turn(list, n, every)
  return list[(n // (every or 1) + n // 31) % #list + 1]
end

local function stealing_for(n, policy, overload)
  local shared = policy:find("^priority") or policy:find("^fair") or overload:find("drop_oldest") and not policy:find("^adaptive")
  local stealing = turn(STEALING, n)
  return shared and stealing:gsub(" {.*", "") or policy ~= "fifo" and stealing:gsub(" newest = %d+", "") or stealing
end

local function options_for(n)
  local list, fixed = {}, false
  for i, other in ipairs(OTHERS) do
    local value = turn({ table.unpack(other, 2) }, n, i % 3 + 1)
    fixed = value:find("^auto") ~= nil or fixed
    list[#list + 1] = value ~= "" and other[1] .. " = " .. value or nil
  end
  local workers = turn(WORKERS, n, 3)
  list[#list + 1] = "workers = " .. (fixed and not workers:find("..", 1, true) and "2..cores" or workers)
  return table.concat(list, " ")
end

local config, pools, members = { 'include "types.h"\n' }, {}, {}
for n = 1, 4 * #OVERLOADS do
  local policy, overload = POLICIES[(n + n // #OVERLOADS) % #POLICIES + 1], turn(OVERLOADS, n)
  local payload, options = n % #PAYLOADS + 1, options_for(n)
  pools[n] = "p" .. n
  config[n + 1] = ("pool p%d { payload = %q run = run%d %s policy = %s stealing = %s %s }\n"):format(n,
    PAYLOADS[payload], n, overload:format(n), policy, stealing_for(n, policy, overload), options)
  if not options:find "ops = off" then
    members[payload] = (members[payload] and members[payload] .. ", " or "") .. ("p%d * %d"):format(n, n)
  end
end

-- Pools of one payload behind one face, and each face of two equal pools that have a switch or not.
local function face(name, of)
  pools[#pools + 1] = name
  config[#config + 1] = ("multipool %s { pools = %s balance = %s }\n"):format(name, of, turn({ "round_robin", "least_tasks" }, #pools))
end
for i, of in pairs(members) do
  face("f" .. i, of)
end
for n = 0, 31 do
  local function has(bit, yes, no) return n & 1 << bit ~= 0 and yes or no end
  pools[#pools + 1] = "s" .. n
  config[#config + 1] = ("pool s%d { payload = %q run = runs%d %s %s %s %s %s }\n"):format(n, PAYLOADS[n % #PAYLOADS + 1], n,
    has(0, "stats = on", ""), has(1, "tracking = on", ""), has(2, "tune = on", ""), has(3, "policy = fair(a = 1, b = 2)", ""),
    has(4, "overload = reject", ""))
  face("g" .. n, ("s%d * 2"):format(n))
end

local dir = lib.dir()
lib.write(dir .. "/types.h", "#ifndef TYPES_H\n#define TYPES_H\nstruct image {\n    long size[3];\n};\nenum colour { RED, GREEN };\n"
  .. "struct task;\nstruct next;\nstruct worker {\n    int index;\n};\n#endif\n")
lib.write(dir .. "/c.pool", table.concat(config))
local status, _, err = lib.run("gen c.pool -o made", dir)
lib.check("gen", status == 0, err)

local FLAGS = ("-I%s/runtime -I. -Wall -Wextra -Wpedantic -Werror -fsyntax-only"):format(lib.quote(lib.root))
local C = "-std=c11 -Wconversion -Wshadow -Wmissing-prototypes " .. FLAGS
status, _, err = lib.sh(("ls made/*.c | xargs -n 6 -P 2 clang %s"):format(C), dir)
lib.check("compile with clang, each alone", status == 0, err)
status, _, err = lib.sh(([[ls made/*.c | sed 's/.*/#include "&"/' >all.c && gcc %s all.c]]):format(C), dir)
lib.check("compile with gcc, all together", status == 0, err)
for _, cxx in ipairs { "g++", "clang++" } do
  local includes = {}
  for i, name in ipairs(pools) do
    includes[i] = ('#include "made/%s_pool.h"\n'):format(name)
  end
  lib.write(dir .. "/all.cc", table.concat(includes))
  status, _, err = lib.sh(("%s -x c++ -std=c++17 %s all.cc"):format(cxx, FLAGS), dir)
  lib.check("all headers in " .. cxx, status == 0, err)
end
for _, name in ipairs { "p1", "p2", "g31" } do
  lib.write(dir .. "/alone.c", ('#include "made/%s_pool.h"\nint %s_(void);\nint %s_(void) { return 0; }\n'):format(name, name, name))
  status, _, err = lib.sh(("gcc %s alone.c"):format(C), dir)
  lib.check("a header stands alone", status == 0, err)
end

-- A host in C++: opens a pool, has it run tasks, and reads what came of them.
lib.write(dir .. "/sum.pool", "pool sum { payload = \"int\" run = add stats = on }\n")
lib.write(dir .. "/host.cc", [[
#include <atomic>
#include <cstdio>
#include "made/sum_pool.h"
static std::atomic<int> total;
int add(int n) { total += n; return n < 0 ? n : 0; }
int main()
{
    sum_pool *pool = nullptr;
    if (sum_pool_open(&pool, nullptr) != 0)
        return 1;
    for (int n = -1; n <= 100; n++)
        if (sum_submit(pool, n) != 0)
            return 2;
    sum_join_all(pool, TP_FOREVER);
    tp_pool_stats stats;
    sum_pool_stats(pool, &stats);
    sum_pool_free(pool);
    std::printf("%d %d %d\n", total.load(), int(stats.completed), int(stats.failed));
}
]])
local build = "gcc -std=c11 -O2 -I%s/runtime -c made/sum_pool.c -o sum_pool.o && "
  .. "g++ -std=c++17 -Wall -Wextra -Wshadow -Werror -I%s/runtime host.cc sum_pool.o %s/build/release/libtidepool.a -pthread -o host && ./host"
local said
status, _, err = lib.run("gen sum.pool -o made --quiet", dir)
lib.check("gen for C++", status == 0, err)
local root = lib.quote(lib.root)
status, said, err = lib.sh(build:format(root, root, root), dir)
lib.check("a host in C++ is built and runs", status == 0, err)
lib.equal("a host in C++", said, "5049 102 1\n")

-- What is made of the cases, with headers that declare the payloads and nothing else.
local OK = "tests/gen/cases/ok"
local cases, stubs, all = lib.dir(), lib.dir(), {}
for file in lib.names(OK):gmatch("[^\n]+%.pool") do
  local source = lib.read(OK .. "/" .. file)
  local tag = source:match('payload *= "struct ([%w_]+)') or "none"
  for name in source:gmatch('include "([^"]+)"') do
    os.execute(("mkdir -p %s/$(dirname %s)"):format(lib.quote(stubs), lib.quote(name)))
    lib.write(stubs .. "/" .. name, ("#ifndef TAG_%s\n#define TAG_%s\nstruct %s {\n    int x;\n};\n#endif\n"):format(tag, tag, tag))
  end
  local dir_of = cases .. "/" .. file:gsub("%.pool$", "")
  lib.run(("gen %s -o %s"):format(file, lib.quote(dir_of)), OK)
  for header in lib.names(dir_of):gmatch("[^\n]+%.h") do
    all[#all + 1] = ('#include "%s/%s"\n'):format(dir_of, header)
  end
end
lib.write(stubs .. "/all.cc", table.concat(all))
local stub = " -I" .. lib.quote(stubs)
for _, cc in ipairs { "gcc", "clang" } do
  status, _, err = lib.sh(("ls %s/*/*.c | xargs -n 6 -P 2 %s %s"):format(lib.quote(cases), cc, C .. stub))
  lib.check("cases with " .. cc, status == 0, err)
end
status, _, err = lib.sh(("g++ -x c++ -std=c++17 %s all.cc"):format(FLAGS), stubs)
lib.check("headers of cases in g++", status == 0, err)

local style = lib.quote("file:" .. lib.root .. "/.clang-format")
status, _, err = lib.sh(("clang-format --style=%s --dry-run -Werror made/*"):format(style), dir)
lib.check("formatted", status == 0, err)
status, _, err = lib.sh(("clang-format --style=%s --dry-run -Werror %s/*/*.[ch]"):format(style, lib.quote(cases)))
lib.check("cases are formatted", status == 0, err)

local leftovers = {}
for name in lib.names(dir .. "/made"):gmatch("[^\n]+") do
  local made = lib.read(dir .. "/made/" .. name)
  for line in made:gmatch("[^\n]+") do
    if line:find("WITH_%u") or line:find("VALUE_%u") or line:find("%f[%w_]job_") or line:find("%f[%w_]JOB_")
      or line:find("%s$") or line:find("\t") then
      leftovers[#leftovers + 1] = name .. ": " .. line
    end
  end
end
lib.equal("nothing of the template's own is left", table.concat(leftovers, "\n"), "")
