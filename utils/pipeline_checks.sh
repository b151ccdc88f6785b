# shellcheck shell=bash disable=SC2154
# Sourced by pipeline.sh: what is wrong with the input by its names and numbers alone is an error at once.
# Reads the options, train_roots, test_roots, tests, data, corpus, and the variables that are named below.

check_input() {  # before stage 0: the files, roots and trial list; at a later stage: data directories of one's own
  if [ "$first_stage" -eq 0 ]; then
    _check_given
    if [ "$corpus" = folder ]; then _check_roots; fi
  elif [ "$trust_earlier" = true ] && [ "$dry_run" != true ]; then
    _check_own_data
  fi
}

_check_given() {
  local name path
  for name in trials spk2gender musan-root rirs-root voxceleb1-root voxceleb2-root; do
    path=${option[$name]}
    if [ "$path" = - ]; then continue; fi
    if [[ $name == *-root ]] && [ ! -d "$path" ]; then die "--$name is $path, which is no folder"; fi
    if [[ $name != *-root ]] && [ ! -f "$path" ]; then die "--$name is $path, which is no file"; fi
  done
}

_check_roots() {
  local root given=()
  for root in "${train_roots[@]}"; do given+=(--train-root "$root"); done
  for root in "${test_roots[@]}"; do given+=(--test-root "$root"); done
  if [ "${option[trials]}" != - ]; then given+=(--trials "${option[trials]}"); fi
  python3 local/check_roots.py "${given[@]}"
}

_check_own_data() {  # the trials are needed from stage 9 on; before, they are checked where they are there
  local test dirs=()
  for test in "${tests[@]}"; do
    if [ "$last_stage" -ge 9 ] || [ -e "$data/$test/trials" ]; then dirs+=("$data/$test"); fi
  done
  if [ ${#dirs[@]} -eq 0 ]; then return 0; fi
  python3 -m scoring.check_trials "${dirs[@]}"
  if [ -e "$data/train/spk2utt" ]; then python3 local/check_disjoint.py "$data/train" "${dirs[@]}"; fi
}

check_usable_speakers() {  # after stage 0: what stage 5 would refuse by the number and length of the utterances
  local copies=0
  if [ "$dry_run" = true ] || [ "$first_stage" -gt 5 ] || [ "$last_stage" -lt 5 ]; then return 0; fi
  if [ -n "$passed_over" ] || [ ! -e "$data/train/utt2spk" ]; then return 0; fi
  if [ "$augment" = ondisk ] && [ "${option[num-augmented]}" != 0 ]; then copies=4; fi      # of an utterance at most
  python3 local/check_speakers.py --min-utts "${option[min-utts]/#-/1}" --min-frames "$min_frames" \
    --frame-rate "$frame_rate" --copies "$copies" --valid-share "${option[valid-share]}" "$data/train"
}
