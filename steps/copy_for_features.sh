#!/usr/bin/env bash
# <data-in> -> <data-out> without its features, so that another kind of features can be made of the same audio.
set -euo pipefail

help_message="Usage: steps/copy_for_features.sh <data-in> <data-out>
Copies wav.scp, segments, utt2spk, spk2utt, spk2gender, utt2rec, vad.scp, utt2dur and trials where they are there."
. ./path.sh
. utils/parse_options.sh
if [ $# -ne 2 ]; then
  echo "$help_message" >&2
  exit 1
fi
data_in=$1 data_out=$2
for file in wav.scp utt2spk spk2utt; do
  if [ ! -s "$data_in/$file" ]; then
    echo "copy_for_features.sh: $data_in/$file is missing or empty; stage 0 makes it" >&2
    exit 1
  fi
done
rm -rf "$data_out" "$data_out.partial"
mkdir -p "$data_out.partial"
for file in wav.scp segments utt2spk spk2utt spk2gender utt2rec vad.scp utt2dur trials; do
  if [ -s "$data_in/$file" ]; then cp "$data_in/$file" "$data_out.partial/"; fi
done
mv "$data_out.partial" "$data_out"
