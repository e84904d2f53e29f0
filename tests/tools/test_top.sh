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
def run(stop, has_keys=True):  # what it wrote, and its status
    pid, fd = pty.fork()
    if pid == 0:
        if not has_keys:
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
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
                assert not has_keys or not now[3] & (termios.ICANON | termios.ECHO)
                stop(pid, fd)
    _, status = os.waitpid(pid, 0)
    assert termios.tcgetattr(fd)[3] & (termios.ICANON | termios.ECHO) == termios.ICANON | termios.ECHO
    return said, status
press, kill = lambda pid, fd: os.write(fd, b"q"), lambda pid, fd: os.kill(pid, signal.SIGTERM)
for said, status in run(press), run(kill), run(kill, has_keys=False):
    assert status == 0, status
    assert said.startswith(b"\033[?1049h\033[?25l"), said[:40]
    assert said.endswith(b"\033[?25h\033[?1049l"), said[-40:]
    assert said.count(b"stock_coroutine") >= 2
END
timeout 60 /usr/bin/python3 "$place/run.py" $top "$place/socket"
tell "in a terminal, ended by q and by a signal, also without keys" $?

timeout 30 $top --once "$place/nothing" >"$place/out" 2>"$place/err"
[[ $? == 1 && $(<"$place/err") == "tidepool: top: $place/nothing: No such file or directory" ]]
tell "nobody there" $?
refuses() { # WHAT SENTENCE ARGUMENT...
    local what=$1 sentence=$2
    shift 2
    timeout 30 $top "$@" >"$place/out" 2>"$place/err"
    [[ $? == 2 && ! -s $place/out && $(<"$place/err") == "tidepool: top: $sentence; try: ./tidepool top --help" ]]
    tell "$what" $?
}
refuses "without an address" "the address of an exporter is missing"
refuses "an unknown option" "unknown option --twice" --twice "$place/socket"
refuses "two addresses" "one address is enough, not also $place/b" "$place/a" "$place/b"
refuses "no address" "an address is unix:/path, /path or 127.0.0.1:port, not here" here
refuses "too long an address" "an address is unix:/path, /path or 127.0.0.1:port, not /$(printf '%0200d' 0)" "/$(printf '%0200d' 0)"
[[ $(timeout 30 $top --help 2>"$place/err" | head -n 1) == "usage: ./tidepool top [--once] ADDRESS" && ! -s $place/err ]]
tell "help" $?
timeout 30 $top --once "$place/socket" 2>"$place/err" >/dev/full
[[ $? == 1 && $(<"$place/err") == "tidepool: top: cannot write the output: No space left on device" ]]
tell "an output that is full" $?

# Exporters that are none: another server, one without end, one whose names are commands to the terminal.
cat >"$place/server.py" <<'END'
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("ready", flush=True)
head = b"HTTP/1.1 200 OK\r\n\r\ntidepool_pools 1\n"
for answer in b"HTTP/1.1 404 Not Found\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nhello\n", None, head + b'tidepool_pool_pending_tasks{pool="\033]0;x\007\xff\0",instance="1"} 3\n':
    peer, _ = listener.accept()
    peer.recv(4096)
    try:
        while answer is None:
            peer.sendall(head * 1000)
    except OSError:
        continue
    peer.sendall(answer)
    peer.close()
END
/usr/bin/python3 "$place/server.py" "$place/other" >"$place/said" &
read -r _ <"$place/said"
for what in "not found" "another server"; do
    timeout 30 $top --once "$place/other" >"$place/out" 2>"$place/err"
    [[ $? == 1 && $(<"$place/err") == "tidepool: top: $place/other: what answers there is no exporter of this library" ]]
    tell "$what" $?
done
timeout 30 $top --once "$place/other" >"$place/out" 2>"$place/err"
[[ $? == 1 && $(<"$place/err") == "tidepool: top: $place/other: Message too long" ]]
tell "an answer without end" $?
timeout 30 $top --once "$place/other" >"$place/out"
shows "a name that is none" "$place/out" '^\?\]0;x\?\?\? +0 +3 '

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
