#!/usr/bin/env bash
# The entry script where it cannot be tried out for real: on machines without packages, with a
# broken package manager, in a busy checkout. A copy of the script runs with a PATH that has only
# what a bare system has, and with stand-ins for apt-get and ninja that write down their arguments.
set -u
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
copy="$scratch/a checkout"
mkdir -p "$copy" "$scratch/bin" "$scratch/tools"
cp -r --parents tidepool tools runtime/tidepool.h "$copy"
mkdir -p "$copy/build/tool"
# shellcheck disable=SC2016 # a script's text
printf '#!/usr/bin/env bash\necho "tool: $* in $PWD"\n' >"$copy/build/tool/tidepool"
chmod +x "$copy/build/tool/tidepool"
for command in bash cat chmod dirname env flock grep ln mkdir readlink sed tail tr; do
    ln -s "$(type -P $command)" "$scratch/bin/$command"
done

passed=0 failed=0

expect() { # NAME STATUS WORDS...: of the last call
    local name=$1 status=$2 words ok=1
    shift 2
    if [[ $got != "$status" ]]; then ok=0; fi
    for words in "$@"; do
        if [[ $output != *"$words"* ]]; then ok=0; fi
    done
    if [[ $ok == 1 ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s: status %d, expected %d and: %s\nprinted:\n%s\n' "$name" "$got" "$status" "$*" "$output"
    fi
}

call() { # ARGUMENT...: of the script, on the bare system
    output=$(PATH=$scratch/bin "$copy/tidepool" "$@" 2>&1)
    got=$?
}

stand_in() { # COMMAND: its text comes from the input
    { echo '#!/usr/bin/env bash' && cat; } >"$scratch/bin/$1"
    chmod +x "$scratch/bin/$1"
}

# -- usage --------------------------------------------------------------------------------------

call
expect "no command" 2 "usage: ./tidepool"
call --help
expect "help" 0 "usage: ./tidepool" "gen FILE.pool -o DIR"
call --version
expect "version" 0 "tidepool $(sed -n 's/^#define TIDEPOOL_VERSION_MAJOR //p' runtime/tidepool.h)."
for wrong in tset tesk tst tests; do
    call $wrong
    expect "near miss $wrong" 2 "unknown command '$wrong' (did you mean test?)"
done
call xyzzy
expect "no near miss" 2 "unknown command 'xyzzy'; see ./tidepool --help"
call test --flavour tsam
expect "unknown flavour" 2 "unknown flavour 'tsam' (did you mean tsan?)"

call soak --help
expect "help of soak" 0 "usage: ./tidepool soak "
if [[ $output == *COMMAND* ]]; then got=1; fi
expect "nothing else" 0
call run --help
expect "no help of its own" 0 "usage: ./tidepool COMMAND"
call soak --wether 60
expect "soak: no such option" 2 "soak: unknown option '--wether'; see ./tidepool soak --help"
call soak --weather 1m
expect "soak: no time" 2 "soak: '1m' is not a number of seconds; see ./tidepool soak --help"
call soak --tasks 0
expect "soak: no tasks" 2 "soak: '0' is not a number of tasks"
call soak ''
expect "soak: nothing" 2 "soak: '' is not a number of seconds"
call soak 60 --weather
expect "soak: too much" 2 "soak: '--weather' is one argument too many"

# -- set-up -------------------------------------------------------------------------------------

call libs
expect "no apt-get" 1 "  gcc " "  ninja-build " "  re2c " "  lua5.4 " "package manager"

stand_in apt-get <<END
echo "\$*" >>"$scratch/calls"
if [[ \$1 == update ]]; then exit 0; fi
echo "E: Unable to locate package re2c"
exit 100
END
if [[ $EUID == 0 ]]; then
    call libs
    expect "apt-get fails" 1 "E: Unable to locate package re2c" "installing failed"
    output=$(cut -d ' ' -f 1 "$scratch/calls" | tr '\n' ' ') got=0
    expect "the lists are fetched once" 0 "install update install"

    stand_in apt-get <<<'echo "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held."; exit 100'
    call libs
    expect "apt-get is busy" 1 "waiting for it" "still running; try again later"

    stand_in apt-get <<<'exit 0'
    call libs
    expect "apt-get installs something else" 1 "is installed, but its"

    # As apt-get does it: the first call finds no lists, the second one installs.
    stand_in apt-get <<END
if [[ \$1 == update ]]; then : >"$scratch/lists"; exit 0; fi
[[ -e $scratch/lists ]] || exit 100
for command in gcc ninja re2c lua5.4; do ln -s "$scratch/tools/\$command" "$scratch/bin/\$command"; done
END
else
    call libs
    expect "neither root nor sudo" 1 "as root: apt-get install"
fi
for command in gcc re2c lua5.4 ninja; do
    printf '#!/usr/bin/env bash\n' >"$scratch/tools/$command"
    chmod +x "$scratch/tools/$command"
done
if [[ $EUID == 0 ]]; then
    call libs
    expect "all is installed" 0 "fetching the lists of packages" "tool: --home $copy libs"
else
    ln -s "$scratch"/tools/* "$scratch/bin"
fi
stand_in apt-get <<<'echo "apt-get was called"; exit 1'
call libs
expect "nothing is missing" 0 "tool: --home $copy libs"

# -- what is passed on --------------------------------------------------------------------------

ln -s "$copy/tidepool" "$scratch/link"
output=$(cd "$scratch" && PATH=$scratch/bin ./link gen "a file.pool" -o . 2>&1) got=$?
expect "through a link, from elsewhere" 0 "tool: --home $copy gen a file.pool -o . in $scratch"

for command in recommend calibrate top; do
    stand_in ninja <<<'exit 0'
    mkdir -p "$copy/build/release/calibrate" "$copy/build/release/tools"
    cp "$copy/build/tool/tidepool" "$copy/build/release/calibrate/calibrate"
    cp "$copy/build/tool/tidepool" "$copy/build/release/tools/top"
    call $command --help
    expect "help of $command" 0 "tool: " "--help in"
done
mkdir -p "$copy/bench"
stand_in lua5.4 <<<'echo "lua5.4 $*"'
call bench --help
expect "help of bench, without the peers" 0 "lua5.4 $copy/bench/run.lua --help"

# -- build --------------------------------------------------------------------------------------

stand_in ninja <<END
echo "[1/2] CC good.o"
echo "FAILED: bad.o"
echo "bad.c:1: error: it is bad"
exit 1
END
call build
expect "a failing build" 1 "bad.c:1: error: it is bad" "the build failed"
if [[ $output == *good.o* ]]; then got=1; else got=0; fi
expect "what worked is not shown" 0
for command in g++ clang++ clang-format aarch64-linux-gnu-gcc qemu-aarch64 gdb socat curl; do stand_in $command </dev/null; done
call test --quick
expect "tests that do not build" 1 "0 passed, 1 failed"

# Somebody builds: the lock is held until the line "waiting" has been read.
stand_in ninja <<<'exit 0'
mkfifo "$scratch/said"
exec {held}>"$copy/build/.lock-build"
flock "$held"
PATH=$scratch/bin "$copy/tidepool" build {held}>&- 2>"$scratch/said" &
IFS= read -r output <"$scratch/said"
exec {held}>&-
wait $!
got=$?
expect "two builds" 0 "waiting for another build in this checkout"

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
