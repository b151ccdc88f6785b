# shellcheck shell=bash
# Sourced by the steps of the i-vector row: the features that all of them use.

ivector_feats() {  # <feats.scp> <vad.scp> <options of add-deltas> <apply-cmn: true|false>: prints the rspecifier
  # Differences first, then the mean of a centred window of 3 s (300 frames), then the voiced frames only. More commands
  # may be appended: "$(ivector_feats …) subsample-feats --n=5 ark:- ark:- |"
  local pipe="ark,s,cs:add-deltas $3 scp:$1 ark:- |"
  if [ "$4" = true ]; then
    pipe+=" apply-cmvn-sliding --norm-vars=false --center=true --cmn-window=300 ark:- ark:- |"
  fi
  echo "$pipe select-voiced-frames ark:- scp,s,cs:$2 ark:- |"
}

ivector_delta_opts() {  # <ubm-dir>: prints the options of add-deltas that the UBM was trained with
  require "steps/train_diag_ubm.sh makes it" "$1/delta_opts"
  cat "$1/delta_opts"
}
