"""The network that a config describes: encoder → pooling → embedding, and for training head → loss.

Each part says what it gives (`out_dim`), and the next is built from it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from common.errors import InputError
from common.options import name_of, part_of
from nnet.config.experiment import Config
from nnet.config.sections import HeadOptions
from nnet.encoders import ENCODERS
from nnet.parts import Encoder, Loss, Pooling
from nnet.pooling.fit import fit_to_encoder

NORM_FLOOR = 1e-6  # least length that an embedding is divided by: zero stays zero, its gradient finite


class SpeakerNet(nn.Module):
    """An embedding network and its training loss.

    Only the encoder runs under an autocast that the caller opens: statistics, embedding, head and loss are computed in
    the parameters' own precision, float32, since bf16's 8 bits are too few for sums over frames and for angles.
    """

    def __init__(
        self,
        feature_dim: int,
        encoder: Encoder,
        pooling: Pooling,
        embedding: nn.Linear | nn.Identity,
        head: nn.Module,
        loss: Loss,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.normalise = normalise
        self.encoder = encoder
        self.pooling = pooling
        self.embedding = embedding
        self.head = head
        self.loss_function = loss

    @property
    def embedding_dim(self) -> int:
        """E."""
        return self.embedding.out_features if isinstance(self.embedding, nn.Linear) else self.pooling.out_dim

    @property
    def min_frames(self) -> int:
        """The fewest frames that the encoder sees at once; for shorter utterances see `needed_frames`."""
        return self.encoder.min_frames

    @property
    def needed_frames(self) -> int:
        """The fewest frames that an utterance must have: 1 if the encoder lengthens shorter ones itself (by
        repetition), `min_frames` if it refuses them (convgru, and others with `pad_short: false`)."""
        return 1 if self.encoder.pads_short else self.min_frames

    @property
    def max_frames(self) -> int | None:
        """The most frames to give the encoder at once in evaluation, None for any number."""
        return self.encoder.max_frames

    def embed(self, feats: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Embeddings of a padded batch; in eval mode none depends on the others or on the padding.

        In training mode batch norm sees every frame of the batch, so training batches hold chunks of one length.

        Args:
            feats: float32 (B, T, F); the padding may hold anything.
            lengths: integer (B,), frames of each utterance, 1 … T; best on the CPU, where reading it waits for nothing.

        Returns:
            float32 (B, E), of length 1 if the config says `embedding.normalise`.

        Raises:
            ValueError: lengths that do not fit `feats`, or another number of features than the config's.
        """
        frames, lengths = self._encode(feats, lengths)
        with torch.autocast(frames.device.type, enabled=False):
            return self._finish(self.pooling(frames, lengths))  # (B, T', C) -> (B, D) -> (B, E)

    def training_loss(
        self, feats: torch.Tensor, lengths: torch.Tensor, labels: torch.Tensor, step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The training loss of a batch from its features, with the pooling's penalty.

        Args:
            feats: as for `embed`.
            lengths: as for `embed`.
            labels: as for `loss`.
            step: as for `loss`.

        Returns:
            the mean loss, (), and whether each of the K decisions was right without margin, bool (K,).

        Raises:
            ValueError: lengths, features or labels that do not fit.
        """
        frames, lengths = self._encode(feats, lengths)
        with torch.autocast(frames.device.type, enabled=False):
            if step == 1 and self.training:
                self.pooling.begin(frames.detach(), lengths)
            pooled, penalty = self.pooling.with_penalty(frames, lengths)  # (B, T', C) -> (B, D), ()
            embedding = self._finish(pooled)
        loss, hits = self.loss(embedding, labels, step)
        return loss + penalty, hits

    def loss(self, embedding: torch.Tensor, labels: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The training loss.

        Args:
            embedding: (B, E), from `embed`.
            labels: integer (B,), 0 … S − 1; best on the CPU, where they are checked without waiting for the device.
            step: the training step, counted from 1; a loss that is annealed depends on it.

        Returns:
            the mean loss, (), and whether each of the K decisions was right without margin, bool (K,).

        Raises:
            ValueError: a label out of range.
        """
        with torch.autocast(embedding.device.type, enabled=False):
            return self.loss_function(self.head(embedding), labels, step)

    def scale_invariant_parameters(self) -> set[str]:
        """Names of the parameters without weight decay: those whose length does not count, and others that the
        loss names (GE2E's w and b)."""
        loss = self.loss_function
        return {f"loss_function.{name}" for name in (*loss.scale_invariant, *loss.undecayed)}

    def _encode(self, feats: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Checked features (B, T, F) → frames (B, T', C) in the parameters' precision, their lengths (B,)."""
        lengths = lengths.cpu()
        self._check(feats, lengths)
        frames, lengths = self.encoder(feats, lengths)
        return frames.to(next(self.parameters()).dtype), lengths

    def _finish(self, pooled: torch.Tensor) -> torch.Tensor:
        """(B, D) → (B, E)."""
        embedding = self.embedding(pooled)
        return functional.normalize(embedding, eps=NORM_FLOOR) if self.normalise else embedding

    def _check(self, feats: torch.Tensor, lengths: torch.Tensor) -> None:
        if feats.dim() != 3 or lengths.shape != feats.shape[:1]:
            found = f"feats {tuple(feats.shape)} and lengths {tuple(lengths.shape)}"
            raise ValueError(f"{found}; expected (B, T, F) and (B,)")
        if feats.shape[2] != self.feature_dim:
            raise ValueError(f"features of {feats.shape[2]} columns; the network was built for {self.feature_dim}")
        if torch.compiler.is_compiling():
            return  # a traced graph cannot branch on values: its caller checks them
        if int(lengths.min()) < 1 or int(lengths.max()) > feats.shape[1]:
            raise ValueError(f"lengths {lengths.tolist()}; expected 1 to {feats.shape[1]} frames")


def build(config: Config, num_speakers: int) -> SpeakerNet:
    """The network of `config` for `num_speakers` training speakers, with random weights from torch's generator.

    Raises:
        InputError: parts that do not fit together, chunks too short for the encoder, or fewer than two speakers.
    """
    if num_speakers < 2:
        raise InputError(f"{num_speakers} training speakers; a network needs at least 2")
    encoder = part_of(config.encoder)(config.encoder, config.features.dim)
    shortest = config.data.chunk_frames[0]
    if shortest < encoder.min_frames:
        raise InputError(
            f"data.chunk_frames begins at {shortest}, but the encoder sees {encoder.min_frames} frames at once; begin"
            f" at {encoder.min_frames} or more"
        )
    options = fit_to_encoder(config.pooling, encoder, name_of(ENCODERS, config.encoder))
    pooling = part_of(options)(options, encoder.out_dim)
    dim = config.embedding.dim
    embedding = nn.Identity() if dim is None else nn.Linear(pooling.out_dim, dim)
    head, head_dim = _build_head(config.head, pooling.out_dim if dim is None else dim)
    loss = part_of(config.loss)(config.loss, head_dim, num_speakers)
    return SpeakerNet(config.features.dim, encoder, pooling, embedding, head, loss, config.embedding.normalise)


def _build_head(options: HeadOptions, in_dim: int) -> tuple[nn.Sequential, int]:
    """The layers between embedding and loss, and the width of the last one."""
    layers = _norm_relu(options, in_dim, relu=options.relu)
    for width in options.hidden:
        layers += [nn.Linear(in_dim, width), *_norm_relu(options, width, relu=True)]
        in_dim = width
    return nn.Sequential(*layers), in_dim


def _norm_relu(options: HeadOptions, dim: int, relu: bool) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.BatchNorm1d(dim)] if options.batch_norm else []
    if relu:
        layers.insert(0 if options.order == "relu_norm" else len(layers), nn.ReLU())
    return layers
