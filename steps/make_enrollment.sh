#!/usr/bin/env bash
# <data> with trials [enroll2utt] + embeddings -> one enrolment model for each enrolment id of the trials.
set -euo pipefail

cmd=utils/run.pl
help_message="Usage: steps/make_enrollment.sh [options] <data-dir> <embedding.scp> <out-dir>
 e.g.: steps/make_enrollment.sh data/test exp/a/embeddings_test/embedding.scp exp/a/enroll_test
If <data-dir>/enroll2utt (\`model utt1 utt2 ...\`) exists, a model is the mean of its utterances; otherwise each
enrolment id of the trials is an utterance.
Options:
  --cmd <runner>   runs the job (default utils/run.pl)"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3 $#
data=$1 embeddings=$2 out=$3
require "stage 0 makes the trials, stage 8 the embeddings" "$data/trials" "$embeddings"
mkdir -p "$out"
python3 -m scoring.enrollment "$data" > "$out/enroll2utt.partial"
mv "$out/enroll2utt.partial" "$out/enroll2utt"
steps/make_speaker_models.sh --cmd "$cmd" "$out/enroll2utt" "$embeddings" "$out"
