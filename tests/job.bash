#!/usr/bin/env bash
# Runs one test suite for tests/run.lua, under a time limit, and reports a line on it.
# Argument: "LOG<tab>SECONDS<tab>COMMAND". Prints "LOG<tab>STATUS<tab>SECONDS TAKEN"; the status is
# 124 or 137 for a suite that was stopped for its time, and 128 + N for one that died of signal N.
# `timeout` gives the suite a process group of its own, so what it started ends with it.

IFS=$'\t' read -r log limit command <<<"$1"
started=${EPOCHREALTIME/[^0-9]/}

timeout -k 5 "$limit" bash -c "$command" </dev/null >"$log" 2>&1 &
trap 'kill -TERM $! && wait $!; exit 1' INT TERM HUP
wait $! 2>/dev/null
status=$?

taken=$((${EPOCHREALTIME/[^0-9]/} - started))
printf '%s\t%d\t%d.%02d\n' "$log" $status $((taken / 1000000)) $((taken / 10000 % 100))
