#!/usr/bin/env bash
# clean <data> + augmented <data-aug> -> features of a seeded choice of the augmented utterances.
# The clean and the chosen utterances together are <data-out>.
set -euo pipefail

type=mfcc
feats_config=
nj=4
cmd=utils/run.pl
max_loss=0.01
label=
help_message="Usage: steps/combine_augmented.sh [options] <number|2x> <data> <data-aug> <data-out>
 e.g.: steps/combine_augmented.sh --type fbank 1000000 data/train data/train_aug data/train_combined
The number may be a multiple of the clean utterances (2x), or 0. The chosen copies are <data-aug>_subset.
Options: --type, --feats-config, --nj, --cmd, --max-loss, --label as for steps/make_feats.sh"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 4 $#
number=$1 data=$2 augmented=$3 combined=$4
require "stage 1 makes the features" "$data/feats.scp"
root=$(dirname "$data")
if [ "${number%x}" != "$number" ]; then number=$((${number%x} * $(wc -l < "$data/feats.scp"))); fi
if [ "$number" -gt 0 ]; then
  require "stage 2 makes the copies" "$augmented/wav.scp" "$augmented/vad.scp"
  available=$(wc -l < "$augmented/wav.scp")
  if [ "$number" -gt "$available" ]; then
    echo "combine_augmented.sh: $number augmented utterances requested, $available available: all are used"
    number=$available
  fi
fi
rm -rf "${augmented}_subset" "$combined"
if [ "$number" -eq 0 ]; then
  echo "combine_augmented.sh: no augmented utterances requested: $combined is $data"
  mkdir "${augmented}_subset"
  utils/combine_data.sh --extra-files utt2num_frames "$combined" "$data"
  exit 0
fi
utils/subset_data_dir.sh "$augmented" "$number" "${augmented}_subset"
steps/make_feats.sh --type "$type" --feats-config "${feats_config:-conf/$type.conf}" --nj "$nj" --cmd "$cmd" \
  --max-loss "$max_loss" --label "${label:-$type of augmented copies}" "${augmented}_subset" "$root/log" "$root/ark"
utils/fix_data_dir.sh "${augmented}_subset"
utils/combine_data.sh --extra-files utt2num_frames "$combined" "$data" "${augmented}_subset"
