#!/usr/bin/env bash
# <data> with MFCC feats.scp, vad.scp -> <dir>/final.dubm: a mixture of Gaussians with diagonal covariances.
set -euo pipefail

nj=4
cmd=utils/run.pl
num_iters=4
num_gselect=30
num_frames=500000
num_iters_init=20
initial_gauss_proportion=0.5
num_threads=
subsample=5
min_gaussian_weight=0.0001
remove_low_count_gaussians=true
delta_window=3
delta_order=2
apply_cmn=true
cleanup=true
max_loss=0.01
label=
help_message="Usage: steps/train_diag_ubm.sh [options] <data> <num-gauss> <diag-ubm-dir>
 e.g.: steps/train_diag_ubm.sh --nj 8 data/train 2048 exp/diag_ubm
Frames at random are the first means; then E-M on --num-frames frames in memory, then on all. The features get deltas
and a sliding mean is subtracted; only voiced frames are used. <num-gauss> may also come first. If it is run again,
finished passes are not repeated, nor is a model that was made with the same options and data.
Options:
  --nj <n>                        number of jobs (default 4)
  --cmd <runner>                  runs the jobs (default utils/run.pl)
  --num-iters <n>                 passes of E-M over all features (default 4)
  --num-gselect <n>               Gaussians per frame in these passes (default 30)
  --subsample <n>                 these passes use every n-th frame (default 5)
  --num-frames <n>                frames in memory for the initial model (default 500000)
  --num-iters-init <n>            iterations of E-M on these (default 20)
  --initial-gauss-proportion <p>  share of the Gaussians to start with; the others are split from them (default 0.5)
  --num-threads <n>               threads for the initial model (default: the cores)
  --min-gaussian-weight <w>       Gaussians of a lower weight are not updated (default 0.0001)
  --remove-low-count-gaussians true|false  and removed, after the last pass (default true)
  --delta-window <n>              of add-deltas, frames on each side (default 3)
  --delta-order <n>               of add-deltas (default 2)
  --apply-cmn true|false          subtract the mean over a centred window of 3 s (default true)
  --cleanup true|false            remove statistics, selections and the models of the passes (default true)
  --max-loss <share>              share of utterances that may be lost (default 0.01)
  --label <text>                  text of the progress lines"

. ./path.sh
. utils/parse_options.sh
. steps/functions.sh
. steps/ivector_feats.sh
. steps/ubm_passes.sh
need_arguments 3 $#
if [[ $1 =~ ^[0-9]+$ ]] && [ ! -d "$1" ]; then set -- "$2" "$1" "$3"; fi
data=$1 num_gauss=$2 dir=$3
need_integer "<num-gauss>" "$num_gauss" 1
need_integer --subsample "$subsample" 1
need_integer --num-iters "$num_iters" 0
require "stages 0 and 1 make them" "$data/feats.scp" "$data/vad.scp"
num_gauss_init=$(awk -v p="$initial_gauss_proportion" -v n="$num_gauss" 'BEGIN { print int(p * n) }')
need_integer "--initial-gauss-proportion times <num-gauss>" "$num_gauss_init" 1
if [ "$num_gauss_init" -gt "$num_gauss" ]; then
  echo "train_diag_ubm.sh: --initial-gauss-proportion is $initial_gauss_proportion; expected at most 1" >&2
  exit 1
fi

mkdir -p "$dir/log"
dir=$(cd "$dir" && pwd)
work=$dir/partial logs=$dir/log
label=${label:-diagonal UBM}
deltas="--delta-window=$delta_window --delta-order=$delta_order"
settings="num_gauss=$num_gauss num_gauss_init=$num_gauss_init num_iters=$num_iters
num_gselect=$num_gselect num_frames=$num_frames num_iters_init=$num_iters_init subsample=$subsample
min_gaussian_weight=$min_gaussian_weight remove_low_count_gaussians=$remove_low_count_gaussians
deltas=$deltas apply_cmn=$apply_cmn
$(data_state "$data/feats.scp" "$data/vad.scp")"
end_if_made "$dir/final.dubm"
split_for_jobs "$data/feats.scp" "$logs/feats.scp"
start_or_continue

if [ "$pass" -lt 0 ]; then
  lines=$((2 * num_iters_init + num_iters_init / 2 + 4))
  utils/progress.py --label "$label: initial model" --total "$lines" --lines "$logs/gmm_init.log" -- \
    $cmd "$logs/gmm_init.log" \
    gmm-global-init-from-feats "--num-threads=${num_threads:-$PIPELINE_CORES}" "--num-frames=$num_frames" \
    "--min-gaussian-weight=$min_gaussian_weight" "--num-gauss=$num_gauss" "--num-gauss-init=$num_gauss_init" \
    "--num-iters=$num_iters_init" "$(ivector_feats "$data/feats.scp" "$data/vad.scp" "$deltas" "$apply_cmn")" \
    "$work/next.dubm"
  mv "$work/next.dubm" "$work/0.dubm"
  pass=0
fi
feats=$(ivector_feats "$logs/feats.scp.JOB" "$data/vad.scp" "$deltas" "$apply_cmn")
if [ "$subsample" -gt 1 ]; then feats+=" subsample-feats --n=$subsample ark:- ark:- |"; fi
select_gaussians "$num_gselect" "$work/0.dubm" "$feats"
train_passes gmm dubm "$feats"
finish_ubm "$work/$num_iters.dubm" "$dir/final.dubm"
rm -f "${parts[@]}"
show_warnings "$logs"/gmm_init.log "$logs"/update.*.log
