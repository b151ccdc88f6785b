# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by pipeline.sh: what begins a run, a stage and a command. The decisions are made in Python (recipe/calls.py).
#
#   if stage 4; then          # true if stage 4 must run now; the stages that are up to date have been reported
#     run steps/…             # --dry-run prints it instead
#     stage_done
#   fi

exec 4>&1

begin_run() {  # "$@" of pipeline.sh: under the guard, in the checkout, with all packages -> the names of the plan
  local root python status=0
  root=$(dirname "$0")
  if [[ ${PIPELINE_RUN-} != "$PPID"-* ]]; then      # utils/guard.py runs this script, and leaves none of its processes
    for python in "$root/.venv/bin/python3" python3; do
      if command -v "$python" > /dev/null && "$python" -S -E -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        exec "$python" "$root/utils/guard.py" "$0" "$@"
      fi
    done
  fi
  export PIPELINE_CALLED_FROM=$PWD                  # paths on the command line are relative to it
  cd "$root" || exit
  ask start "$@" || status=$?
  if [ "$status" -gt 1 ]; then                      # packages are missing, or there is no Python
    if [ "${dry_run-}" = true ]; then
      echo "pipeline.sh: packages are missing, and --dry-run installs none; run utils/prepare_environment.sh" >&2
      exit 1
    fi
    utils/prepare_environment.sh
    status=0
    ask start "$@" || status=$?
  fi
  if [ "$status" -ne 0 ] || [ -z "${plan-}" ]; then exit "$status"; fi      # without a plan it was --help
  . ./path.sh
  . ./cmd.sh
  nj=${nj/#-/$PIPELINE_CORES}
}

ask() {  # <arguments of utils/recipe.py>: stores the names that it answers on descriptor 3, arrays too
  local python=python3 fields=() i=0 status=0
  if [ -e .venv/.ready ]; then python=.venv/bin/python3; fi
  mapfile -d '' -t fields < <("$python" utils/recipe.py "$@" 3>&1 >&4 <<< "${plan-}")
  wait "$!" || status=$?
  while [ "$i" -lt "${#fields[@]}" ]; do            # name, number of values ("-": a plain one), value ...
    if [ "${fields[i + 1]}" = - ]; then
      printf -v "${fields[i]}" %s "${fields[i + 2]}"
      i=$((i + 3))
    else
      local -n array=${fields[i]}
      array=("${fields[@]:i + 2:fields[i + 1]}")
      i=$((i + 2 + fields[i + 1]))
    fi
  done
  return "$status"
}

stage() {  # <stage>: 0 if it must run now. Its directory is then locked; every command of the stage inherits the lock
  if [ "$dry_run" = true ]; then
    if [ "$1" != "${planned[0]-}" ]; then return 1; fi
    printf '%s\n' "${described[0]}"
    planned=("${planned[@]:1}") described=("${described[@]:1}")
    return 0
  fi
  if [ "$1" != "$next_stage" ]; then return 1; fi
  mkdir -p "$stage_folder/.stages"
  exec {stage_lock}>> "$stage_folder/.stages/lock"
  if ! flock --nonblock "$stage_lock"; then
    ask waiting "$1" "$stage_folder"
    flock "$stage_lock"
    ask again "$1" || exit      # the other run may have made what is wanted
    if [ "$1" != "$next_stage" ]; then
      exec {stage_lock}>&-
      return 1
    fi
  fi
  local pid=$$
  if [ -n "${PIPELINE_RUN-}" ]; then pid=$PPID; fi     # the guard, which passes a signal on
  echo "pid $pid on $HOSTNAME since $(date '+%F %T') (run ${PIPELINE_RUN-})" > "$stage_folder/.stages/lock"
  echo "$(date '+%H:%M:%S') $announcement" >&2
  if [ "$stage_folder" = "$exp" ]; then echo "$plan" > "$exp/plan.yaml"; fi
  rm -f "$stage_marker"                                # from here on, until it is done, the stage is not complete
  stage_begun=$SECONDS stage_begun_as=''
  if [ -r "/proc/$$/stat" ]; then stage_begun_as=$(< "/proc/$$/stat"); fi
}

run() {  # <command> <argument>...
  if [ "$dry_run" = true ]; then printf '    command'; printf ' %q' "$@"; echo; else "$@"; fi
}

stage_done() {  # the stage that was begun is complete
  if [ "$dry_run" = true ]; then return; fi
  ask completed "$next_stage" $((SECONDS - stage_begun)) $$ "$stage_begun_as"
  exec {stage_lock}>&-
}

end_run() {  # shows the results
  if [ "$dry_run" != true ] && [ "$last_stage" -eq 12 ]; then cat "$exp/RESULTS.md"; fi
}
