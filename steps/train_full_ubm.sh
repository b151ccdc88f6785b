#!/usr/bin/env bash
# <data> with MFCC feats.scp, vad.scp + a UBM -> <dir>/final.ubm: a mixture of Gaussians with full covariances.
set -euo pipefail

nj=4
cmd=utils/run.pl
num_iters=4
num_gselect=20
subsample=5
min_gaussian_weight=0.0001
remove_low_count_gaussians=true
apply_cmn=true
cleanup=true
max_loss=0.01
label=
help_message="Usage: steps/train_full_ubm.sh [options] <data> <old-ubm-dir> <full-ubm-dir>
 e.g.: steps/train_full_ubm.sh --nj 8 data/train exp/diag_ubm exp/full_ubm
The old UBM is final.dubm of steps/train_diag_ubm.sh, or final.ubm of this step. The features are those that it was
trained with. If it is run again, finished passes are not repeated, nor is a model that was made with the same options
and data.
Options:
  --nj <n>                        number of jobs (default 4)
  --cmd <runner>                  runs the jobs (default utils/run.pl)
  --num-iters <n>                 passes of E-M (default 4)
  --num-gselect <n>               Gaussians per frame, selected by the old model's diagonal form (default 20)
  --subsample <n>                 use every n-th frame (default 5)
  --min-gaussian-weight <w>       Gaussians of a lower weight are not updated (default 0.0001)
  --remove-low-count-gaussians true|false  and removed, after the last pass (default true)
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
data=$1 old=$2 dir=$3
need_integer --subsample "$subsample" 1
need_integer --num-iters "$num_iters" 0
require "stages 0 and 1 make them" "$data/feats.scp" "$data/vad.scp"
old_model=$old/final.dubm
if [ ! -s "$old_model" ] && [ -s "$old/final.ubm" ]; then old_model=$old/final.ubm; fi
require "steps/train_diag_ubm.sh makes it" "$old_model"
deltas=$(ivector_delta_opts "$old")

mkdir -p "$dir/log"
dir=$(cd "$dir" && pwd)
work=$dir/partial logs=$dir/log
label=${label:-full-covariance UBM}
settings="num_iters=$num_iters num_gselect=$num_gselect subsample=$subsample
min_gaussian_weight=$min_gaussian_weight remove_low_count_gaussians=$remove_low_count_gaussians
deltas=$deltas apply_cmn=$apply_cmn
$(data_state "$data/feats.scp" "$data/vad.scp")
$(sha256sum < "$old_model")"
end_if_made "$dir/final.ubm"
split_for_jobs "$data/feats.scp" "$logs/feats.scp"
start_or_continue

if [ "$pass" -lt 0 ]; then
  if [ "${old_model##*.}" = dubm ]; then
    $cmd "$logs/convert_diag_to_full.log" gmm-global-to-fgmm "$old_model" "$work/next.ubm"
  else
    cp "$old_model" "$work/next.ubm"
  fi
  mv "$work/next.ubm" "$work/0.ubm"
  pass=0
fi
feats=$(ivector_feats "$logs/feats.scp.JOB" "$data/vad.scp" "$deltas" "$apply_cmn")
if [ "$subsample" -gt 1 ]; then feats+=" subsample-feats --n=$subsample ark:- ark:- |"; fi
select_gaussians "$num_gselect" "fgmm-global-to-gmm $work/0.ubm - |" "$feats"
train_passes fgmm ubm "$feats"
finish_ubm "$work/$num_iters.ubm" "$dir/final.ubm"
rm -f "${parts[@]}"
show_warnings "$logs"/update.*.log
