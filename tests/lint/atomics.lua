-- All atomics go through one file, so that the model build can take each of them over.

local HOME = { ["runtime/base/atomic.h"] = true }
local SIGNS = {
  "<stdatomic%.h>", "%f[%w_]atomic_%l", "%f[%w_]_Atomic%f[^%w_]", "%f[%w_]memory_order_",
  "%f[%w_]__atomic_", "%f[%w_]__sync_", "%f[%w_]volatile%f[^%w_]",
}

local function is_ours(path)
  if HOME[path] or path:match "^tests/model/" then return false end -- the explorer takes them over
  -- Hosts and peers (examples/, bench/) have their own ways.
  return path:match "%.[ch]$" and not path:match "^examples/" and not path:match "^bench/"
end

local function check(files, complain)
  for path, text in pairs(files) do
    if is_ours(path) then
      local n = 0
      for line in text:gmatch "([^\n]*)\n?" do
        n = n + 1
        for _, sign in ipairs(SIGNS) do
          local word = line:gsub("__asm__ volatile", ""):match(sign)
          if word then complain(path, n, ("`%s`: atomics are used through runtime/base/atomic.h"):format(word)) end
        end
      end
    end
  end
end

return {
  about = "only runtime/base/atomic.h knows the compiler's atomics",
  check = check,
  right = {
    ["runtime/base/atomic.h"] = "#include <stdatomic.h>\n",
    ["runtime/a.c"] = "tp_atomic_init(&a, 0);\ntp_atomic(int) a;\n",
  },
  wrong = {
    { ["runtime/a.c"] = "#include <stdatomic.h>\n" },
    { ["runtime/a.c"] = "    atomic_store(&x, 1);\n" },
    { ["coro/a.c"] = "static _Atomic(int) x;\n" },
    { ["lua/a.c"] = "    __atomic_load_n(&x, __ATOMIC_ACQUIRE);\n" },
    { ["gen/parts/a.c"] = "    __sync_synchronize();\n" },
    { ["runtime/a.h"] = "    volatile int stop;\n" },
  },
}
