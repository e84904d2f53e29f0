#!/usr/bin/env bash
# Compares the wordcount example with a coreutils pipeline over the same files, and holds it to the
# rules of examples/wordcount/README.md, on a tree of awkward files and on its default input.
# Usage, from the project's root: tests/examples/test_wordcount.sh [BUILD DIRECTORY]
# Last line: "N passed, N failed".
set -u
export LC_ALL=C

build=${1:-build/release}
project=$PWD
program=$project/$build/examples/wordcount
twin=$project/examples/wordcount/wordcount.lua
temp=$(mktemp -d) || exit 1
trap 'chmod -R u+rwx "$temp"; rm -rf "$temp"' EXIT
chmod 755 "$temp" # for the user nobody, see as_nobody
passed=0
failed=0

# -- checking -------------------------------------------------------------------------------------

pass() {
    passed=$((passed + 1))
}

fail() { # NAME
    failed=$((failed + 1))
    echo "FAILED: $1"
}

same() { # NAME EXPECTED ACTUAL
    if [[ $2 == "$3" ]]; then pass; else
        fail "$1"
        printf 'expected: %.2000s\nbut was:  %.2000s\n' "$2" "$3"
    fi
}

same_files() { # NAME EXPECTED ACTUAL
    if cmp -s "$2" "$3"; then pass; else
        fail "$1"
        diff "$2" "$3" | head -n 10 | cut -c 1-200
    fi
}

# -- the reference ----------------------------------------------------------------------------------

is_text() { # FILE: no NUL byte in its first 8192 bytes
    [[ $(head -c 8192 -- "$1" | tr -cd '\0' | wc -c) == 0 ]]
}

# The words of what it reads, each with its count, as the program sorts them. Counts are not padded:
# the widest lines are beyond what tools pad portably.
count_words() {
    tr -cs 'A-Za-z' '\n' | tr 'A-Z' 'a-z' | grep . | sort | uniq -c | sort -k1,1nr -k2 | sed -E 's/^ *([0-9]+) /\1  /'
}

# Writes the expected report of files and directories without `skipped:`.
reference() { # OUTPUT PATH...
    local output=$1 file
    shift
    find -H "$@" -type f -print0 >"$temp/found"
    while IFS= read -r -d '' file; do
        if is_text "$file"; then printf '%s\0' "$file"; fi
    done <"$temp/found" >"$temp/texts"
    # Every file ends with a line's end here, lest its last word run into the next file's first.
    xargs -0 -r -n 1 sh -c 'cat -- "$1"; echo' - <"$temp/texts" >"$temp/text"
    count_words <"$temp/text" >"$output"
    local words distinct files
    words=$(tr -cs 'A-Za-z' '\n' <"$temp/text" | grep -c .)
    distinct=$(grep -c . "$output")
    files=$(tr -cd '\0' <"$temp/texts" | wc -c)
    # Less the line's ends put in above.
    printf '%s\n' "words $words" "distinct $distinct" "files $files" \
        "bytes $(($(wc -c <"$temp/text") - files))" >>"$output"
}

# The same part of a real report.
table() { # OUTPUT ARGUMENT...
    local output=$1
    shift
    "$program" --all "$@" 2>"$temp/stderr" >"$temp/report"
    status=$?
    sed -E '/^#/d; /^skipped:/d; s/^ *([0-9]+)  /\1  /' "$temp/report" >"$output"
}

compare() { # NAME ARGUMENT...: all arguments are paths
    local name=$1
    shift
    reference "$temp/expected" "$@"
    table "$temp/actual" "$@"
    same_files "$name" "$temp/expected" "$temp/actual"
    same "$name: status" 0 $status
}

skipped() { # the last report's line
    sed -n 's/^skipped: //p' "$temp/report"
}

# -- the awkward tree ---------------------------------------------------------------------------------

# A file with a word that begins so many bytes behind each border between the pieces in which the
# program counts large files.
border_file() { # OFFSET
    local piece=1048576 i
    for i in 1 2 3; do
        yes 'Incomprehensibilities are floccinaucinihilipilificated.' | head -c $((i == 1 ? piece + $1 - 1 : piece - 5))
        printf ' edge'
    done
}

one_word() { # BYTES LETTER
    head -c "$1" /dev/zero | tr '\0' "$2"
}

make_tree() {
    mkdir -p "$1/a/b/c" "$1/with space" "$1/-n" "$1/empty directory"
    cd "$1" || exit 1
    printf 'The quick brown fox.\nThe lazy dog' >"a/no final newline"
    printf 'carriage\r\nreturns\r\nend\r\nTHESE\rlines\r' >a/crlf
    printf 'na\xc3\xafve caf\xc3\xa9 \xe6\xbc\xa2\xe5\xad\x97 \xff\xfe z\xc3\xa4h' >a/b/utf-8
    printf "don't rock-n-roll under_score x86_64 3rd\tand\vand\fand" >a/b/joints
    printf 'first last' >"with space/and more "
    printf 'newline in a name' >a/$'line\none'
    printf 'dash' >./-n/--all
    printf '@[`{ AZaz /:' >a/ascii-neighbours
    : >a/empty
    printf '\n\n\n' >a/blank
    printf 'text at first\0but binary' >a/binary-early
    { one_word 8191 b && printf '\0'; } >a/binary-at-8191
    { one_word 8192 t && printf '\0text'; } >a/text-nul-at-8192
    ln a/crlf "a/hard link"
    ln -s crlf a/link
    ln -s nowhere a/broken
    ln -s .. a/b/up
    mkfifo a/pipe
    perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un("a/socket")) or die'
    one_word 10485760 w >a/long-word
    { printf 'x '; one_word 3145730 v; printf ' y '; one_word 1048574 u; } >a/long-words
    local offset
    for offset in -5 -4 -3 -1 0 1; do border_file $offset >"a/border$offset"; done
    local deep=a/deep i
    for i in $(seq 100); do deep=$deep/d$i; done
    mkdir -p "$deep"
    printf 'deep down' >"$deep/file"
    cd "$project" || exit 1
}

test_tree() {
    make_tree "$temp/tree"
    compare "tree" "$temp/tree"
    same "tree: skipped" "3 links, 2 binary, 2 special, 0 unreadable" "$(skipped)"
    same "tree: stderr" "" "$(cat "$temp/stderr")"
    local n
    for n in 1 2 9 70; do
        table "$temp/actual" -w $n "$temp/tree"
        same_files "tree: $n workers" "$temp/expected" "$temp/actual"
        same "tree: $n workers said" 1 "$(grep -c "^# .* on $n workers$" "$temp/report")"
    done
    compare "twice, and a hard link" "$temp/tree/a/b" "$temp/tree/a/b" "$temp/tree/a/crlf" "$temp/tree/a/hard link"
    compare "a large file" "$temp/tree/a/border0"
    compare "a newline in a name" "$temp/tree/a/"$'line\none'
    compare "an empty file" "$temp/tree/a/empty"
    compare "an empty directory" "$temp/tree/empty directory"
}

test_arguments() {
    ln -s tree/a/b "$temp/to-directory"
    ln -s tree/a/crlf "$temp/to-file"
    compare "links as arguments" "$temp/to-directory" "$temp/to-file"
    same "links as arguments: skipped" "1 links, 0 binary, 0 special, 0 unreadable" "$(skipped)"

    table "$temp/actual" "$temp/tree/a/pipe" "$temp/tree/a/socket" /dev/null "$temp/tree/a/binary-early"
    same "special arguments" "0 links, 1 binary, 3 special, 0 unreadable" "$(skipped)"
    same "special arguments: status" 0 $status

    table "$temp/actual" "$temp/tree/a/broken" "$temp/absent"$'\e\n' "" "$temp/tree/a/crlf"
    same "bad arguments" "0 links, 0 binary, 0 special, 3 unreadable" "$(skipped)"
    same "bad arguments: files" "files 1" "$(grep ^files "$temp/report")"
    same "bad arguments: status" 1 $status
    same "bad arguments: stderr" "wordcount: $temp/tree/a/broken: No such file or directory
wordcount: $temp/absent??: No such file or directory
wordcount: : No such file or directory" "$(cat "$temp/stderr")"

    local long i
    long=$temp/tree/a/$(one_word 300 n)
    table "$temp/actual" "$long"
    same "a name too long: status" 1 $status
    same "a name too long" "wordcount: $long: File name too long" "$(cat "$temp/stderr")"
    # Deeper than a path can say: the rest is reported, what is above is counted.
    mkdir "$temp/deep"
    (
        cd "$temp/deep" || exit
        printf 'here' >file
        for i in $(seq 30); do mkdir "$(one_word 200 d)" && cd -P "$(one_word 200 d)" || exit; done
        printf 'unseen' >file
    )
    table "$temp/actual" "$temp/deep"
    same "too deep: status" 0 $status
    same "too deep" "files 1 0 links, 0 binary, 0 special, 1 unreadable" "$(grep ^files "$temp/report") $(skipped)"

    cd "$temp/tree" || exit 1
    compare "relative paths" a/b .
    table "$temp/actual" -- -n
    same "after --" "1  dash" "$(head -n 1 "$temp/actual")"
    cd "$project" || exit 1
}

# -- what the system refuses --------------------------------------------------------------------------

# The superuser may read everything, so what follows runs as nobody, who owns nothing here.
as_nobody() {
    if [[ $(id -u) == 0 ]]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi
}

test_unreadable() {
    local tree=$temp/locked
    mkdir -p "$tree/no-entry" "$tree/no-look" "$tree/open"
    printf 'one' >"$tree/open/file"
    printf 'two' >"$tree/secret"
    printf 'three' >"$tree/no-entry/file"
    printf 'four' >"$tree/no-look/file"
    chmod 000 "$tree/secret" "$tree/no-entry"
    chmod 444 "$tree/no-look"
    cp "$program" "$temp/wordcount"
    chmod 755 "$temp/wordcount"
    as_nobody "$temp/wordcount" "$tree" >"$temp/report" 2>"$temp/stderr"
    same "unreadable: status" 0 $?
    same "unreadable" "0 links, 0 binary, 0 special, 3 unreadable" "$(skipped)"
    same "unreadable: words" "words 1" "$(grep ^words "$temp/report")"
    same "unreadable: stderr" "wordcount: $tree/no-entry: Permission denied
wordcount: $tree/no-look/file: Permission denied
wordcount: $tree/secret: Permission denied" "$(sort "$temp/stderr")"
    as_nobody "$temp/wordcount" "$tree/secret" "$tree/open" >"$temp/report" 2>/dev/null
    same "an unreadable argument: status" 1 $?
    same "an unreadable argument: the rest" "words 1" "$(grep ^words "$temp/report")"
    as_nobody "$temp/wordcount" "$tree/no-entry" >/dev/null 2>&1
    same "an unreadable directory as argument: status" 1 $?
    chmod -R u+rwx "$tree"
}

# Files of the system that are odd though regular: without a size, and with an error for an answer.
test_system_files() {
    table "$temp/actual" /proc/version
    sed -n '1,/^words/{/^words/d;p}' "$temp/actual" >"$temp/words"
    count_words </proc/version >"$temp/expected"
    same_files "a file without a size" "$temp/expected" "$temp/words"
    table "$temp/actual" /proc/self/mem
    same "a read error: status" 1 $status
    same "a read error" "wordcount: /proc/self/mem: Input/output error" "$(cat "$temp/stderr")"
    same "a read error: counted" "0 links, 0 binary, 0 special, 1 unreadable" "$(skipped)"
}

# A file is open only while it is counted.
test_few_descriptors() {
    local i
    mkdir "$temp/many"
    for i in $(seq 200); do echo "word $i" >"$temp/many/$i"; done
    (ulimit -n 32 && "$program" -w 2 "$temp/many") >"$temp/report" 2>"$temp/stderr"
    same "few descriptors" "words 200 files 200" "$(grep -E '^(words|files)' "$temp/report" | xargs)"
    same "few descriptors: stderr" "" "$(cat "$temp/stderr")"
}

# Nothing can be said of the counts here, but that the program ends well.
test_changing_files() {
    local file=$temp/changing/file i bad=0
    mkdir "$temp/changing"
    while :; do
        head -c 3500000 "$temp/tree/a/border0" >"$file"
        : >"$file"
        rm "$file"
        mkfifo "$file"
        rm "$file"
    done &
    local writer=$!
    for i in $(seq 50); do
        "$program" "$temp/changing" >"$temp/report" 2>/dev/null || bad=1
        grep -q ^skipped: "$temp/report" || bad=1
    done
    kill $writer
    wait $writer 2>/dev/null
    same "changing files" 0 $bad
}

test_no_memory() {
    case $build in *asan | *tsan) return ;; esac # their shadow memory does not fit any limit
    one_word 200000000 m >"$temp/huge"
    (ulimit -v 300000 && "$program" -w 1 "$temp/huge") >"$temp/report" 2>"$temp/stderr"
    same "out of memory: status" 1 $?
    same "out of memory" "wordcount: out of memory" "$(cat "$temp/stderr")"
    same "out of memory: no result" "" "$(cat "$temp/report")"
    rm "$temp/huge"
}

# -- options and output -------------------------------------------------------------------------------

test_output() {
    printf 'b a c B a d b' >"$temp/small"
    same "the exact report" "       3  b
       2  a
       1  c
words 7
distinct 4
files 1
bytes 13
skipped: 0 links, 0 binary, 0 special, 0 unreadable" "$("$program" -n 3 "$temp/small" | grep -v '^#')"
    same "no words" "words 7" "$("$program" -n 0 "$temp/small" | head -n 1)"
    same "more words than there are" 4 "$("$program" -n 99 "$temp/small" | grep -c '^ ')"
    same "only comments follow" 0 "$("$program" "$temp/small" | sed '1,/^skipped/d' | grep -vc '^#')"
    "$program" "$temp/small" >/dev/full 2>"$temp/stderr"
    same "a full disk: status" 1 $?
    same "a full disk" "wordcount: cannot write the result: No space left on device" "$(cat "$temp/stderr")"
}

refused() { # NAME ARGUMENT...
    local name=$1
    shift
    "$program" "$@" >"$temp/report" 2>"$temp/stderr"
    same "$name: status" 2 $?
    same "$name: no output" "" "$(cat "$temp/report")"
    same "$name: help is named" "Try 'wordcount --help'." "$(tail -n 1 "$temp/stderr")"
}

test_options() {
    same "help: status" 0 "$("$program" --help >"$temp/report"; echo $?)"
    same "help" "usage: wordcount [-n N] [-w N] [--all] [FILE or DIRECTORY]..." "$(head -n 1 "$temp/report")"
    refused "unknown option" --colour
    refused "unknown letter" -x
    refused "no number" -n
    refused "not a number" -n ten
    refused "a negative number" -n -1
    refused "a number too large" -n 99999999999999999999
    refused "no workers" -w 0
    refused "too many workers" -w 4097
}

test_defaults() {
    local paths=() path
    for path in /usr/share/common-licenses docs; do
        if [[ -e $path ]]; then paths+=("$path"); fi
    done
    reference "$temp/expected" "${paths[@]}"
    table "$temp/actual"
    same_files "default input" "$temp/expected" "$temp/actual"
    same "default input: status" 0 $status

    mkdir "$temp/nowhere" # without docs
    cd "$temp/nowhere" || exit 1
    if [[ -e /usr/share/common-licenses ]]; then
        reference "$temp/expected" /usr/share/common-licenses
        table "$temp/actual"
        same_files "default input without docs" "$temp/expected" "$temp/actual"
    else
        refused "nothing to count"
    fi
    cd "$project" || exit 1
}

# -- the Lua twin -------------------------------------------------------------------------------------

same_as_lua() { # NAME ARGUMENT...
    local name=$1
    shift
    "$program" "$@" >"$temp/report" 2>/dev/null
    status=$?
    LUA_CPATH_5_4="$project/$build/lua/?.so;;" LUA_PATH_5_4="$project/lua/?.lua;$project/lua/?/init.lua;;" \
        lua5.4 "$twin" "$@" >"$temp/lua-report" 2>/dev/null
    same "Lua: $name: status" $status $?
    grep -v '^#' "$temp/report" >"$temp/expected"
    grep -v '^#' "$temp/lua-report" >"$temp/actual"
    same_files "Lua: $name" "$temp/expected" "$temp/actual"
}

test_lua() {
    # Stock Lua would need the sanitizer's own library loaded before it; tests/lua does that.
    case $build in *asan | *tsan) return ;; esac
    same_as_lua "default input"
    same_as_lua "tree" --all "$temp/tree"
    same_as_lua "a link, special and binary files" -n 3 -w 2 "$temp/to-directory" "$temp/tree/a/pipe" \
        "$temp/tree/a/binary-early" "$temp/tree/a/crlf" "$temp/tree/a/crlf"
    same_as_lua "bad arguments" "$temp/absent" "$temp/tree/a/broken" "" /proc/self/mem "$temp/small"
    cd "$temp/tree" || exit 1
    same_as_lua "relative paths" -w 9 --all -- -n a
    cd "$project" || exit 1
}

# -- ------------------------------------------------------------------------------------------------

if [[ ! -x $program ]]; then
    echo "$program is missing: build it first"
    echo "0 passed, 1 failed"
    exit 1
fi
test_tree
test_arguments
test_unreadable
test_system_files
test_few_descriptors
test_changing_files
test_no_memory
test_output
test_options
test_defaults
test_lua
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
