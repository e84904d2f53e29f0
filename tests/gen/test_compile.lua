-- What is generated must compile without a warning, as C and its header as C++, and the formatter
-- must leave it as it is: one pool for every value of every option that this version has.

local lib = require "lib"

local PAYLOADS = { "struct image *", "uintptr_t", "const char *", "unsigned long long", "struct image", "enum colour",
  "const struct image *const *",
  "struct task *", "struct worker", "bool", "struct next *", "wchar_t" } -- names that the code uses, as tags
local WORKERS = { "3", "4096", "cores", "cores * 3 / 2", "cores / 2" }
local CAPACITIES = { "capacity = 1000000000 overload = reject", "capacity = unlimited", "capacity = 1",
  "overload = block { waiting = 3 }", "overload = block { deadline = 24h }",
  "overload = block { waiting = 1000000 deadline = 1us }" }
local POLICIES = { "fifo", "lifo" }
local STEALING = { "off", "on { queue = 2 batch = one }", "on { queue = 16384 }" }
local STATS = { "on", "off" }

local config, pools = { 'include "types.h"\n' }, {}
for _, capacity in ipairs(CAPACITIES) do
  for _, policy in ipairs(POLICIES) do
    for _, stealing in ipairs(STEALING) do
      local n = #pools + 1
      pools[n] = "p" .. n
      config[#config + 1] = ("pool p%d { payload = %q run = run%d workers = %s %s policy = %s stealing = %s stats = %s }\n")
        :format(n, PAYLOADS[n % #PAYLOADS + 1], n, WORKERS[n % #WORKERS + 1], capacity, policy, stealing,
          STATS[(n + n // 6) % #STATS + 1])
    end
  end
end

local dir = lib.dir()
lib.write(dir .. "/types.h", "#ifndef TYPES_H\n#define TYPES_H\nstruct image {\n    long size[3];\n};\nenum colour { RED, GREEN };\n"
  .. "struct task;\nstruct next;\nstruct worker {\n    int index;\n};\n#endif\n")
lib.write(dir .. "/c.pool", table.concat(config))
local status, _, err = lib.run("gen c.pool -o made", dir)
lib.check("gen", status == 0, err)

local FLAGS = ("-I%s/runtime -I. -Wall -Wextra -Wpedantic -Werror -fsyntax-only"):format(lib.quote(lib.root))
local C = "-std=c11 -Wconversion -Wshadow " .. FLAGS
for _, cc in ipairs { "gcc", "clang" } do
  status, _, err = lib.sh(("ls made/*.c | xargs -n 6 -P 2 %s %s"):format(cc, C), dir)
  lib.check("compile with " .. cc, status == 0, err)
end
for _, cxx in ipairs { "g++", "clang++" } do
  local includes = {}
  for i, name in ipairs(pools) do
    includes[i] = ('#include "made/%s_pool.h"\n'):format(name)
  end
  lib.write(dir .. "/all.cc", table.concat(includes))
  status, _, err = lib.sh(("%s -x c++ -std=c++17 %s all.cc"):format(cxx, FLAGS), dir)
  lib.check("all headers in " .. cxx, status == 0, err)
end
for _, name in ipairs { "p1", "p2" } do
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
    sum_stats stats;
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

local style = lib.quote("file:" .. lib.root .. "/.clang-format")
status, _, err = lib.sh(("clang-format --style=%s --dry-run -Werror made/*"):format(style), dir)
lib.check("formatted", status == 0, err)
status, _, err = lib.sh("clang-format --dry-run -Werror tests/gen/cases/ok/*/*.[ch]")
lib.check("goldens are formatted", status == 0, err)

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
