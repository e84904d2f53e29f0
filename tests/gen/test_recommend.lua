-- What is recommended for which requirements, word by word; and that each of these configs is one.

local lib = require "lib"

local CASES = { -- file in tests/gen/cases/recommend, and what is required
  { "plain", "--cores 2" },
  { "compute", "--task 50us --rate 20000 --cores 2" },
  { "wait", "--task 20ms --rate 300 --blocking 80 --cores 4" },
  { "crowd", "--task 5ms --rate 10000 --blocking 95 --cores 4 --latency 20ms" },
  { "burst", "--task 200us --rate 100 --burst 5000 --cores 8" },
  { "mixed", "--task 2ms --rate 3000 --blocking 40 --cores 2 --memory 16KiB --burst 100" },
  { "tiny", "--task 500ns --rate 9000000 --cores 1 --burst 100000 --latency 1ms" },
  { "stacks", "--task 1s --rate 100 --blocking 99 --cores 2 --memory 1MiB" },
}

for _, case in ipairs(CASES) do
  local name, words = case[1], case[2]
  local status, out, err = lib.run("recommend " .. words)
  lib.check("recommend " .. words, status == 0 and err == "", err)
  lib.golden("recommend " .. words, out, "tests/gen/cases/recommend/" .. name .. ".txt")
  local dir = lib.dir()
  lib.write(dir .. "/r.pool", out)
  status, out, err = lib.run("check r.pool", dir)
  lib.check("check what is recommended for " .. words, status == 0, out .. err)
end

-- Whatever is required, the config has no mistakes.
local bad, n = {}, 0
local dir = lib.dir()
for _, task in ipairs { "1ns", "3us", "700ms", "1min", "86400s" } do
  for _, rate in ipairs { 1, 5000, 1000000000 } do
    for _, blocking in ipairs { 0, 30, 99 } do
      n = n + 1
      local words = ("--task %s --rate %d --blocking %d --cores %d --latency %s --memory %s --burst %d"):format(task, rate, blocking,
        ({ 1, 3, 4096 })[n % 3 + 1], ({ "any", "1ns", "1min" })[n // 2 % 3 + 1], ({ "any", "1B", "900GiB" })[n // 3 % 3 + 1], ({ 1, 1000000000 })[n % 2 + 1])
      local status, _, err = lib.sh(("%s --home %s recommend %s >r.pool && %s --home %s check r.pool"):format(lib.quote(lib.tool), lib.quote(lib.root),
        words, lib.quote(lib.tool), lib.quote(lib.root)), dir)
      bad[#bad + 1] = status ~= 0 and words .. "\n" .. err or nil
    end
  end
end
lib.check(n .. " requirements", #bad == 0, bad[1])

-- The processors of this machine, whatever is wanted of other libraries.
local _, plain = lib.run "recommend --task 1ms"
local _, wished = lib.sh(("OMP_NUM_THREADS=77 %s --home %s recommend --task 1ms"):format(lib.quote(lib.tool), lib.quote(lib.root)))
lib.equal("OMP_NUM_THREADS", wished, plain)

for _, wrong in ipairs {
  { "--task 5", "`--task` takes a duration such as 50us, a day at most, not `5`" },
  { "--task 1441min", "`--task` takes a duration such as 50us, a day at most, not `1441min`" },
  { "--latency 999999999999min", "`--latency` takes a duration such as 5ms, a day at most, or any, not `999999999999min`" },
  { "--memory 999999999999GiB", "`--memory` takes a size such as 64MiB, or any, not `999999999999GiB`" },
  { "--rate 0", "`--rate` takes a number from 1 to 1000000000, not `0`" },
  { "--blocking 100", "`--blocking` takes a number from 0 to 99, not `100`" },
  { "--memory 5us", "`--memory` takes a size such as 64MiB, or any, not `5us`" },
  { "--cores 4097", "`--cores` takes a number from 1 to 4096, not `4097`" },
  { "--rates 1", "unknown option `--rates`, did you mean `--rate`?" },
  { "--rate 1 fast", "`recommend` takes no `fast`" },
  { "</dev/null", "nothing is required, and there is no terminal to ask on" },
} do
  local status, out, err = lib.run("recommend " .. wrong[1])
  lib.equal("recommend " .. wrong[1], ("%d %s%s"):format(status, out, err), ("2 tidepool: %s; try: tidepool recommend --help\n"):format(wrong[2]))
end
