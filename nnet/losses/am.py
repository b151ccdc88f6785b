"""AM-softmax, the additive margin of the cosine.

Source: Wang et al. 2018, "Additive margin softmax for face verification", equation 5; Wang et al. 2018, "CosFace: Large
margin cosine loss for deep face recognition", equation 4. The logits are s cos θ_j, that of the true class
s (cos θ − m). Sub-centres and the growth of the margin are those of nnet/losses/aam.py.
"""

from __future__ import annotations

import torch

from nnet.losses.aam import Aam


class Am(Aam):
    """(B, H), labels (B,) → mean cross-entropy with margin, hits without (B,). No bias, no ReLU before it."""

    def with_margin(self, cosine: torch.Tensor, margin: float) -> torch.Tensor:
        """cos θ − m."""
        return cosine - margin
