# shellcheck shell=bash
# Sourced by pipeline.sh: what runs the jobs. Each is called as `$train_cmd JOB=1:8 dir/log/x.JOB.log command …`.
#
# This machine is the default. Any runner with Kaldi's command line serves, e.g. Kaldi's own:
#   train_cmd="$KALDI_ROOT/egs/wsj/s5/utils/parallel/slurm.pl --mem 2G" ./pipeline.sh

export train_cmd=${train_cmd:-utils/run.pl}      # features, lists, back end
export cuda_cmd=${cuda_cmd:-utils/run.pl}        # training and extraction
