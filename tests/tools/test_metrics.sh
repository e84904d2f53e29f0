#!/usr/bin/env bash
# The exported metrics, in both formats, as the reference parser reads them, and as docs/metrics.md lists them.
# Run from the project's root, after a build.
set -u
place=$(mktemp -d)
trap 'exec {feed}>&-; wait; rm -rf "$place"' EXIT
passed=0 failed=0

tell() { # WHAT STATUS
    if [[ $2 == 0 ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s\n' "$1"
    fi
}

mkfifo "$place/feed" "$place/said"
timeout 100 build/release/test-objects/tools/exporting "unix:$place/socket" <"$place/feed" >"$place/said" &
exec {feed}>"$place/feed"
read -r _ <"$place/said"

fetch() { # FILE ACCEPT
    curl -sS --max-time 20 --unix-socket "$place/socket" -H "Accept: $2" http://tidepool/metrics >"$1"
}
fetch "$place/plain" text/plain
tell "the plain text is fetched" $?
fetch "$place/open" 'application/openmetrics-text; version=1.0.0'
tell "the open text is fetched" $?

cat >"$place/check.py" <<'END'
import re, sys
from prometheus_client import parser
from prometheus_client.openmetrics import parser as open_parser
plain = list(parser.text_string_to_metric_families(open(sys.argv[1]).read()))
families = list(open_parser.text_string_to_metric_families(open(sys.argv[2]).read()))  # strict
listed = re.findall(r"^\| `(tidepool_\w+)` \| (\w+) \| (\w*) \|", open("docs/metrics.md").read(), re.M)
told = {(f.name, f.type, f.unit) for f in families}
assert told == set(listed), told ^ set(listed)
assert {f.name for f in plain} == {f.name for f in families}
samples = {}
for family in families:
    for s in family.samples:
        samples.setdefault(s.name, []).append(s)
def total(name): return sum(s.value for s in samples[name])
assert total("tidepool_pools") == 2
assert total("tidepool_pool_accepted_tasks_total") == 22
assert total("tidepool_pool_over_tasks_total") == 20
assert total("tidepool_pool_latency_seconds_count") >= 1
assert len({s.labels["instance"] for s in samples["tidepool_pool_capacity_tasks"]}) == 2
END
/usr/bin/python3 "$place/check.py" "$place/plain" "$place/open"
tell "both are understood, and complete" $?
! curl -sS --max-time 20 -f --unix-socket "$place/socket" http://tidepool/other >"$place/other" 2>&1
tell "nothing else is served" $?

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
