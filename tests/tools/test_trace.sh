#!/usr/bin/env bash
# A trace, as a parser of JSON reads it. Run from the project's root, after a build.
set -u
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
passed=0 failed=0

tell() { # WHAT STATUS
    if [[ $2 == 0 ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s\n' "$1"
    fi
}

timeout 60 build/release/test-objects/tools/traced >"$place/trace"
tell "a trace is written" $?
cat >"$place/check.py" <<'END'
import json, sys
trace = json.load(open(sys.argv[1]))
events = trace["traceEvents"]
slices = [e for e in events if e["ph"] == "X"]
names = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
moments = [e for e in events if e["ph"] == "i"]
assert trace["otherData"] == {"records": len(slices) + len(moments), "lost": 0}
assert {e["ph"] for e in events} == {"X", "M", "i"}
assert all(e["s"] == "t" and e["tid"] in names and e["pid"] == slices[0]["pid"] for e in moments)
assert all(e["dur"] >= 0 and e["tid"] in names and e["pid"] == slices[0]["pid"] for e in slices)
tasks = [e for e in slices if e["cat"] == "task"]
assert len([e for e in tasks if e["args"]["then"] == "ended"]) == 20
assert len([e for e in tasks if e["args"]["then"] == "gave way"]) == 10
assert len([e for e in tasks if e["args"]["then"] == "waits"]) == 10
assert len(moments) == 10 and {e["cat"] for e in moments} == {"wake"}  # each wait has its end
assert {e["name"] for e in tasks + moments} == {"stock_coroutine"}
states = {e["name"] for e in slices if e["cat"] == "worker"}
assert {"running", "idle"} <= states <= {"running", "idle", "stealing", "parked", "lookout"}, states
for tid in names:  # what a worker does is one thing at a time
    own = sorted((e for e in slices if e["tid"] == tid and e["cat"] == "worker"), key=lambda e: e["ts"])
    for a, b in zip(own, own[1:]):
        assert a["ts"] + a["dur"] <= b["ts"] + 0.0015, (a, b)
END
/usr/bin/python3 "$place/check.py" "$place/trace"
tell "it is JSON, complete, and in order" $?

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
