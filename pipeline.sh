#!/usr/bin/env bash
# From a corpus to a table of speaker-verification results, in 13 stages. ./pipeline.sh --help lists the options.
# recipe/planning.py decides and checks everything before stage 0; recipe/plan.py explains the names used here, as
# $data; recipe/stages.py says what each stage reads and writes, and --dry-run prints it.
# shellcheck disable=SC2154
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/utils/stage_functions.sh"
begin_run "$@"
if [ "$benchmark" = true ]; then exec python3 utils/recipe.py benchmark "$@"; fi
few=(--cmd "$train_cmd" --max-loss "$max_loss")
cpu=(--nj "$nj" "${few[@]}")
gpu=(--nj 1 --cmd "$cuda_cmd" --device "$device" --max-loss "$max_loss")
features=(--type "$feats_type" --feats-config "$feats_config" "${own_vad[@]}" "${cpu[@]}")
lengths=(--extra-files "utt2num_frames utt2dur reco2dur")

# 0: the corpus as Kaldi data directories, with noise, music and rooms for augmentation
if stage 0; then
  run "local/prepare_$corpus.sh" --data "$data" --nj "$nj" "${prepare[@]}"
fi

# 1: MFCC and an energy-based VAD of every set; they are also the baselines' features
if stage 1; then
  for set in "${sets[@]}"; do run steps/copy_for_features.sh "$data/$set" "$mfcc/$set"; done
  if [ "$speed_perturb" = true ]; then run steps/make_speed_copies.sh "$data/train" "$mfcc/train_speed"; fi
  for set in "${featured[@]}"; do
    case $set in test*) vad=$test_vad_config ;; *) vad=$vad_config ;; esac
    run steps/make_mfcc.sh "${cpu[@]}" --label "stage 1: MFCC of $set" "$mfcc/$set" "$mfcc"/{log,ark}
    run steps/compute_vad_decision.sh "${cpu[@]}" --vad-config "$vad" "$mfcc/$set" "$mfcc"/{log,ark}
    run utils/fix_data_dir.sh "$mfcc/$set"
  done
  if [ "$speed_perturb" = true ]; then run utils/combine_data.sh "${lengths[@]}" "$mfcc"/train{_sp,,_speed}; fi
fi

# 1, other features: the network's own, with the VAD of the MFCC, or the i-vectors' with their own
if stage 1-features; then
  for set in "${featured[@]}"; do
    run steps/copy_for_features.sh "$mfcc/$set" "$feats/$set"
    run steps/make_feats.sh "${features[@]}" --label "stage 1: $feats_type of $set" "$feats/$set" "$feats"/{log,ark}
    run utils/fix_data_dir.sh "$feats/$set"
  done
  if [ "$speed_perturb" = true ]; then run utils/combine_data.sh "${lengths[@]}" "$feats"/train{_sp,,_speed}; fi
fi

# 2: augmented copies of the training set as pipes, so that no audio is written
noises=(--rir-sets "$data/rir_sets" --noise-dir "$data/musan_noise" --music-dir "$data/musan_music")
if [ -d "$data/musan_speech" ]; then noises+=(--speech-dir "$data/musan_speech"); fi
if stage 2; then
  run steps/augment_data.sh --seed "$seed" "${noises[@]}" "$feats/$base"
fi

# 3: features of some of the copies, combined with the clean utterances
if stage 3; then
  run steps/combine_augmented.sh "${features[@]}" --label "stage 3: $feats_type of augmented copies" \
    "$num_augmented" "$feats/$base" "$feats/${base}_aug" "$feats/train_combined"
fi

# 4: sliding mean normalisation, voiced frames only
if stage 4; then
  for set in "${prepared_first[@]}"; do
    run steps/prepare_feats.sh "${prepare_feats[@]}" "${cpu[@]}" --label "stage 4: $frames_kept of $set" \
      "$feats/$set" "$prepared/${set}_no_sil" "$prepared/no_sil"
  done
fi

# 5: training and held-out utterances, speaker classes, held-out trials
if [ "$augment" = online ]; then audio=(--audio-dir "$feats/train" "${noises[@]}"); else audio=(); fi
if stage 5; then
  run steps/make_training_lists.sh --cmd "$train_cmd" --min-frames "$min_frames" --min-utts "$min_utts" \
    --valid-share "$valid_share" --seed "$seed" "${audio[@]}" "$prepared/${trained_on}_no_sil" "$lists"
fi

# 6: the network; an interrupted training is resumed, but only on the lists that it began with
if stage 6; then
  run utils/wait_until_free.sh "$exp"
  run python3 -m recipe.training_inputs "$exp" "$lists"
  run steps/train_nnet.sh --cmd "$cuda_cmd" --device "$device" --label "stage 6: training" \
    "$nnet_config" "$lists" "$exp" "${overrides[@]}"
fi

# 6, i-vectors: background models of Gaussians with diagonal, then full covariances; the extractor
if stage 6-ivectors; then
  run steps/train_diag_ubm.sh "${cpu[@]}" "${diag_ubm[@]}" "$feats/train" "$exp/diag_ubm"
  run steps/train_full_ubm.sh "${cpu[@]}" "${full_ubm[@]}" "$feats/train" "$exp/diag_ubm" "$exp/full_ubm"
  run steps/train_ivector_extractor.sh "${cpu[@]}" "${extractor[@]}" "$exp/full_ubm" "$feats/train" "$exp"
  run python3 -m recipe.ivector_record --exp "$exp" "$nnet_config" "${overrides[@]}"
fi

# 7: as stage 4, for what the network embeds: the clean sets
if stage 7; then
  for set in "${sets[@]}"; do
    run steps/prepare_feats.sh "${prepare_feats[@]}" "${cpu[@]}" --label "stage 7: $frames_kept of $set" \
      "$feats/$set" "$prepared/${set}_no_sil" "$prepared/no_sil"
  done
fi

# 8: embeddings, and those of two baselines without a network: mean and std of MFCC, plain and mean-normalised
if stage 8; then
  for set in "${sets[@]}"; do
    if [ "$has_network" = true ]; then
      run steps/extract_embeddings.sh "${gpu[@]}" --inference "${inference[*]}" --label "stage 8: embeddings of $set" \
        "$exp" "$prepared/${set}_no_sil" "$exp/embeddings_$set"
    else
      run steps/extract_ivectors.sh "${cpu[@]}" "$exp" "$feats/$set" "$exp/embeddings_$set"
    fi
    if [ "$baselines" = true ]; then
      run steps/make_statistics_embeddings.sh "${few[@]}" "$mfcc/$set" "$exp/baseline/embeddings_$set"
      run steps/make_statistics_embeddings.sh "${few[@]}" --cmvn true "$mfcc/$set" "$exp/baseline_cmvn/embeddings_$set"
    fi
  done
fi

# 8, normalised: the embeddings after mean subtraction, LDA and length normalisation, as a further system
if stage 8-normalised; then
  run steps/normalise_embeddings.sh "${few[@]}" --lda-dim "$lda_dim" "$data/train" "$exp" "$exp/normalised" "${sets[@]}"
fi

# 9: one embedding per training speaker (the cohort of AS-norm) and per enrolled model
if stage 9; then
  for system in "${systems[@]}"; do
    run steps/make_training_speakers.sh --cmd "$train_cmd" "$data/train" "$system/embeddings_train"
    for test in "${tests[@]}"; do
      embeddings=$system/embeddings_$test/embedding.scp
      run steps/make_enrollment.sh --cmd "$train_cmd" "$data/$test" "$embeddings" "$system/enroll_$test"
    done
  done
fi

# 10: mean, LDA and PLDA of each system, trained on clean training speech
if stage 10; then
  for system in "${systems[@]}"; do
    run steps/train_backend.sh --cmd "$train_cmd" --lda-dim "$lda_dim" "$data/train" \
      "$system/embeddings_train/embedding.scp" "$system/backend"
  done
fi

# 11: four scores per trial: PLDA, cosine after LDA, cosine, cosine with AS-norm
if stage 11; then
  for system in "${systems[@]}"; do
    for test in "${tests[@]}"; do
      run steps/score_trials.sh --cmd "$train_cmd" --cohort "$system/$cohort" "$data/$test/trials" "$system" "$test"
    done
  done
fi

# 12: EER, minDCF and their intervals of every system and score; the report, a page with plots
if stage 12; then
  run steps/report.sh --bootstrap "$bootstrap" --seed "$seed" --command "$command" --times "$times" \
    --corpus "$name" --others "${others[*]}" "$data" "$exp" "${tests[@]}"
fi
end_run
