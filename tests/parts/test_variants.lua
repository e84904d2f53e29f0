-- Are sample.ninja, variants.ninja and product.ninja what tests/parts/variants.lua writes?
-- Run from the project's root.
arg = { "--check" }
dofile "tests/parts/variants.lua"
