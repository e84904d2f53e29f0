-- What travels between states, and how: values, tables, functions, and the exact words of refusals.
-- docs/lua.md, "What can be sent".

package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local h = require "harness"
local tide = require "tidepool"
local test, equal = h.test, h.equal

local pool = tide.pool { workers = 1 }

local function echo(...) return ... end

-- There and back again; raises what goes wrong.
local function journey(...) return pool:spawn(echo, ...):await() end

test("simple values", function()
  for _, value in ipairs { true, false, 0, -1, 1, math.maxinteger, math.mininteger, 0.5, -0.0, 1e308, math.huge,
    -math.huge, "", "x", "a\0b", ("x"):rep(255), ("y"):rep(256), ("z"):rep(1000000) } do
    equal(journey(value), value)
  end
  equal(1 / journey(-0.0), -math.huge)
  equal(journey(0 / 0), 0 / 0)
end)

test("no values, holes, many values", function()
  h.values(table.pack(journey()))
  h.values(table.pack(journey(nil)), nil)
  h.values(table.pack(journey(nil, 1, nil, nil)), nil, 1, nil, nil)
  local list = {}
  for i = 1, 10000 do list[i] = i end
  local back = table.pack(journey(table.unpack(list)))
  equal(back.n, 10000)
  equal(back[10000], 10000)
end)

test("a huge string", function()
  local text = ("0123456789abcdef"):rep(4 * 1024 * 1024)
  equal(journey(text) == text, true)
end)

test("tables: lists, fields, holes, keys of every kind", function()
  local t = journey { 1, "two", nil, 4, x = 1, ["a\0b"] = 2, [1.5] = 3, [true] = 4, [-1] = 5, [2 ^ 53] = 6, [100] = 7,
    { deep = { deeper = {} } } }
  equal(t[1], 1)
  equal(t[2], "two")
  equal(t[3], nil)
  equal(t[4], 4)
  equal(t.x + t["a\0b"] + t[1.5] + t[true] + t[-1] + t[2 ^ 53] + t[100], 28)
  equal(type(t[5].deep.deeper), "table")
  equal(next(journey {}), nil)
  local key = {}
  local k, v = next(journey { [key] = "by table" })
  equal(type(k), "table")
  equal(v, "by table")
end)

test("shared and cyclic references stay what they are", function()
  local shared = { n = 1 }
  local t = { a = shared, b = shared, list = { shared, shared } }
  t.self = t
  t[t] = t
  local u, s = journey(t, shared)
  equal(u.self, u)
  equal(u[u], u)
  equal(u.a, u.b)
  equal(u.list[1], u.list[2])
  equal(u.list[1], u.a)
  equal(s, u.a)
  equal(u.a.n, 1)
  assert(u ~= t)
end)

test("any number of objects, shared in every way", function()
  for n = 1, 20 do
    local list = {}
    for i = 1, n do list[i] = { n = i } end
    for i = 1, n do list[i].next = list[i % n + 1]; list[i].list = list end
    local back, first = journey(list, list[1])
    equal(#back, n)
    equal(back[1], first)
    for i = 1, n do
      equal(back[i].n, i)
      equal(back[i].next, back[i % n + 1])
      equal(back[i].list, back)
    end
    local sum, calls = 0, {}
    for i = 1, n do calls[i] = function() sum = sum + list[i].n return sum end end
    equal(pool:spawn(function() for i = 1, n do calls[i]() end return sum end):await(), n * (n + 1) // 2)
    list[n].bad = print
    h.raises_text(("spawn: cannot send argument #%d[%d].bad (a C function)"):format(n, n), pool.spawn, pool, echo,
      table.unpack({ [n] = list }, 1, n))
  end
end)

test("100 000 tables deep, as list, field and key", function()
  for _, key in ipairs { 1, "next" } do
    local top = {}
    local t = top
    for _ = 1, 100000 do t[key] = {} t = t[key] end
    t.bottom = true
    t = journey(top)
    for _ = 1, 100000 do t = t[key] end
    equal(t.bottom, true)
  end
  local top = {}
  for _ = 1, 1000 do top = { [top] = 1 } end
  local depth = 0
  local t = journey(top)
  while next(t) do t = next(t) depth = depth + 1 end
  equal(depth, 1000)
end)

test("a large table", function()
  local t = {}
  for i = 1, 200000 do t[i] = i; t["k" .. i] = i end
  local u = journey(t)
  local n = 0
  for k, v in pairs(u) do
    n = n + 1
    assert(v == (type(k) == "number" and k or tonumber(k:sub(2))))
  end
  equal(n, 400000)
end)

test("upvalues are copied as they are at spawn", function()
  local n, t, text, none = 1, { v = 1 }, "a\0b", nil
  local function f() n = n + 1; t.v = t.v + n; return n, t.v, text, none end
  h.values(table.pack(pool:spawn(f):await()), 2, 3, "a\0b", nil)
  h.values(table.pack(pool:spawn(f):await()), 2, 3, "a\0b", nil)
  n = 10
  h.values(table.pack(pool:spawn(f):await()), 11, 12, "a\0b", nil)
  equal(t.v, 1)
end)

test("an upvalue that is an argument too stays one table", function()
  local t = {}
  equal(pool:spawn(function(x) return x == t end, t):await(), true)
end)

test("recursive and mutually recursive functions", function()
  local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
  equal(pool:spawn(fib, 15):await(), 610)
  local even, odd
  function even(n) if n == 0 then return true end return odd(n - 1) end
  function odd(n) if n == 0 then return false end return even(n - 1) end
  equal(pool:spawn(even, 101):await(), false)
end)

test("closures that share a variable still share it", function()
  local count = 0
  local function up() count = count + 1 end
  local function get() return count end
  equal(pool:spawn(function() up() up() return get() end):await(), 2)
  equal(pool:spawn(function(a, b) a() a() a() return b() end, up, get):await(), 3)
  equal(count, 0)
  local list = { up = up, get = get }
  local back = journey(list)
  back.up()
  equal(back.get(), 1)
end)

test("functions as arguments and results", function()
  equal(journey(function(a, b) return a + b end)(1, 2), 3)
  equal(pool:spawn(function(f, ...) return f(...) end, function(x) return x * 2 end, 21):await(), 42)
  equal(pool:spawn(function(f, g) return f == g end, echo, echo):await(), true)
  local me
  me = function(f) return f == me end
  equal(pool:spawn(me, me):await(), true)
  equal(pool:spawn(function(f) return debug.getinfo(f, "S").short_src end, echo):await():match "[^/]*$",
    "test_value.lua")
end)

test("globals are the worker's own", function()
  local env = _ENV
  equal(pool:spawn(function() return math.floor(2.5), #table.pack(1, 2) end):await(), 2)
  pool:spawn(function() leaked = 5 end):await()
  equal(rawget(_G, "leaked"), nil)
  equal(pool:spawn(function() return leaked end):await(), 5)
  equal(pool:spawn(function() return env == _G and env == _ENV end):await(), true)
  equal(pool:spawn(function(g) return g == _G end, _G):await(), true)
  equal(journey(_G), _G)
end)

test("what a call does to its environment does not reach the next", function()
  local function hide() _ENV = {} end
  local function see() return math ~= nil end
  for _ = 1, 3 do
    pool:spawn(hide):await()
    equal(pool:spawn(see):await(), true)
    equal(pool:spawn(function() hidden = 1 end):await(), nil)
  end
end)

test("functions with the same code but other upvalues", function()
  local list = {}
  for i = 1, 200 do list[i] = pool:spawn(function(x) return i + x end, 1000) end
  for i = 1, 200 do equal(list[i]:await(), 1000 + i) end
end)

test("many different functions: the worker's cache begins anew", function()
  for round = 1, 2 do
    for i = 1, 1200 do equal(pool:spawn(load("return " .. i)):await(), i) end
  end
  collectgarbage()
  equal(pool:spawn(load "return 7"):await(), 7)
end)

test("a collected closure's place taken by another function", function()
  for i = 1, 300 do
    local f = load("local x = ... return x + " .. i)
    equal(pool:spawn(f, 1):await(), 1 + i)
    f = nil
    if i % 10 == 0 then collectgarbage() end
  end
end)

test("what cannot be sent is named", function()
  local file = io.stdout
  local cfg = { name = "x", handlers = { 1, 2, file }, nested = { deep = { deeper = { [1.5] = print } } } }
  local thread = coroutine.create(print)
  local function refused(expected, ...)
    h.raises_text("spawn: cannot send " .. expected, pool.spawn, pool, ...)
  end
  refused("upvalue 'cfg'.handlers[3] (a userdata)", function() return cfg end)
  refused("upvalue 'file' (a userdata)", function() return file end)
  refused("upvalue 'thread' (a coroutine)", function() return thread end)
  refused("argument #1 (a C function)", echo, print)
  refused("argument #2.handlers[3] (a userdata)", echo, 1, cfg)
  cfg.handlers = nil
  refused("argument #1.nested.deep.deeper[1.5] (a C function)", echo, cfg)
  refused("argument #1[\"two words\"] (a C function)", echo, { ["two words"] = print })
  refused("argument #1[\"\"] (a C function)", echo, { [""] = print })
  refused("argument #1[true] (a C function)", echo, { [true] = print })
  refused("argument #1[-3] (a C function)", echo, { [-3] = print })
  refused("argument #1[a table] (a C function)", echo, { [{}] = print })
  refused("argument #1[\"...\"] (a C function)", echo, { [("long"):rep(50)] = print })
  refused("a key of argument #1 (a C function)", echo, { [print] = 1 })
  refused("a key of argument #1.x (a userdata)", echo, { x = { [file] = 1 } })
  refused("argument #1.m (a table with a metatable)", echo, { m = setmetatable({}, {}) })
  refused("argument #1 (a table with a metatable)", echo, setmetatable({}, { __metatable = false }))
  refused("argument #1 (a userdata)", echo, pool)
  local function helper() return file end
  refused("upvalue 'helper', upvalue 'file' (a userdata)", function() return helper end)
  refused("argument #1.f, upvalue 'file' (a userdata)", echo, { f = helper })
  local floor = math.floor
  refused("upvalue 'floor' (a C function)", function() return floor end)
end)

test("a long way to what cannot be sent is cut", function()
  local top = {}
  local t = top
  for i = 1, 50 do t["k" .. i] = {} t = t["k" .. i] end
  t.bad = print
  h.raises_text("spawn: cannot send argument #1 ... .k43.k44.k45.k46.k47.k48.k49.k50.bad (a C function)",
    pool.spawn, pool, echo, top)
end)

test("results that cannot be sent", function()
  h.values(table.pack(pool:spawn(function() return 1, { x = print } end):join()),
    false, "cannot send result #2.x (a C function)")
  h.values(table.pack(pool:spawn(function() return coroutine.create(print) end):join()),
    false, "cannot send result #1 (a coroutine)")
end)

test("a refused call leaves nothing behind", function()
  local before = pool:stats().submitted
  for _ = 1, 100 do pcall(pool.spawn, pool, echo, { { { print } } }) end
  equal(pool:stats().submitted, before)
  equal(journey(1), 1)
end)

test("a finalizer that changes the table being sent", function()
  local t = {}
  for i = 1, 2000 do t[i] = { i } end
  for i = 1, 200 do
    setmetatable({}, { __gc = function() t[i] = nil t["new" .. i] = i end })
  end
  collectgarbage "step"
  for _ = 1, 20 do equal(type(journey(t)), "table") end
end)

test("error objects travel when they can", function()
  local function fails(f) local ok, err = pool:spawn(f):join() equal(ok, false) return err end
  equal(fails(function() error { code = 3, list = { 1, 2 } } end).list[2], 2)
  equal(fails(function() error() end), nil)
  equal(fails(function() error(42, 0) end), 42)
  equal(fails(function() error(false) end), false)
  equal(fails(function() error(setmetatable({}, { __tostring = function() return "as text" end })) end), "as text")
  h.contains(fails(function() error(io.stdout) end), "file (0x")
  h.contains(fails(function() error(setmetatable({}, { __tostring = error })) end), "could not pass the error on")
end)

test("globals with a metatable", function()
  local k = 2
  setmetatable(_G, { __index = function(_, name) error("undefined variable " .. name, 2) end })
  local ok, handle = pcall(pool.spawn, pool, function(x) return math.floor(x) * k end, 3.5)
  setmetatable(_G, nil)
  equal(ok, true)
  h.values(table.pack(handle:join()), true, 6)
end)

test("few entries far apart", function()
  local fields = {}
  for i = 0, 30 do fields[#fields + 1] = ("[%d] = 'f%d'"):format(1 << i, i) end
  local flags = load("return {" .. table.concat(fields, ",") .. "}")()
  local ok, copy = pool:spawn(function(t)
    local n = 0
    for _ in pairs(t) do n = n + 1 end
    assert(n == 31)
    return t
  end, flags):join()
  equal(ok, true)
  for key, value in pairs(flags) do equal(copy[key], value) end
end)

test("holes among the items", function()
  local ok, copy = pool:spawn(function(...) return ... end, { 1, nil, 3, nil, 5, x = "x" }):join()
  equal(ok, true)
  equal(copy[1], 1)
  equal(copy[2], nil)
  equal(copy[3], 3)
  equal(copy[5], 5)
  equal(copy.x, "x")
end)

pool:close()
h.finish()
