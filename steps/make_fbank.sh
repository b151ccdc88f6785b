#!/usr/bin/env bash
# <data> with wav.scp -> <data> with feats.scp (fbank); Kaldi's name for steps/make_feats.sh --type fbank.
set -euo pipefail

options=(--type fbank)
while [ $# -gt 0 ] && [ "${1#--}" != "$1" ]; do
  if [ "$1" = "--fbank-config" ]; then
    options+=(--feats-config "${2:?make_fbank.sh: --fbank-config needs a file}")
  else
    options+=("$1" "${2:-}")
  fi
  shift $(($# > 1 ? 2 : 1))
done
if [ $# -eq 1 ]; then set -- "$1" "$1/log" "$1/data"; fi     # Kaldi's defaults
if [ $# -eq 2 ]; then set -- "$1" "$2" "$1/data"; fi
exec steps/make_feats.sh "${options[@]}" "$@"
