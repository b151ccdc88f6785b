"""Where the figures of a run come from: the code, the machine, the network.

The network's programs write what they know into the experiment (trained.yaml, imported.yaml, extracted.yaml). It is
read here without torch.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.options import ConfigError
from common.yaml_text import read_yaml

Note = tuple[str, str]

ROOT = Path(__file__).resolve().parents[1]
NO_GIT = "no git"
IVECTOR_SYSTEM = "i-vector"
"""What the ledger calls i-vectors; `system` in their trained.yaml."""


def git_commit(root: Path = ROOT) -> str:
    """The commit of a checkout, `(with changes in 2 files)` if files differ from it; `no git` if there is no checkout.

    A folder inside another project's checkout has none.
    """
    commit, changed = checkout_state(root)
    return NO_GIT if commit is None else commit + (f" (with changes in {changed} files)" if changed else "")


def checkout_state(root: Path = ROOT) -> tuple[str | None, int]:
    """The commit of a checkout and how many files differ from it; None and 0 if there is no checkout."""
    try:
        top, commit = _git(root, "rev-parse", "--show-toplevel", "HEAD").splitlines()
        if Path(top).resolve() != root.resolve():
            return None, 0
        return commit, len(_git(root, "status", "--porcelain").splitlines())
    except (OSError, ValueError, subprocess.CalledProcessError):  # git is not installed, or refuses
        return None, 0


def _git(root: Path, *words: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(root), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout


def machine(cores: int | None = None) -> str:
    """`2 cores, AMD EPYC, Linux x86_64`.

    Args:
        cores: cores that the run may use; None: those of this process.
    """
    return f"{cores or usable_cores()} cores, {processor()}, {platform.system()} {platform.machine()}"


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


CPUINFO = Path("/proc/cpuinfo")


def processor(cpuinfo: Path = CPUINFO) -> str:
    """The CPU's name."""
    fields = _cpu_fields(cpuinfo)
    return fields.get("model name") or fields.get("Model") or platform.processor() or "unknown processor"


def processor_version(cpuinfo: Path = CPUINFO) -> str | None:
    """`family 26, model 2, stepping 1`: which distinguishes CPUs of one name; None if the system does not say."""
    fields = _cpu_fields(cpuinfo)
    keys = {"family": "cpu family", "model": "model", "stepping": "stepping"}
    return ", ".join(f"{name} {fields[key]}" for name, key in keys.items() if key in fields) or None


def _cpu_fields(cpuinfo: Path) -> dict[str, str]:
    """The fields of the first CPU, and those that only the end of the file has."""
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.is_file() else []
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in reversed(lines))}


def network_notes(exp: Path, tests: Sequence[str]) -> list[Note]:
    """The origin of the network and of its embeddings, and what computed them.

    Args:
        exp: the experiment.
        tests: names of the test sets; their embeddings are in `embeddings_<name>`.

    Raises:
        InputError: a record of the experiment cannot be read.
    """
    folders = [exp / f"embeddings_{name}" for name in ("train", *tests)]
    own = [folder.name for folder in folders if not made_here(folder)]
    extracted = next((read_record(folder / "extracted.yaml") for folder in folders if folder.name not in own), {})
    trained, imported = read_record(exp / "trained.yaml"), read_record(exp / "imported.yaml")
    if len(own) == len(folders):
        return [("network", "own embeddings, which were not extracted here")]
    if trained.get("system") == IVECTOR_SYSTEM:
        return [("i-vectors", f"{_trained_here(trained)}; {trained.get('parameters')} parameters")]
    if own:
        notes = [("network", f"{_network(trained, imported)}; own embeddings in {', '.join(own)}")]
    else:
        notes = [("network", _network(trained, imported))]
    if trained and not imported:
        notes.append(("training", _training(trained)))
    precision = f"{trained.get('precision')} in training, " if trained and not imported else ""
    notes.append(("precision", f"{precision}float32 in embedding"))
    return [*notes, ("embeddings", _extraction(extracted)), ("torch", _versions(trained, extracted))]


def made_here(folder: Path) -> bool:
    """Whether the embeddings are those that steps/extract_embeddings.sh made, unchanged."""
    table = folder / "embedding.scp"
    expected = read_record(folder / "extracted.yaml").get("embedding_scp")
    return table.is_file() and hashlib.sha256(table.read_bytes()).hexdigest() == expected


def read_record(path: Path) -> dict[str, Any]:
    """A mapping that a program wrote as YAML; {} if there is no such file.

    Raises:
        InputError: not a mapping, or not YAML.
    """
    if not path.is_file():
        return {}
    try:
        content = read_yaml(path)
    except ConfigError as error:
        raise InputError(f"{error}; run the stage that writes it again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping; run the stage that writes it again")
    return content


def _network(trained: dict[str, Any], imported: dict[str, Any]) -> str:
    if imported:
        system = f"{imported.get('system')}, {imported.get('published')}"
        return f"imported from {imported.get('file')} (SHA-256 {imported.get('sha256')}; {system})"
    if not trained:
        return "not known: the experiment has no trained.yaml and no imported.yaml"
    start = trained.get("start_from")
    begun = f"from {start['file']} (SHA-256 {start['sha256']})" if isinstance(start, dict) else "from random weights"
    return _trained_here(trained, f", {begun}")


def _trained_here(trained: dict[str, Any], begun: str = "") -> str:
    changes = " ".join(trained.get("overrides") or [])
    commit = f", by commit {trained['commit']}" if trained.get("commit", NO_GIT) != NO_GIT else ""
    return f"trained here by {trained.get('config')}{f' with {changes}' if changes else ''}{begun}{commit}"


def _training(trained: dict[str, Any]) -> str:
    steps = f"{trained.get('step')} of {trained.get('steps')} steps, the best model of step {trained.get('best_step')}"
    return f"{steps}, {trained.get('seconds')} s, on {trained.get('device')}"


def _extraction(extracted: dict[str, Any]) -> str:
    changes = " ".join(extracted.get("inference") or [])
    of = f"of {extracted.get('checkpoint')} (SHA-256 {extracted.get('sha256')})"
    return f"{of}{f', {changes}' if changes else ''}, on {extracted.get('device')}"


def _versions(trained: dict[str, Any], extracted: dict[str, Any]) -> str:
    training, embedding = trained.get("torch"), extracted.get("torch")
    return str(embedding) if training in (None, embedding) else f"{training} in training, {embedding} in embedding"
