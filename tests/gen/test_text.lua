-- gen/text.lua and gen/ctype.lua by themselves.

local ctype = require "ctype"
local lib = require "lib"
local text = require "text"

lib.equal("lines", table.concat(text.lines("a\n\nb"), "|"), "a||b")
lib.equal("lines, ended", table.concat(text.lines("a\n\nb\n"), "|"), "a||b")
lib.equal("lines, empty ones at the end", table.concat(text.lines("a\n\n\n"), "|"), "a||")
lib.equal("any_of", text.any_of { "a", "b", "c" }, "a, b or c")
lib.equal("wrap", table.concat(text.wrap("ab c def gh", 4), "|"), "ab c|def|gh")
lib.equal("wrap a long word", table.concat(text.wrap("a bcdefg h", 4), "|"), "a|bcdefg|h")
lib.equal("distance of a swap", text.distance("stats", "statS"), 1)
lib.equal("distance of neighbours", text.distance("fifo", "ffio"), 1)
lib.equal("distance to nothing", text.distance("", "abc"), 3)
lib.equal("nearest", text.nearest("stealling", { "payload", "stealing" }), "stealing")
lib.equal("nearest of a long word", text.nearest("polciyy", { "run", "policy" }), "policy")
lib.equal("nearest, none", text.nearest("colour", { "payload", "stealing" }), nil)
lib.equal("nearest, first of equals", text.nearest("ab", { "aa", "bb" }), "aa")

-- Published test vectors of FNV-1a.
lib.equal("hash of nothing", text.hash(""), "cbf29ce484222325")
lib.equal("hash of a", text.hash("a"), "af63dc4c8601ec8c")
lib.equal("hash of foobar", text.hash("foobar"), "85944171f73967e8")

local function aligned(s)
  return table.concat(text.align_comments(text.lines(s)), "\n")
end

lib.equal("comments below each other",
  aligned("int a; /* x */\nlong long b;      /* y */\n\nint c;   /* z */"),
  "int a;       /* x */\nlong long b; /* y */\n\nint c; /* z */")
lib.equal("a line without comment ends the group",
  aligned("int a;  /* x */\nint bb;\nint ccc; /* y */"), "int a; /* x */\nint bb;\nint ccc; /* y */")
lib.equal("text in a comment is no code",
  aligned("/* some\n * int a;    /* x */\nint a; /* y */"), "/* some\n * int a;    /* x */\nint a; /* y */")
lib.equal("no comment in a string", aligned('f("/* x */");\ng(); /* y */'), 'f("/* x */");\ng(); /* y */')
lib.equal("a division is no comment", aligned("a = b / c;   /* x */"), "a = b / c; /* x */")

lib.equal("blank lines", table.concat(text.drop_blank_lines(text.lines(
  "\na\n\n\nb {\n\n  c\n\n}\n\nd\n\n\n")), "\n"), "a\n\nb {\n  c\n}\n\nd")

for written, wanted in pairs {
  ["int"] = "int", [" unsigned   long int "] = "unsigned long int", ["long unsigned"] = "long unsigned",
  ["long double"] = "long double", ["struct image*"] = "struct image *", ["struct image * *"] = "struct image **",
  ["const char*"] = "const char *", ["char const *"] = "char const *", ["char *const *"] = "char *const *",
  ["void*"] = "void *", ["uint64_t"] = "uint64_t", ["enum colour"] = "enum colour",
  ["const struct image *"] = "const struct image *", ["volatile int * const * "] = "volatile int *const *",
} do
  local type = ctype.read(written)
  lib.equal("type " .. written, type and type.text, wanted)
end
for _, written in ipairs { "int int", "signed unsigned", "float double", "long float", "long char", "struct int",
  "int struct a", "void void", "a b", "int *x", "**", "const", "struct struct a", "const *", "volatile int" } do
  lib.check("no type " .. written, not ctype.read(written))
end
