#!/usr/bin/env bash
# training lists + one YAML -> a trained speaker encoder in <exp-dir>. An interrupted run is continued.
set -euo pipefail

cmd=utils/run.pl
device=auto            # auto, cpu, cuda or cuda:<n>
threads=               # CPU threads; default: all cores
label=training
help_message="Usage: steps/train_nnet.sh [options] <config.yaml> <lists-dir> <exp-dir> [key.sub=value ...]
 e.g.: steps/train_nnet.sh --cmd \"\$cuda_cmd\" conf/nnet/lde3.yaml data/lists exp/lde3 training.steps=20000
Options:
  --device <d>      auto, cpu, cuda or cuda:<n> (default auto)
  --threads <n>     CPU threads (default: all cores)
  --cmd <runner>    runs the job (default utils/run.pl)
  --label <text>    text of the progress line"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
need_arguments 3+ $#
config=$1 lists=$2 exp=$3
shift 3
require "conf/nnet/ holds the configs, stage 5 makes the lists" "$config" "$lists/train.scp" "$lists/spk2int"
overrides=()
for override in "$@"; do overrides+=(--set-as "$override" "$override"); done
mkdir -p "$exp/log"
utils/wait_until_free.sh "$exp"       # a training that still runs there writes the log
# oneDNN keeps kernels for each chunk length, which takes gigabytes without a limit.
export ONEDNN_PRIMITIVE_CACHE_CAPACITY=${ONEDNN_PRIMITIVE_CACHE_CAPACITY:-64}
# Threads that spin are several times slower if another job shares the cores.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
export OMP_NUM_THREADS=${threads:-$PIPELINE_CORES}
exec utils/progress.py --label "$label" --follow "$exp/log/train.log" --announce "expected: " -- \
  $cmd "$exp/log/train.log" \
  python3 -m nnet.train --config "$config" "${overrides[@]}" --lists "$lists" --exp "$exp" --device "$device"
