#!/usr/bin/env bash
# training embeddings -> one mean embedding per training speaker, over the utterances that have an embedding.
set -euo pipefail

cmd=utils/run.pl
help_message="Usage: steps/make_training_speakers.sh [options] <data-dir> <embeddings-dir>
 e.g.: steps/make_training_speakers.sh data/train exp/a/embeddings_train
Writes <embeddings-dir>/spk2utt, and beside it what steps/make_speaker_models.sh writes.
Options:
  --cmd <runner>   what runs the job (default utils/run.pl)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 2 $#
data=$1 embeddings=$2
require "stage 0 makes utt2spk, stage 8 the embeddings" "$data/utt2spk" "$embeddings/embedding.scp"
utils/filter_scp.pl "$embeddings/embedding.scp" "$data/utt2spk" | utils/utt2spk_to_spk2utt.pl > "$embeddings/spk2utt"
steps/make_speaker_models.sh --cmd "$cmd" "$embeddings/spk2utt" "$embeddings/embedding.scp" "$embeddings"
