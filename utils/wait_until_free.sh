#!/usr/bin/env bash
# Waits until an experiment directory is free; prints what holds it, and how to end that.
#
# nnet.train, nnet.extract and nnet.import_checkpoint lock <exp-dir>/lock (flock) while they run; it names them
# (nnet/training/exp_lock.py).
set -euo pipefail

shared=()
if [ "${1-}" = --shared ]; then
  shared=(--shared)
  shift
fi
if [ $# -ne 1 ]; then
  echo "Usage: utils/wait_until_free.sh [--shared] <exp-dir>
  --shared   extraction may be at work there, but no training" >&2
  exit 1
fi
lock=$1/lock
if [ ! -e "$lock" ]; then exit 0; fi
status=0
flock "${shared[@]}" --nonblock --conflict-exit-code 9 "$lock" true || status=$?
# It is free; or the file system has no locks, and nnet/training/exp_lock.py looks at the line.
if [ "$status" -ne 9 ]; then exit 0; fi
who=$(< "$lock")
echo "$1 is in use: waiting for ${who:-a process that has just begun}
  wait for its end, or end it with \`kill\` and this pid (training saves first), or give another --exp" >&2
flock "${shared[@]}" "$lock" true
