#!/usr/bin/env bash
# Stage 0 of --corpus folder: trees <root>/<speaker>/**/<audio> -> <data>/train and one data directory per test tree.
set -euo pipefail

# shellcheck disable=SC2034  # train_root is an array: --train-root may be given again
data="" nj=2 train_root=() trials=- spk2gender=- musan_root=- rirs_root=- seed=1 max_loss=0.01 allow_leak=-
tests=                 # names of the test sets, one for each test root, in order
help_message="Usage: local/prepare_folder.sh --data <dir> --train-root <dir> --tests \"name ...\" [options] \\
         <test-root>...
Without --trials a seeded, balanced list is made for each test set, within genders if they are known.
Options (\"-\" means not given):
  --train-root <dir>    tree of the training set; may be given again: several trees are one corpus
  --tests \"name ...\"   names of the test sets, one for each <test-root>
  --trials <file>       the trials of every test set
  --spk2gender <file>   lines \`speaker m|f\`
  --musan-root <dir>, --rirs-root <dir>   as for local/prepare_augmentation.sh
  --seed <n>            random seed of the trials (default 1)
  --max-loss <share>    share of the files that may be lost (default 0.01)
  --allow-leak <names>  what training and test may share, as for local/check_disjoint.py
  --nj <n>              number of jobs (default 2)"

. ./path.sh
. utils/parse_options.sh
if [ $# -eq 0 ] || [ -z "$data" ] || [ ${#train_root[@]} -eq 0 ]; then
  echo "$help_message" >&2
  exit 1
fi
twice=$(tr ' ' '\n' <<< "$tests" | sort | uniq -d | head -n 1)
if [ -n "$twice" ]; then
  echo "prepare_folder.sh: two test roots would both be the test set \"$twice\" (the first is always \"test\");" \
    "rename one of the folders" >&2
  exit 1
fi
options=(--max-loss "$max_loss")
if [ "$spk2gender" != - ]; then options+=(--spk2gender "$spk2gender"); fi
test_dirs=()
for test in $tests; do
  root=$1
  shift
  test_dirs+=("$data/$test")
  test_options=("${options[@]}")
  if [ "$trials" != - ]; then test_options+=(--trials "$trials"); fi
  python3 local/make_folder.py "${test_options[@]}" --root "$root" "$data/$test"
  if [ "$trials" = - ]; then
    trial_options=(--seed "$seed" --nontargets-per-target 4 --source "$root")
    if [ -s "$data/$test/spk2gender" ]; then trial_options+=(--spk2gender "$data/$test/spk2gender"); fi
    python3 -m scoring.make_trials "${trial_options[@]}" "$data/$test/utt2spk" "$data/$test/trials"
  fi
  utils/validate_data_dir.sh --no-text --no-feats "$data/$test"
done
python3 -m scoring.check_trials "${test_dirs[@]}"
roots=()
for root in "${train_root[@]}"; do roots+=(--root "$root"); done
python3 local/make_folder.py "${options[@]}" "${roots[@]}" "$data/train"
utils/validate_data_dir.sh --no-text --no-feats "$data/train"
python3 local/check_disjoint.py --drop-repeated --allow-leak "$allow_leak" "$data/train" "${test_dirs[@]}"
local/prepare_augmentation.sh --data "$data" --nj "$nj" --max-loss "$max_loss" \
  --musan-root "$musan_root" --rirs-root "$rirs_root"
