-- The two memory orders that do not speak for themselves must be explained where they are used:
-- relaxed (why is it enough?) and sequentially consistent (between which two variables?).

local ABOVE = 6 -- lines in which the explanation may stand
local REASONS = { "relaxed", "sequential", "order", "fence", "hint", "before", "losing", "%[%u+%-%d+%]" }

local function is_ours(path)
  return path:match "%.[ch]$" and path ~= "runtime/base/atomic.h"
    and (path:match "^runtime/" or path:match "^coro/" or path:match "^lua/" or path:match "^gen/parts/")
end

-- For each line, the part of it that is comment.
local function comments_of(lines)
  local comments, inside = {}, false
  for i, rest in ipairs(lines) do
    comments[i] = ""
    while rest do
      if not inside then rest = rest:match "/%*(.*)" end
      if not rest then break end
      local text, after = rest:match "^(.-)%*/(.*)"
      comments[i] = comments[i] .. (text or rest)
      inside, rest = not text, after
    end
  end
  return comments
end

local function explained(comments, n)
  local text = table.concat(comments, " ", math.max(1, n - ABOVE), n)
  for _, reason in ipairs(REASONS) do
    if text:lower():find(reason) or text:find(reason) then return true end
  end
  return false
end

local function check(files, complain)
  for path, text in pairs(files) do
    if is_ours(path) then
      local lines = {}
      for line in (text .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
      local comments = comments_of(lines)
      for n, line in ipairs(lines) do
        local code = line:gsub("/%*.*", ""):gsub("^%s%*.*", ""):gsub("tp_assert.*", "")
        local use = code:match "%f[%w_]tp_%l+_rlx%(" or code:match "%f[%w_]tp_[%l_]+_sc%("
        if use and not explained(comments, n) then
          complain(path, n, ("`%s)`: say in a comment near why this order"):format(use))
        end
      end
    end
  end
end

return {
  about = "each relaxed and each seq_cst operation says why, at most six lines above",
  check = check,
  right = {
    ["runtime/a.c"] = "    /* Relaxed: only a hint. */\n    x = tp_load_rlx(&a);\n",
    ["runtime/b.c"] = "    tp_fence_sc(); /* [PARK-1] pairs with the other */\n",
    ["gen/parts/c.c"] = "    /* Sequentially consistent: one\n     * order of a and b. */\n    tp_store_sc(&a, 1);\n",
  },
  wrong = {
    { ["runtime/a.c"] = "    x = tp_load_rlx(&a);\n" },
    { ["runtime/a.c"] = "    /* Take it. */\n    x = tp_load_rlx(&a);\n" },
    { ["coro/a.c"] = "/* relaxed */\n\n\n\n\n\n\n\n    x = tp_load_rlx(&a);\n" },
    { ["gen/parts/a.c"] = "    order();\n    tp_fence_sc();\n" },
    { ["lua/a.c"] = "/* in order */ int f(void);" .. ("\n"):rep(7) .. "int h = tp_add_sc(&x, 1);\n" },
  },
}
