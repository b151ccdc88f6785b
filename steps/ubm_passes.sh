# shellcheck shell=bash
# shellcheck disable=SC2154,SC2086    # the caller's variables; $cmd may have options
# Sourced by train_diag_ubm.sh and train_full_ubm.sh, after functions.sh: E-M passes over all features, which start
# again after the last finished pass. The state is in a folder of its own; an earlier model stays until the new one is
# whole. The number of jobs is no setting: with another one only the selections, a file per job, are made again.
#
# Of the caller: cmd, nj, label, cleanup, num_iters, min_gaussian_weight, remove_low_count_gaussians, settings (what
# decides the model, one a line), deltas, dir, total (of split_for_jobs), work (the folder of the state), logs (the
# folder of the logs).

end_if_made() {  # <model>: ends the step if this model is there, unchanged, and was made with the settings
  if [ ! -s "$1" ] || [ ! -s "$dir/delta_opts" ]; then return; fi
  if ! cmp -s "$1.settings" <(settings_of_model "$1"); then return; fi
  echo "$label: $1 is there, made with the same options and data"
  if [ "$cleanup" = true ]; then rm -rf "$work"; fi
  exit 0
}

settings_of_model() {  # <model>: prints the settings and the hash of the model, which shows that it is whole
  printf '%s\n' "$settings" "model $(sha256sum < "$1")"
}

start_or_continue() {  # keeps the state only if it was made with the same settings; sets pass
  local model
  mkdir -p "$work"
  if ! cmp -s "$work/settings" <(printf '%s\n' "$settings"); then
    rm -rf "$work"
    mkdir -p "$work"
    printf '%s\n' "$settings" > "$work/settings"
  fi
  pass=-1  # the newest model is $work/$pass.*ubm
  for model in "$work"/*ubm; do
    model=${model##*/}
    if [[ $model =~ ^([0-9]+)\.d?ubm$ ]] && [ "${BASH_REMATCH[1]}" -gt "$pass" ]; then pass=${BASH_REMATCH[1]}; fi
  done
  if [ "$pass" -gt 0 ]; then echo "$label: $pass of $num_iters passes are done already"; fi
}

select_gaussians() {  # <n> <first model> <features>: the best Gaussians of each frame, once for all passes
  local job
  if [ -e "$work/gselect.done" ] && [ "$(< "$work/gselect.done")" = "$nj jobs" ]; then return; fi
  rm -f "$work/gselect.done"
  rm -f "$work"/gselect.* "$logs"/gselect.*
  utils/progress.py --label "$label: Gaussian selection" --total "$total" --lines "$logs/gselect.*.likes" -- \
    $cmd "JOB=1:$nj" "$logs/gselect.JOB.log" \
    gmm-gselect "--n=$1" "--write-likes=ark,t:$logs/gselect.JOB.likes" "$2" "$3" "ark:|gzip -c >$work/gselect.JOB.gz"
  join_parts "$logs/gselect" .likes "$logs/utt2like"
  utils/check_counts.py --what "$label: Gaussian selection" --in "$data/feats.scp" --out "$logs/utt2like" \
    --reason-log "$logs/gselect.*.log" --max-loss "$max_loss"
  for ((job = 1; job <= nj; job++)); do rm -f "$logs/gselect.$job.likes"; done
  echo "$nj jobs" > "$work/gselect.done.partial"
  mv "$work/gselect.done.partial" "$work/gselect.done"
}

train_passes() {  # <gmm|fgmm> <dubm|ubm> <features>: from $work/$pass.<kind> to $work/$num_iters.<kind>
  local program=$1 kind=$2 feats=$3 remove job accs
  for ((; pass < num_iters; pass++)); do
    # Without a Gaussian, the numbers of those after it would change, and the selection no longer fit.
    remove=false
    if [ $((pass + 1)) -eq "$num_iters" ]; then remove=$remove_low_count_gaussians; fi
    rm -f "$logs/acc.$pass".*.log "$work/$pass".*.acc
    utils/progress.py --label "$label: pass $((pass + 1)) of $num_iters" --total "$total" \
      --lines "$logs/acc.$pass.*.log" -- \
      $cmd "JOB=1:$nj" "$logs/acc.$pass.JOB.log" \
      "$program-global-acc-stats" --verbose=2 "--gselect=ark,s,cs:gunzip -c $work/gselect.JOB.gz |" \
      "$work/$pass.$kind" "$feats" "$work/$pass.JOB.acc"
    accs=()
    for ((job = 1; job <= nj; job++)); do accs+=("$work/$pass.$job.acc"); done
    $cmd "$logs/update.$pass.log" \
      "$program-global-est" "--min-gaussian-weight=$min_gaussian_weight" "--remove-low-count-gaussians=$remove" \
      "$work/$pass.$kind" "$program-global-sum-accs - ${accs[*]} |" "$work/next.$kind"
    mv "$work/next.$kind" "$work/$((pass + 1)).$kind"
    if [ "$cleanup" = true ]; then
      rm -f "${accs[@]}"
      if [ "$pass" -gt 0 ]; then rm -f "$work/$pass.$kind"; fi  # the selections are made with the first
    fi
    echo "$label: pass $((pass + 1)) of $num_iters: log-likelihood per frame $(mean_like "$logs/acc.$pass".*.log)"
  done
}

mean_like() {  # <log>...: of gmm-global-acc-stats or fgmm-global-acc-stats, over all jobs
  sed -n 's/.*Overall likelihood per frame = \([^ ]*\) over \([^ ]*\) .*/\1 \2/p' "$@" |
    awk '{ like += $1 * $2; frames += $2 }
      END { if (frames) printf "%.3f over %d frames\n", like / frames, frames; else print "unknown" }'
}

finish_ubm() {  # <model> <out>: puts the model in its place; removes the state, unless --cleanup false
  cp "$1" "$2.partial"
  mv "$2.partial" "$2"
  echo "$deltas" > "$dir/delta_opts"
  settings_of_model "$2" > "$2.settings.partial"
  mv "$2.settings.partial" "$2.settings"
  if [ "$cleanup" = true ]; then rm -rf "$work"; fi
}

need_integer() {  # <name> <value> <least>
  if ! [[ $2 =~ ^[0-9]+$ ]] || [ "$2" -lt "$3" ]; then
    echo "$(basename "$0"): $1 is $2; expected an integer >= $3" >&2
    exit 1
  fi
}
