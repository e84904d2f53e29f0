# Set-up: what must be on the machine, how each thing is found, why it is needed, and how it is
# installed. Sourced by ../tidepool, which provides `say`, `die` and $root. Nothing here runs when
# all is found, and looking costs no process. docs/dependencies.md is the same list in prose.

# shellcheck shell=bash disable=SC2034,SC2154 # the tables are used, and $root is set, in ../tidepool

# package, how it is found, why
to_build="\
gcc             command gcc                     compiles the C code
libc6-dev       file    /usr/include/stdio.h    headers of the C library
ninja-build     command ninja                   runs the build
re2c            command re2c                    makes the config language's lexer
lua5.4          command lua5.4                  runs scripts and the tests
liblua5.4-dev   file    /usr/include/lua5.4/lua.h  the Lua module, and Lua inside the generator"
to_test="\
g++             command g++                     checks that headers are C++17 too
clang           command clang++                 the second compiler the code must please
clang-format    command clang-format            checks the layout of generated code
gdb             command gdb                     shows coroutines, live and in core files
python3-prometheus-client file /usr/lib/python3/dist-packages/prometheus_client/parser.py  reads the exported metrics as a scraper would
libcmocka-dev   file    /usr/include/cmocka.h   unit tests in C
socat           command socat                   talks to the servers among the examples
curl            command curl                    asks one of them for its status
gcc-aarch64-linux-gnu   command aarch64-linux-gnu-gcc   compiles for aarch64, which has assembly of its own
libc6-dev-arm64-cross   file    /usr/aarch64-linux-gnu/include/stdio.h  headers and static libraries of aarch64
qemu-user       command qemu-aarch64            runs the tests of aarch64"
to_bench="\
g++             command g++                     builds the peers written in C++
pkg-config      command pkg-config              finds the peers
libtbb-dev      file    /usr/include/tbb/tbb.h  peer: oneTBB
libuv1-dev      file    /usr/include/uv.h       peer: libuv
lua-luv         file    /usr/share/doc/lua-luv  peer: luv
libglib2.0-dev  file    /usr/include/glib-2.0/glib.h  peer: GLib
libboost-context-dev  file  /usr/include/boost/context/fiber.hpp  peer: Boost.Context
libboost-fiber-dev  file    /usr/include/boost/fiber/all.hpp  peer: Boost.Fiber
golang-go       command go                      peer: Go"

need() { # TABLE...: install what is missing of it
    local package kind what why missing=()
    while read -r package kind what why; do
        found "$kind" "$what" || missing+=("$package" "$why")
    done <<<"$*"
    if [[ ${#missing[@]} == 0 ]]; then return; fi

    local packages=() i
    for ((i = 0; i < ${#missing[@]}; i += 2)); do packages+=("${missing[i]}"); done
    if [[ ! -x $(type -P apt-get) ]]; then
        say "these are missing (names of Debian's packages):"
        printf '  %-16s %s\n' "${missing[@]}" >&2
        die 1 "install them with your system's package manager and run this again"
    fi
    say "installing what is missing:"
    printf '  %-16s %s\n' "${missing[@]}" >&2
    install "${packages[@]}"
    while read -r package kind what why; do
        found "$kind" "$what" || die 1 "package $package is installed, but its $what is not there"
    done <<<"$*"
}

found() { # KIND WHAT
    if [[ $1 == command ]]; then type -P "$2" >/dev/null; else [[ -e $2 ]]; fi
}

install() { # PACKAGE...
    local log=$root/build/setup.log
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get)
    local install=(install -y --no-install-recommends "$@")
    if [[ $EUID != 0 ]]; then
        type -P sudo >/dev/null || die 1 "not root and no sudo; as root: apt-get install $*"
        if ! sudo -n true 2>/dev/null; then
            [[ -t 0 && -t 2 ]] || die 1 "sudo wants a password; first run: sudo apt-get install $*"
            sudo true || die 1 "no permission to install; as root: apt-get install $*"
        fi
        apt=(sudo "${apt[@]}")
    fi
    mkdir -p "$root/build"
    if attempt "${install[@]}"; then return; fi
    if locked; then
        say "another package manager is running; waiting for it, five minutes at most"
        apt+=(-o DPkg::Lock::Timeout=300)
        if attempt "${install[@]}"; then return; fi
        if locked; then die 1 "the other package manager is still running; try again later"; fi
    fi
    # The lists of packages are fetched only now: they are missing, or too old to install from.
    say "fetching the lists of packages"
    if attempt update && attempt "${install[@]}"; then return; fi
    tail -n 40 "$log" >&2
    die 1 "installing failed; above is what apt-get said (build/setup.log has all of it)"
}

attempt() { "${apt[@]}" "$@" </dev/null >"$log" 2>&1; }

locked() { grep -q 'Could not get lock' "$log"; }
