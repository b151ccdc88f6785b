"""Keys of other toolkits, and the keys that set the same here: a hint in the message on an unknown key."""

from __future__ import annotations

import re

RATE = "the learning rate is set in the section schedule, e.g. schedule.peak_lr"
STEPS = "the length of a run is training.steps, updates of the weights, or training.epochs, passes over the list"
CHUNKS = "the length of training chunks is data.chunk_frames, [least, greatest] in frames"
BINS = "the number of feature bins is features.dim, and features.config names the option file that makes them"
WIDTH = "the size of an embedding is embedding.dim"
SPEAKERS = "the number of speakers is that of the training lists, and not an option"
START = "training.start_from names a checkpoint to begin with; the same command resumes an interrupted run"
CLIP = "the limit of the gradient's norm is training.clip_norm"
WARM_UP = "the warm-up is schedule.warmup_steps (or warmup_share)"
NETWORK = "the network is the sections encoder, pooling, embedding and head"
DEVICE = "the device is an option of the command line, --device"

ELSEWHERE = {
    **dict.fromkeys(("lr", "learning_rate", "base_lr", "initial_lr", "max_lr", "peak_lr", "lr_scheduler"), RATE),
    **dict.fromkeys(("warmup", "warmup_steps", "warmup_epochs"), WARM_UP),
    **dict.fromkeys(("epoch", "epochs", "num_epochs", "max_epochs", "n_epochs", "nb_epochs"), STEPS),
    **dict.fromkeys(("steps", "max_steps", "num_steps", "total_steps", "iterations", "max_iter", "num_iters"), STEPS),
    **dict.fromkeys(("batch", "batch_size", "batchsize", "bs", "minibatch_size"), "the batch is data.batch_size"),
    **dict.fromkeys(("workers", "num_workers", "n_workers"), "loader processes are data.workers"),
    **dict.fromkeys(("chunk_len", "chunk_size", "chunk_length", "crop", "num_frames", "max_frames"), CHUNKS),
    **dict.fromkeys(("segment_length", "segment_size", "sequence_length", "egs_length", "chunk_frames"), CHUNKS),
    **dict.fromkeys(("n_mels", "num_mels", "nmels", "num_mel_bins", "num_bins", "feat_dim", "input_dim"), BINS),
    **dict.fromkeys(("emb_dim", "embed_dim", "embedding_dim", "embedding_size", "emb_size", "nout"), WIDTH),
    **dict.fromkeys(("num_speakers", "num_classes", "n_classes", "n_speakers", "num_spks", "num_spk"), SPEAKERS),
    **dict.fromkeys(("clip_grad", "grad_clip", "clip_grad_norm", "max_grad_norm", "gradient_clip_val", "clip"), CLIP),
    **dict.fromkeys(("amp", "use_amp", "fp16", "bf16", "mixed_precision", "dtype"), "see training.precision"),
    **dict.fromkeys(("pretrained", "resume", "init", "init_checkpoint", "initial_model", "checkpoint"), START),
    **dict.fromkeys(("device", "gpu", "gpus", "cuda", "num_gpus"), DEVICE),
    **dict.fromkeys(("eval_interval", "val_interval", "valid_interval", "validate_every"), "see training.valid_every"),
    **dict.fromkeys(("save_interval", "save_epoch_interval", "checkpoint_interval"), "see training.save_every"),
    **dict.fromkeys(("log_interval", "log_batch_interval", "print_freq", "log_freq"), "see training.log_every"),
    **dict.fromkeys(("weight_decay", "wd", "l2"), "weight decay is optimizer.weight_decay"),
    "momentum": "optimizer.momentum, of {name: sgd}; adam and adamw have optimizer.betas",
    "seed": "the seed is training.seed; --seed of ./pipeline.sh sets it too",
    "dropout": "dropout is an option of the encoders that have it, encoder.dropout",
    **dict.fromkeys(("margin", "m"), "the margin is loss.margin"),
    **dict.fromkeys(("scale", "s"), "the scale of a margin loss is loss.scale"),
    **dict.fromkeys(("model", "backbone", "network", "arch"), NETWORK),
    **dict.fromkeys(("dataset", "dataloader", "dataset_args", "sampler"), "see the section data"),
    **dict.fromkeys(("optim", "optimiser"), "see the section optimizer"),
    **dict.fromkeys(("scheduler", "lr_schedule"), "see the section schedule"),
    **dict.fromkeys(("train", "trainer", "train_conf"), "see the section training"),
    **dict.fromkeys(("criterion", "classifier", "projection", "loss_fn"), "see the section loss"),
    **dict.fromkeys(("frontend", "feature", "feats", "fbank_args", "feature_args"), "see the section features"),
    **dict.fromkeys(("augmentation", "aug", "specaug", "spec_aug", "speed_perturb"), "see the section augment"),
}
"""Last word of the key, in lower case -> where it is set here."""


def hint(key: str) -> str:
    """The words for an unknown key, dotted or a section, with a semicolon after them; "" if there are none."""
    words = ELSEWHERE.get(key.rpartition(".")[2].lower(), "")
    known = "." in key and re.search(rf"\b{re.escape(key)}\b", words)  # but not of this optimizer, loss ...
    return f"{words}; " if words and not known else ""
