"""Command lines, option by option, and the exit codes of commands as processes."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from minikaldi.commands import MODULES
from minikaldi.errors import UsageError
from minikaldi.options import option, option_specs, parse, usage_text


@dataclass
class BaseOptions:
    """Inherited ones."""

    low_freq: float = option(20.0, "Low cutoff")
    use_energy: bool = option(True, "Use energy")


@dataclass
class ExampleOptions(BaseOptions):
    """Own ones."""

    num_ceps: int = option(13, "Number of cepstra")
    window_type: str = option("povey", "Window")


def test_options_end_at_the_first_argument_or_at_two_dashes() -> None:
    options, _, args = parse(["--num-ceps=5", "a", "--num-ceps=6"], ExampleOptions)
    assert (options.num_ceps, args) == (5, ["a", "--num-ceps=6"])
    assert parse(["--", "--x"], ExampleOptions)[2] == ["--x"]
    assert parse(["-", "a"], ExampleOptions)[2] == ["-", "a"]


def test_underscores_and_case_do_not_matter() -> None:
    assert parse(["--Num_Ceps=5"], ExampleOptions)[0].num_ceps == 5


@pytest.mark.parametrize(
    ("text", "value"), [("", True), ("=true", True), ("=t", True), ("=1", True), ("=F", False), ("=false", False)]
)
def test_truth_values(text: str, value: bool) -> None:
    assert parse([f"--use-energy{text}"], ExampleOptions)[0].use_energy is value


def test_inherited_options_and_the_last_one_given_count() -> None:
    options, standard, _ = parse(["--low-freq=1e2", "--low-freq=40", "--window-type=", "--verbose=2"], ExampleOptions)
    assert (options.low_freq, options.window_type, standard.verbose, standard.print_args) == (40.0, "", 2, True)


def test_configuration_file_is_overridden_by_the_command_line_wherever_it_stands(tmp_path: Path) -> None:
    conf = tmp_path / "mfcc.conf"
    conf.write_text("# comment\n--num-ceps=30 # why\n\n--low-freq=40\n--use_energy=false\n")
    options, _, args = parse(["--low-freq=60", f"--config={conf}", "x"], ExampleOptions)
    assert (options.num_ceps, options.low_freq, options.use_energy, args) == (30, 60.0, False, ["x"])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--num-cepss=3", "Invalid option --num-cepss=3"),
        ("--num-ceps", "--x=y"),
        ("--num-ceps=", "expected int"),
        ("--num-ceps=3.5", "expected int"),
        ("--low-freq=low", "expected float, found 'low'"),
        ("--use-energy=maybe", "expected bool"),
        ("--use-energy=", "true or false"),
        ("--config=/nowhere/x", "/nowhere/x"),
    ],
)
def test_bad_option_is_refused_with_the_word(word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse([word], ExampleOptions)


def test_bad_line_of_a_configuration_file_is_named(tmp_path: Path) -> None:
    conf = tmp_path / "x.conf"
    conf.write_text("--num-ceps=3\nnum-ceps=4\n")
    with pytest.raises(UsageError, match=r"x\.conf:2"):
        parse([f"--config={conf}"], ExampleOptions)
    conf.write_text("\n--typo=4\n")
    with pytest.raises(UsageError, match=r"--typo=4 in config file .*x\.conf:2"):
        parse([f"--config={conf}"], ExampleOptions)


def test_help_lists_own_and_standard_options_with_types_and_defaults() -> None:
    text = usage_text("What it does.", "example [options] <in>", ExampleOptions)
    assert '  --window-type               : Window (string, default = "povey")' in text
    assert "  --low-freq                  : Low cutoff (float, default = 20)" in text
    assert "  --use-energy                : Use energy (bool, default = true)" in text
    assert text.index("--window-type") < text.index("Standard options:") < text.index("--print-args")


def run(env: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_help_is_not_an_error_and_a_wrong_number_of_arguments_is_1(command_env: dict[str, str]) -> None:
    helped = run(command_env, "copy-feats", "--help")
    assert (helped.returncode, helped.stdout) == (0, "") and "--compression-method" in helped.stderr
    assert run(command_env, "copy-feats", "a").returncode == 1
    wrong = run(command_env, "copy-feats", "--compres=true", "a", "b")
    assert wrong.returncode == 255 and "ERROR (copy-feats[minikaldi]:copy_feats) Invalid option --compres=true" in (
        wrong.stderr
    )


def test_command_line_is_echoed_unless_told_not_to(command_env: dict[str, str]) -> None:
    assert run(command_env, "feat-to-dim", "ark:/dev/null", "-").stderr.startswith("feat-to-dim ark:/dev/null - \n")
    assert "/dev/null -" not in run(command_env, "feat-to-dim", "--print-args=false", "ark:/dev/null", "-").stderr


def test_closed_reader_ends_a_command_quietly(command_env: dict[str, str], root: Path) -> None:
    feats = root / "tests" / "golden" / "inputs"
    script = "copy-feats --print-args=false ark:mfcc.ark ark,t:- | head -c 10; exit ${PIPESTATUS[0]}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=feats, env=command_env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (141, "")


def test_every_command_has_a_link_and_is_declared_under_its_name(root: Path) -> None:
    from minikaldi.commands import load

    links = {path.name for path in (root / "minikaldi" / "bin").iterdir()}
    assert links == {name for name in MODULES if name != "to_wav.py"}
    for name in MODULES:
        assert load(name).name == name
    for path in (root / "minikaldi" / "bin").iterdir():
        assert path.is_symlink() and not path.readlink().is_absolute()


def test_options_are_those_of_real_kaldi(root: Path, shared: Path) -> None:
    """Names, types and defaults of every command, as the reference table lists them."""
    from minikaldi.commands import load

    wrong = []
    for line in (shared / "reference" / "kaldi-options.tsv").read_text().splitlines()[1:]:
        command, name, kind, default = line.split("\t")[:4]
        if command not in MODULES or not name:
            continue
        spec = option_specs(load(command).options).get(name.removeprefix("--").replace("_", "-"))
        if spec is None or {"string": "str"}.get(kind, kind) not in (spec.type.__name__, "double"):
            wrong.append(f"{command} {name}: {spec}")
        elif not same_default(spec.default, default.strip('"')):
            wrong.append(f"{command} {name}: default {spec.default}, Kaldi has {default}")
    assert not wrong, "\n".join(wrong)


def same_default(ours: object, kaldis: str) -> bool:
    if isinstance(ours, bool):
        return str(ours).lower() == kaldis
    if isinstance(ours, (int, float)):
        return abs(float(kaldis) - ours) <= 1e-5 * abs(ours)  # the table's floats have six digits
    return ours == kaldis
