# shellcheck shell=bash
# Sourced by every step. Finds the commands: real Kaldi where $KALDI_ROOT has it, else minikaldi.
#
#   KALDI_ROOT=/opt/kaldi ./pipeline.sh      # command by command: what Kaldi lacks, minikaldi answers
#
# Kaldi is looked for in $KALDI_ROOT/src/*bin, $KALDI_ROOT/bin and $KALDI_ROOT, in this order.

PIPELINE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PIPELINE_ROOT

_pipeline_path=$PIPELINE_ROOT/utils
if [ -n "${KALDI_ROOT:-}" ]; then
  if [ ! -d "$KALDI_ROOT" ]; then
    echo "path.sh: KALDI_ROOT is $KALDI_ROOT, which is not a folder; unset it to use minikaldi alone" >&2
    return 1
  fi
  _found=
  for _dir in "$KALDI_ROOT"/src/*bin "$KALDI_ROOT/bin" "$KALDI_ROOT"; do
    if [ -d "$_dir" ]; then _pipeline_path+=:$_dir; fi
    for _name in "$PIPELINE_ROOT"/minikaldi/bin/*; do
      if [ -z "$_found" ] && [ -x "$_dir/${_name##*/}" ]; then _found=$_dir; fi
    done
  done
  if [ -z "$_found" ]; then
    echo "path.sh: KALDI_ROOT is $KALDI_ROOT, but neither it nor its src/*bin or bin has a command of Kaldi;" \
      "build Kaldi there, or unset it to use minikaldi alone" >&2
    return 1
  fi
fi
_pipeline_path+=:$PIPELINE_ROOT/minikaldi/bin
if [ -e "$PIPELINE_ROOT/.venv/.ready" ]; then _pipeline_path+=:$PIPELINE_ROOT/.venv/bin; fi
export PATH=$_pipeline_path:$PATH
export PYTHONPATH=$PIPELINE_ROOT${PYTHONPATH:+:$PYTHONPATH}
unset _pipeline_path _dir _found _name

# Of this machine, or as many as the caller's OMP_NUM_THREADS allows; after the next lines nproc would say 1.
export PIPELINE_CORES=${PIPELINE_CORES:-$(nproc)}
export LC_ALL=C                                  # Kaldi's sorting order, in every tool
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}     # --nj jobs share the cores; training sets its own
export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1}
export PYTHONUNBUFFERED=1                        # logs are complete while a job runs
