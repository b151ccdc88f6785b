#!/usr/bin/env bash
# <data-in> -> <data-out> without its features, so that other features can be made of the same audio.
set -euo pipefail

help_message="Usage: steps/copy_for_features.sh <data-in> <data-out>
Copies wav.scp, segments, utt2spk, spk2utt, spk2gender, utt2rec, utt2uniq, vad.scp, utt2dur and trials if they exist."
. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 2 $#
data_in=$1 data_out=$2
require "stage 0 makes it" "$data_in/wav.scp" "$data_in/utt2spk" "$data_in/spk2utt"
rm -rf "$data_out" "$data_out.partial"
mkdir -p "$data_out.partial"
for file in wav.scp segments utt2spk spk2utt spk2gender utt2rec utt2uniq vad.scp utt2dur trials; do
  if [ -s "$data_in/$file" ]; then cp "$data_in/$file" "$data_out.partial/"; fi
done
mv "$data_out.partial" "$data_out"
