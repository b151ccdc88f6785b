#!/usr/bin/env bash
# embeddings + spk2utt -> one mean embedding per speaker (or enrolled model), and its number of utterances.
set -euo pipefail

cmd=utils/run.pl
help_message="Usage: steps/make_speaker_models.sh [options] <spk2utt> <embedding.scp> <out-dir>
 e.g.: steps/make_speaker_models.sh data/train/spk2utt exp/a/embeddings_train/embedding.scp exp/a/embeddings_train
Writes <out-dir>/spk_embedding.ark, .scp and num_utts.ark (text). <spk2utt> may be an enrolment list
\`model utt1 utt2 ...\`.
Options:
  --cmd <runner>   runs the job (default utils/run.pl)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3 $#
spk2utt=$1 embeddings=$2 out=$3
require "stage 0 makes spk2utt, stage 8 the embeddings" "$spk2utt" "$embeddings"
mkdir -p "$out/log"
out=$(cd "$out" && pwd)
$cmd "$out/log/speaker_mean.log" \
  ivector-mean "ark:$spk2utt" "scp:$embeddings" \
  "ark,scp:$out/spk_embedding.ark,$out/spk_embedding.scp" "ark,t:$out/num_utts.ark"
show_warnings "$out/log/speaker_mean.log"
utils/check_counts.py --what "models of $(basename "$out")" --in "$spk2utt" --out "$out/spk_embedding.scp" \
  --reason-log "$out/log/speaker_mean.log" --max-loss 0
