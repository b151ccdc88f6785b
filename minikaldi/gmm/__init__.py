"""Gaussian mixtures: models, likelihoods, statistics and updates. Source folder: Kaldi gmm/."""
