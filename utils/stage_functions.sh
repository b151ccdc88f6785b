# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by pipeline.sh: how a stage begins and ends. What is decided comes from Python (recipe/calls.py).
#
#   if stage 4; then          # true if stage 4 must run now; the stages that are up to date have been reported
#     run steps/…             # --dry-run prints it instead
#   fi                        # complete when the next stage is asked for, or the run ends

# shellcheck source=utils/recipe_calls.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe_calls.sh"
under_way='' stage_commands=''

# <stage>: 0 if it must run now. Its directory is then locked; every command of the stage inherits the lock.
stage() {  # as the condition of an `if` it runs without `set -e`, so each command that may fail has its `|| exit`
  if [ "$dry_run" = true ]; then
    if [ "$1" != "${planned[0]-}" ]; then return 1; fi
    printf '%s\n' "${described[0]}"
    planned=("${planned[@]:1}") described=("${described[@]:1}")
    return 0
  fi
  complete_stage || exit
  if [ "$1" != "$next_stage" ]; then return 1; fi
  mkdir -p "$stage_folder/.stages" || exit
  exec {stage_lock}>> "$stage_folder/.stages/lock" || exit
  if ! flock --nonblock "$stage_lock"; then
    ask waiting "$1" "$stage_folder"
    flock "$stage_lock" || exit
    ask again "$1" || exit      # the other run may have made what is wanted
    if [ "$1" != "$next_stage" ]; then
      exec {stage_lock}>&-
      return 1
    fi
  fi
  local pid=$$
  if [ -n "${PIPELINE_RUN-}" ]; then pid=$PPID; fi     # the guard, which passes a signal on
  echo "pid $pid on $HOSTNAME since $(date '+%F %T') (run ${PIPELINE_RUN-})" > "$stage_folder/.stages/lock" || exit
  echo "$(date '+%H:%M:%S') $announcement" >&2
  if [ "$stage_folder" = "$exp" ]; then write_plan || exit; fi
  rm -f "$stage_marker" || exit                        # from here on, until it is done, the stage is not complete
  stage_begun=$SECONDS stage_begun_as='' under_way=$1
  if [ -r "/proc/$$/stat" ]; then stage_begun_as=$(< "/proc/$$/stat"); fi
  stage_commands=''
  if [ -w "${PIPELINE_MEMORY-}" ]; then : > "$PIPELINE_MEMORY" || exit; fi    # the guard finds the peak of this stage
}

write_plan() {  # whole, or not at all
  printf %s "$plan" > "$exp/.stages/plan.yaml" && mv -fT "$exp/.stages/plan.yaml" "$exp/plan.yaml"
}

run() {  # <command> <argument>...
  local word previous=''
  for word in "$@"; do
    if [ "$previous" = --cmd ]; then stage_commands+=$word$'\n'; fi           # what runs its jobs, maybe elsewhere
    previous=$word
  done
  if [ "$dry_run" = true ]; then printf '    command'; printf ' %q' "$@"; echo; else "$@"; fi
}

complete_stage() {  # the stage that was begun, if there is one
  if [ -z "$under_way" ]; then return; fi
  ask completed "$under_way" $((SECONDS - stage_begun)) $$ "$stage_begun_as" "$stage_commands" || return
  exec {stage_lock}>&-
  under_way=
}

end_run() {  # shows the results
  complete_stage
  if [ "$dry_run" = true ] || [ "$last_stage" -lt 12 ]; then return; fi
  cat "$exp/RESULTS.md"
  printf '\nreport: %s\n' "$exp/report/index.html"
}
