#!/usr/bin/env bash
# Stage 0 of --corpus voxceleb: VoxCeleb1 dev + VoxCeleb2 dev and test -> <data>/train; VoxCeleb1 test -> <data>/test.
set -euo pipefail

# shellcheck disable=SC2034  # every corpus gets the same options and ignores some
data="" nj=2 trials=- musan_root=- rirs_root=- seed=1 max_loss=0.01 allow_leak=-
help_message="Usage: local/prepare_voxceleb.sh --data <dir> [options] <voxceleb1-root> <voxceleb2-root>
With \"-\" for <voxceleb2-root> the training set is VoxCeleb1 dev alone.
Options (\"-\" means not given):
  --trials <list>      the published list of trials
  --musan-root <dir>, --rirs-root <dir>   as for local/prepare_augmentation.sh
  --max-loss <share>   share of the files that may be lost (default 0.01)
  --allow-leak <names> what training and test may share, as for local/check_disjoint.py
  --nj <n>             number of jobs (default 2)
  --seed <n>           accepted as for the other corpora, and ignored"

. ./path.sh
. utils/parse_options.sh
if [ $# -ne 2 ] || [ -z "$data" ]; then
  echo "$help_message" >&2
  exit 1
fi
voxceleb1=$1 voxceleb2=$2
if [ "$voxceleb1" = - ]; then
  echo "prepare_voxceleb.sh: --voxceleb1-root is needed: it holds the test set and its trials" >&2
  exit 1
fi
options=(--max-loss "$max_loss")
list=()
if [ "$trials" != - ]; then list=(--trials "$trials"); fi
python3 local/make_voxceleb1.py "${options[@]}" "${list[@]}" --root "$voxceleb1" --part test "$data/test"
python3 -m scoring.check_trials "$data/test"
others=()
if [ "$voxceleb2" != - ]; then others=(--may-be-empty); fi      # VoxCeleb1-E and -H test on all its speakers
rm -rf "$data/voxceleb1_dev"
python3 local/make_voxceleb1.py "${options[@]}" "${list[@]}" "${others[@]}" --root "$voxceleb1" --part dev \
  "$data/voxceleb1_dev"
parts=()
if [ -s "$data/voxceleb1_dev/wav.scp" ]; then parts+=("$data/voxceleb1_dev"); fi
if [ "$voxceleb2" = - ]; then
  echo "prepare_voxceleb.sh: no --voxceleb2-root: training on VoxCeleb1 dev alone"
else
  python3 local/make_voxceleb2.py "${options[@]}" --root "$voxceleb2" --part both "$data/voxceleb2"
  parts+=("$data/voxceleb2")
fi
rm -rf "$data/train"
utils/combine_data.sh --extra-files utt2rec "$data/train" "${parts[@]}"
for set in train test; do utils/validate_data_dir.sh --no-text --no-feats "$data/$set"; done
python3 local/check_disjoint.py --drop-repeated --allow-leak "$allow_leak" "$data/train" "$data/test"
local/prepare_augmentation.sh --data "$data" --nj "$nj" --max-loss "$max_loss" \
  --musan-root "$musan_root" --rirs-root "$rirs_root"
