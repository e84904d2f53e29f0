#!/usr/bin/env bash
# `tidepool top`: one frame for scripts, and frames in a terminal that is as before afterwards.
# Run from the project's root, after a build.
set -u
place=$(mktemp -d)
trap 'exec {feed}>&-; wait; rm -rf "$place"' EXIT
passed=0 failed=0
top=build/release/tools/top

tell() { # WHAT STATUS
    if [[ $2 == 0 ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s\n' "$1"
    fi
}

shows() { # WHAT FILE PATTERN
    grep -qE -- "$3" "$2"
    tell "$1" $?
}

mkfifo "$place/feed" "$place/said"
timeout 100 build/release/test-objects/tools/exporting "unix:$place/socket" <"$place/feed" >"$place/said" &
exec {feed}>"$place/feed"
read -r _ <"$place/said"

timeout 30 $top --once "$place/socket" >"$place/once"
tell "one frame" $?
shows "the plain pool: a task runs" "$place/once" '^stock_fifo_half +1 +0 +0 +0 '
shows "its workers: one waits" "$place/once" '^  workers \[(w[^w]|[^w]w)\]$'
shows "the other pool: a task is suspended" "$place/once" '^stock_coroutine +0 +0 +1 +0 '
! grep -qE '^.{81}' "$place/once"
tell "80 columns" $?
! grep -q $'\033' "$place/once"
tell "no codes for terminals" $?

cat >"$place/run.py" <<'END'
import os, pty, signal, sys, termios
def run(stop):  # what it wrote, and its status
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(sys.argv[1], [sys.argv[1], sys.argv[2]])
    said, frames = b"", 0
    while True:
        try:
            got = os.read(fd, 4096)
        except OSError:
            got = b""
        if not got:
            break
        said += got
        if b"\033[?25l" in said and said.count(b"x closed\r\n") > frames:
            frames += 1
            if frames == 2:
                now = termios.tcgetattr(fd)
                assert not now[3] & (termios.ICANON | termios.ECHO)
                stop(pid, fd)
    _, status = os.waitpid(pid, 0)
    assert termios.tcgetattr(fd)[3] & (termios.ICANON | termios.ECHO) == termios.ICANON | termios.ECHO
    return said, status
for stop in (lambda pid, fd: os.write(fd, b"q"), lambda pid, fd: os.kill(pid, signal.SIGTERM)):
    said, status = run(stop)
    assert status == 0, status
    assert said.startswith(b"\033[?1049h\033[?25l"), said[:40]
    assert said.endswith(b"\033[?25h\033[?1049l"), said[-40:]
    assert said.count(b"stock_coroutine") >= 2
END
timeout 60 /usr/bin/python3 "$place/run.py" $top "$place/socket"
tell "in a terminal, ended by q and by a signal" $?

timeout 30 $top --once "$place/nothing" >"$place/out" 2>"$place/err"
[[ $? == 1 && $(<"$place/err") == "tidepool: top: $place/nothing: No such file or directory" ]]
tell "nobody there" $?
timeout 30 $top >"$place/out" 2>&1
[[ $? == 2 ]]
tell "without an address" $?

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
