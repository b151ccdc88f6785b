#!/usr/bin/env bash
# <data>_no_sil + trained encoder -> <out>/embedding.ark, embedding.scp: one vector per utterance, over all its frames.
set -euo pipefail

cmd=utils/run.pl
nj=1
checkpoint=best
inference=
device=auto
threads=
max_loss=0.01
label=
help_message="Usage: steps/extract_embeddings.sh [options] <exp-dir> <data-dir> <out-dir>
 e.g.: steps/extract_embeddings.sh --nj 4 exp/lde3 data/test_no_sil exp/lde3/embeddings_test
Options:
  --checkpoint best|last|<file>   which weights (default best)
  --inference <key=value ...>     changes to the saved config's section inference: 'mode=windows window=150 step=75'
  --nj <n>                        number of jobs (default 1)
  --device <d>                    auto, cpu, cuda or cuda:<n> (default auto)
  --threads <n>                   CPU threads per job (default: the cores divided by the jobs)
  --max-loss <share>              share of utterances that may be lost (default 0.01)
  --cmd <runner>                  runs the jobs (default utils/run.pl)
  --label <text>                  text of the progress line"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3 $#
exp=$1 data=$2 out=$3
require "stage 6 trains the encoder, stage 7 makes the features" "$exp/config.yaml" "$data/feats.scp"
mkdir -p "$out/log"
out=$(cd "$out" && pwd)
if [[ $out/ = "$(cd "$exp" && pwd)"/* ]]; then utils/wait_until_free.sh --shared "$exp"; fi
split_for_jobs "$data/feats.scp" "$out/log/feats.scp"
changes=()
if [ -n "$inference" ]; then changes=(--inference "$inference"); fi
export OMP_NUM_THREADS=${threads:-$(((PIPELINE_CORES + nj - 1) / nj))}

building=$out/partial        # an earlier extraction stays until this one is complete
rm -rf "$building"
mkdir "$building"
name=$(basename "$data")
utils/progress.py --label "${label:-embeddings of $name}" --total "$total" --lines "$building/embedding.*.scp" -- \
  $cmd "JOB=1:$nj" "$out/log/extract.JOB.log" \
  python3 -m nnet.extract --exp "$exp" --checkpoint "$checkpoint" --device "$device" "${changes[@]}" \
  --record "$building/extracted.JOB.yaml" \
  "scp:$out/log/feats.scp.JOB" "ark,scp:$building/embedding.JOB.ark,$building/embedding.JOB.scp"
publish_embeddings "embeddings of $name" "$data/feats.scp" "$max_loss" "$building" "$out"
{
  cat "$building/extracted.1.yaml"
  echo "embedding_scp: $(sha256sum "$out/embedding.scp" | cut -d ' ' -f 1)"
} > "$out/extracted.yaml"
rm -rf "$building"
rm -f "${parts[@]}"
