-- Which words can be names in generated C, which is also read as C++.

local names = {}

local function set(words)
  local t = {}
  for w in words:gmatch("%S+") do
    t[w] = true
  end
  return t
end

local C = set [[
  auto break case char const continue default do double else enum extern float for goto if inline int long
  register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
  _Alignas _Alignof _Atomic _Bool _Complex _Generic _Imaginary _Noreturn _Static_assert _Thread_local]]

local CXX = set [[
  alignas alignof and and_eq asm bitand bitor bool catch char16_t char32_t char8_t class co_await co_return co_yield
  compl concept const_cast consteval constexpr constinit decltype delete dynamic_cast explicit export false friend
  mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public reinterpret_cast
  requires static_assert static_cast template this thread_local throw true try typeid typename using virtual wchar_t
  xor xor_eq]]

local LONGEST = 40 -- with what is put behind it, a name stays within the 63 letters C promises
local LONGEST_CLASS = 63 - LONGEST - #"_CLASS_"

function names.is_c_keyword(word)
  return C[word] or false
end

-- What is wrong with a word as the name of a function, or nil.
function names.problem(word)
  if C[word] then
    return "is a keyword of C"
  elseif CXX[word] then
    return "is a keyword of C++"
  elseif word:find("^_") then
    return "begins with `_`, which is kept for the compiler and its library"
  elseif word:find("__", 1, true) then
    return "contains `__`, which is kept for C++ compilers"
  elseif word:lower():find("^tp_") or word:lower():find("^tidepool_") then
    return "begins like a name of the tidepool library"
  elseif word == "main" then
    return "is where the program begins"
  end
  return nil
end

-- What is wrong with a word as the name of a pool, that is as the begin of many names, or nil.
function names.pool_problem(word)
  if word:lower() == "tp" or word:lower() == "tidepool" then
    return "is the beginning of the tidepool library's own names"
  elseif word:lower() == "pthread" or word:find("^pthread_") or word:lower() == "sched" then
    return "is the beginning of the system's names for threads" -- such as pthread_self and SCHED_BATCH
  elseif word:find("_$") then
    return "ends with `_`, and another `_` comes behind it"
  elseif #word > LONGEST then
    return ("is longer than %d letters"):format(LONGEST)
  elseif word == "main" then
    return nil
  end
  return names.problem(word)
end

-- The enumerator of a pool's class.
function names.class(pool, class)
  return ("%s_CLASS_%s"):format(pool:upper(), class:upper())
end

-- What is wrong with a word as the name of a class, that is as the end of an enumerator, or nil.
function names.class_problem(word)
  if word:find("^_") or word:find("__", 1, true) then
    return "has a `_` where the name made of it would have `__`, which is kept for C++ compilers"
  elseif #word > LONGEST_CLASS then
    return ("is longer than %d letters"):format(LONGEST_CLASS)
  end
  return nil
end

return names
