"""Names of tensors without the prefixes that torch's wrappers add.

DataParallel and DistributedDataParallel put `module.` before every name, torch.compile `_orig_mod.`, at the front or
before the names of the part that is compiled; a network may be wrapped by both, in either order.
"""

from __future__ import annotations

from collections.abc import Iterable

PARALLEL, COMPILED = "module.", "_orig_mod."
_OF = {PARALLEL: "DataParallel or DistributedDataParallel", COMPILED: "torch.compile"}


def unwrapped(names: Iterable[str]) -> tuple[dict[str, str], str]:
    """The names that a network itself gives.

    Args:
        names: of all tensors of a network.

    Returns:
        Each name with the network's own, and what was taken off, in words; "" if nothing was.
    """
    own = {name: name for name in names}
    taken: list[str] = []
    while prefix := next((each for each in _OF if own and all(name.startswith(each) for name in own.values())), ""):
        own = {name: short.removeprefix(prefix) for name, short in own.items()}
        taken.append(prefix)
    parts = {name: short.replace(f".{COMPILED}", ".").removeprefix(COMPILED) for name, short in own.items()}
    if parts != own and len(set(parts.values())) == len(parts):
        own = parts
        taken.append(COMPILED)
    return own, " and ".join(f"{prefix} ({_OF[prefix]})" for prefix in dict.fromkeys(taken))
