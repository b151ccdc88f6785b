#!/usr/bin/env bash
# Stage 0 of --corpus mini: synthesises the corpus with its noise, music and rooms.
set -euo pipefail

# shellcheck disable=SC2034  # every corpus gets the same options and ignores some
data="" nj=2 size=full mini_seed=- musan_root=- rirs_root=- seed=1 max_loss=0.01 allow_leak=-
help_message="Usage: local/prepare_mini.sh --data <dir> [options]
Writes the audio to <dir>/audio and the data directories <dir>/train, test, musan_noise and musan_music.
Options (\"-\" means not given):
  --size full|tiny     size of the corpus (default full)
  --mini-seed <n>      random seed of the corpus instead of that in conf/mini_corpus.yaml
  --nj <n>             number of jobs (default 2)
  --musan-root <dir>, --rirs-root <dir>, --max-loss <share>   as for local/prepare_augmentation.sh
  --allow-leak <names> what training and test may share, as for local/check_disjoint.py
  --seed <n>           accepted as for the other corpora, and ignored"

. ./path.sh
. utils/parse_options.sh
if [ $# -ne 0 ] || [ -z "$data" ]; then
  echo "$help_message" >&2
  exit 1
fi
options=(--size "$size" --nj "$nj")
if [ "$mini_seed" != - ]; then options+=(--seed "$mini_seed"); fi
python3 local/make_mini_corpus.py "${options[@]}" "$data/audio" "$data"
local/prepare_augmentation.sh --data "$data" --nj "$nj" --max-loss "$max_loss" \
  --musan-root "$musan_root" --rirs-root "$rirs_root" --made true
for set in train test; do utils/validate_data_dir.sh --no-text --no-feats "$data/$set"; done
python3 -m scoring.check_trials "$data/test"
python3 local/check_disjoint.py --drop-repeated --allow-leak "$allow_leak" "$data/train" "$data/test"
