#!/usr/bin/env bash
# training embeddings -> one mean embedding per training speaker, of the utterances that have one.
set -euo pipefail

cmd=utils/run.pl
help_message="Usage: steps/make_training_speakers.sh [options] <data-dir> <embedding.scp> <out-dir>
 e.g.: steps/make_training_speakers.sh data/train exp/a/embeddings_train/embedding.scp exp/a/embeddings_train
Writes <out-dir>/spk2utt, and there what steps/make_speaker_models.sh writes.
Options:
  --cmd <runner>   what runs the job (default utils/run.pl)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3 $#
data=$1 embeddings=$2 out=$3
require "stage 0 makes utt2spk, stage 8 the embeddings" "$data/utt2spk" "$embeddings"
mkdir -p "$out"
utils/filter_scp.pl "$embeddings" "$data/utt2spk" | utils/utt2spk_to_spk2utt.pl > "$out/spk2utt"
steps/make_speaker_models.sh --cmd "$cmd" "$out/spk2utt" "$embeddings" "$out"
