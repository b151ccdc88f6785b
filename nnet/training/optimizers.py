"""Which parameters are kept from weight decay, the optimizer over them, and how gradients are limited.

The options: optimizer_options.py.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils import clip_grad_norm_

from common.errors import InputError
from nnet.model import SpeakerNet
from nnet.training.optimizer_options import OptimizerOptions


def exempt_from_decay(options: OptimizerOptions, net: SpeakerNet) -> set[str]:
    """Names of the parameters that do not decay.

    Always those whose length does not count (the class weights of angular losses): decay would shrink their
    norm, and so change only the effective angular rate. With `decay: weights` also each bias, scale and slope, which
    are the parameters of fewer than two dimensions (a norm's weight, GE2E's w and b), and all of a norm's. And those
    that match a pattern of `decay_exempt`.

    Raises:
        InputError: a pattern that matches none.
    """
    names = [name for name, _ in net.named_parameters()]
    exempt = set(net.scale_invariant_parameters())
    for pattern in options.decay_exempt:
        matched = {name for name in names if fnmatchcase(name, pattern)}
        if not matched:
            known = f"names are like {', '.join(names[:3])}"
            raise InputError(f"optimizer.decay_exempt: {pattern} matches no parameter; {known}")
        exempt |= matched
    if options.decay == "weights":
        exempt |= {name for name, parameter in net.named_parameters() if parameter.dim() < 2} | _norm_parameters(net)
    return exempt.intersection(names)


def _norm_parameters(net: SpeakerNet) -> set[str]:
    """Names of the parameters of normalisation layers."""
    norms = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    return {
        f"{path}.{name}"
        for path, module in net.named_modules()
        if isinstance(module, norms)
        for name, _ in module.named_parameters(recurse=False)
    }


def build_optimizer(options: OptimizerOptions, net: SpeakerNet) -> torch.optim.Optimizer:
    """An optimizer with a group that decays and one that does not; parameters that need no gradient are left out."""
    exempt = exempt_from_decay(options, net)
    trained = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    groups: list[dict[str, object]] = [
        {"params": [p for name, p in trained.items() if name not in exempt], "weight_decay": options.weight_decay},
        {"params": [p for name, p in trained.items() if name in exempt], "weight_decay": 0.0},
    ]
    return options.build([group for group in groups if group["params"]])


def clip_gradients(net: SpeakerNet, clip_norm: float | None, loss_clip_norm: float | None) -> torch.Tensor:
    """Scale the gradient down to a norm at most.

    Args:
        net: after the backward pass.
        clip_norm: of the whole gradient; of all but the loss's parameters if these have a limit of their own.
        loss_clip_norm: of the gradient of the loss's parameters (class weights, GE2E's w and b) if it is set.

    Returns:
        The norm of the whole gradient before, a scalar on its device; not finite if an element is not.
    """
    limit = clip_norm or float("inf")
    if loss_clip_norm is None:
        return clip_grad_norm_(net.parameters(), limit)
    of_loss = list(net.loss_function.parameters())
    in_loss = {id(parameter) for parameter in of_loss}
    others = [parameter for parameter in net.parameters() if id(parameter) not in in_loss]
    norms = [clip_grad_norm_(others, limit), clip_grad_norm_(of_loss, loss_clip_norm)]
    return torch.stack([norm.to(norms[0].device) for norm in norms]).norm()
