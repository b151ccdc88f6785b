#!/usr/bin/env bash
# <data-in> -> <data-out>: copies at 0.9 and 1.1 times the speed, as speakers of their own (sp0.9-<speaker>).
set -euo pipefail

help_message="Usage: steps/make_speed_copies.sh <data-in> <data-out>
 e.g.: steps/make_speed_copies.sh data/train data/train_speed
The pitch changes with the speed, so a copy is another voice: training has three times as many speakers."
. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 2 $#
data_in=$1 data_out=$2
require "stage 0 makes it" "$data_in/wav.scp"
parts=()
for speed in 0.9 1.1; do
  steps/copy_for_features.sh "$data_in" "$data_out.source"
  utils/perturb_data_dir_speed.sh "$speed" "$data_out.source" "$data_out.$speed"
  parts+=("$data_out.$speed")
done
rm -rf "$data_out"
utils/combine_data.sh "$data_out" "${parts[@]}"
rm -rf "$data_out.source" "${parts[@]}"
