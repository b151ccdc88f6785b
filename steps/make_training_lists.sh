#!/usr/bin/env bash
# <data>_no_sil -> lists of training and held-out utterances, speaker classes and held-out trials.
set -euo pipefail

cmd=utils/run.pl
min_frames=400
min_utts=8
valid_share=0.1
seed=1
# shellcheck disable=SC2034  # read below by their names
audio_dir="" noise_dir="" music_dir="" speech_dir="" rir_sets=""
help_message="Usage: steps/make_training_lists.sh [options] <data-dir> <lists-dir>
 e.g.: steps/make_training_lists.sh --min-frames 400 --min-utts 8 data/train_combined_no_sil data/lists
Options:
  --min-frames <n>      drop utterances with fewer voiced frames (default 400)
  --min-utts <n>        then drop speakers with fewer utterances (default 8)
  --valid-share <x>     share of source recordings that is held out for model selection (default 0.1)
  --seed <n>            random seed of the split and of the held-out trials (default 1)
  --audio-dir <dir>     with wav.scp and vad.scp, for training that reads audio (data.source: audio)
  --noise-dir <dir>, --music-dir <dir>, --speech-dir <dir>, --rir-sets <file>
                        its augmentation, as for steps/augment_data.sh
  --cmd <runner>        runs the job (default utils/run.pl)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 2 $#
data=$1 lists=$2
require "stage 4 makes it" "$data/feats.scp" "$data/utt2num_frames" "$data/utt2spk"
audio=()
for name in audio_dir noise_dir music_dir speech_dir rir_sets; do
  if [ -n "${!name}" ]; then audio+=("--${name//_/-}" "${!name}"); fi
done
mkdir -p "$(dirname "$lists")"
log=$(dirname "$lists")/log/make_lists.log
$cmd "$log" python3 -m nnet.make_lists --min-frames "$min_frames" --min-utts "$min_utts" --valid-share "$valid_share" \
  --seed "$seed" "${audio[@]}" "$data" "$lists"
grep -v '^#' "$log"
