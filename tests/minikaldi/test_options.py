"""Command lines, option by option, and the exit codes of commands as processes."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.errors import UsageError
from common.options import option
from minikaldi.commands import MODULES, load_command
from minikaldi.options import CommandOptions, NoOptions, StandardOptions, option_specs, parse_command_line, usage_text
from minikaldi.running import run_command


@dataclass
class BaseOptions(CommandOptions):
    """Inherited ones."""

    low_freq: float = option(20.0, "Low cutoff")
    use_energy: bool = option(True, "Use energy")


@dataclass
class ExampleOptions(BaseOptions):
    """Own ones."""

    num_ceps: int = option(13, "Number of cepstra")
    window_type: str = option("povey", "Window")


def test_options_end_at_the_first_argument_or_at_two_dashes() -> None:
    options, _, args = parse_command_line(["--num-ceps=5", "a", "--num-ceps=6"], ExampleOptions)
    assert (options.num_ceps, args) == (5, ["a", "--num-ceps=6"])
    assert parse_command_line(["--", "--x"], ExampleOptions)[2] == ["--x"]
    assert parse_command_line(["-", "a"], ExampleOptions)[2] == ["-", "a"]


def test_underscores_and_case_do_not_matter() -> None:
    assert parse_command_line(["--Num_Ceps=5"], ExampleOptions)[0].num_ceps == 5


@pytest.mark.parametrize(
    ("text", "value"), [("", True), ("=true", True), ("=t", True), ("=1", True), ("=F", False), ("=false", False)]
)
def test_truth_values(text: str, value: bool) -> None:
    assert parse_command_line([f"--use-energy{text}"], ExampleOptions)[0].use_energy is value


def test_inherited_options_and_the_last_one_given_count() -> None:
    options, standard, _ = parse_command_line(
        ["--low-freq=1e2", "--low-freq=40", "--window-type=", "--verbose=2"], ExampleOptions
    )
    assert (options.low_freq, options.window_type, standard.verbose, standard.print_args) == (40.0, "", 2, True)


def test_configuration_file_is_overridden_by_the_command_line_wherever_it_stands(tmp_path: Path) -> None:
    conf = tmp_path / "mfcc.conf"
    conf.write_text("# comment\n--num-ceps=30 # why\n\n--low-freq=40\n--use_energy=false\n")
    options, _, args = parse_command_line(["--low-freq=60", f"--config={conf}", "x"], ExampleOptions)
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
        parse_command_line([word], ExampleOptions)


def test_bad_line_of_a_configuration_file_is_named(tmp_path: Path) -> None:
    conf = tmp_path / "x.conf"
    conf.write_text("--num-ceps=3\nnum-ceps=4\n")
    with pytest.raises(UsageError, match=r"x\.conf:2"):
        parse_command_line([f"--config={conf}"], ExampleOptions)
    conf.write_text("\n--typo=4\n")
    with pytest.raises(UsageError, match=r"--typo=4 in config file .*x\.conf:2"):
        parse_command_line([f"--config={conf}"], ExampleOptions)


def test_help_lists_own_and_standard_options_with_types_and_defaults() -> None:
    text = usage_text("What it does.", "example [options] <in>", ExampleOptions)
    assert '  --window-type               : Window (string, default = "povey")' in text
    assert "  --low-freq                  : Low cutoff (float, default = 20)" in text
    assert "  --use-energy                : Use energy (bool, default = true)" in text
    assert text.index("--window-type") < text.index("Standard options:") < text.index("--print-args")


def test_help_of_a_command_without_options_has_only_the_standard_ones() -> None:
    text = usage_text("What it does.", "example <in>", NoOptions)
    assert text.startswith("\nWhat it does.\nUsage: example <in>\n\nStandard options:\n  --config ")


def run(env: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_help_is_not_an_error_and_a_wrong_number_of_arguments_is_1(command_env: dict[str, str]) -> None:
    helped = run(command_env, "copy-feats", "--help")
    assert (helped.returncode, helped.stdout) == (0, "") and "--compression-method" in helped.stderr
    assert run(command_env, "copy-feats", "a").returncode == 1
    wrong = run(command_env, "copy-feats", "--compres=true", "a", "b")
    assert wrong.returncode == 1 and "Usage: copy-feats" in wrong.stderr
    assert "Invalid option --compres=true" in wrong.stderr.splitlines()[-1]


def test_help_works_in_any_position_whatever_else_is_wrong() -> None:
    for words in (["a", "b", "--help"], ["--typo", "--help"], ["--config=nowhere", "--HELP"]):
        assert parse_command_line(words, NoOptions)[1].help
    assert not parse_command_line(["--", "--help"], NoOptions)[1].help


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a"], "expected 2 arguments, found 1"),
        (["a", "b", "--compress=true"], "expected 2 arguments, found 3; put --compress=true first"),
    ],
)
def test_wrong_number_of_arguments_is_reported_after_the_usage(
    words: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["copy-feats", *words]) == 1
    printed = capfd.readouterr().err
    assert "Usage: copy-feats" in printed and said in printed.splitlines()[-1]


def test_command_line_is_echoed_unless_reported_not_to(command_env: dict[str, str]) -> None:
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
    links = {path.name for path in (root / "minikaldi" / "bin").iterdir()}
    assert links == {name for name in MODULES if name != "to_wav.py"}
    for name in MODULES:
        assert load_command(name).name == name
    for path in (root / "minikaldi" / "bin").iterdir():
        assert path.is_symlink() and not path.readlink().is_absolute()


def reference_rows(shared: Path) -> list[list[str]]:
    """Rows (command, option, type, default, usage) of the table that was read off real Kaldi."""
    rows = [line.split("\t") for line in (shared / "reference" / "kaldi-options.tsv").read_text().splitlines()[1:]]
    return [row for row in rows if row[0] in MODULES]


def test_options_are_those_of_real_kaldi(shared: Path) -> None:
    """Names, types and defaults of every command, as the reference table lists them."""
    wrong = []
    for command, name, kind, default, *_ in reference_rows(shared):
        if not name:
            continue
        spec = option_specs(load_command(command).options).get(name.removeprefix("--").replace("_", "-"))
        if spec is None or {"string": "str", "double": "float"}.get(kind, kind) != spec.type.__name__:
            wrong.append(f"{command} {name}: {spec}")
        elif not same_default(spec.default, default.strip('"')):
            wrong.append(f"{command} {name}: default {spec.default}, Kaldi has {default}")
    assert not wrong, "\n".join(wrong)


def test_no_command_has_an_option_that_real_kaldi_lacks(shared: Path) -> None:
    theirs: dict[str, set[str]] = {}
    for command, name, *_ in reference_rows(shared):
        theirs.setdefault(command, set()).add(name.removeprefix("--").replace("_", "-"))
    extra = {name: sorted(set(option_specs(load_command(name).options)) - known) for name, known in theirs.items()}
    assert {name: options for name, options in extra.items() if options} == {}


def same_default(ours: object, kaldis: str) -> bool:
    if isinstance(ours, bool):
        return str(ours).lower() == kaldis
    if isinstance(ours, (int, float)):
        return abs(float(kaldis) - ours) <= 1e-5 * abs(ours)  # the table's floats have six digits
    return ours == kaldis


# Where Kaldi's own line has a slip of the pen, or goes on with a sentence about an option.
CORRECTIONS = {
    "<mean-rxfliename>": "<mean-rxfilename>",
    "<ivector-rspecifier><ivector-wspecifier>": "<ivector-rspecifier> <ivector-wspecifier>",
    "<feature-rspecifier><posteriors-rspecifier>": "<feature-rspecifier> <posteriors-rspecifier>",
    " The --gselect option (which takes an rspecifier) limits selection to a subset of indices:": "",
}


def test_usage_lines_are_those_of_real_kaldi(shared: Path) -> None:
    """Each form of the command line, its arguments' names and order; the forms are joined by `or:`."""
    for command, name, _, _, usage in reference_rows(shared):
        if name:
            continue
        for slip, mended in CORRECTIONS.items():
            usage = usage.replace(slip, mended)
        block = load_command(command).help().partition("\nUsage: ")[2].partition("\n\n")[0]
        assert " ".join(block.split()) == usage


# What an option is called -> a word that its help must have, so that nobody has to guess a unit.
UNITS = {
    r"freq|vtln-(low|high)$": r"\bHz\b",
    r"^frame-(length|shift)$": r"milliseconds",
    r"duration|min-segment-length|max-overshoot|start-times|utt2dur": r"\b[Ss]econds\b",
    r"snrs": r"\bdB\b",
    r"cmn-window|frames-context|^delta-window$|^window$|num-frames": r"\b[Ff]rames\b",
}


@pytest.mark.parametrize("name", MODULES)
def test_every_option_says_what_it_does_and_in_which_unit(name: str) -> None:
    for spec in option_specs(load_command(name).options).values():
        assert len(spec.help.split()) >= 2, f"--{spec.name}: {spec.help!r}"
        for pattern, unit in UNITS.items():
            if re.search(pattern, spec.name) and spec.type is not bool:
                assert re.search(unit, spec.help), f"--{spec.name}: {spec.help!r}"


OPTION_LINE = re.compile(
    r"  --[a-z0-9-]+ +: \S.* \((bool|int|float|string), default = (true|false|-?[\d.e+-]+|\".*\")\)"
)


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"to_wav.py"}))
def test_help_has_kaldis_form_and_bad_usage_is_exit_code_1(name: str, command_env: dict[str, str]) -> None:
    """A blank line, the text, the usage, the options and the standard ones in two blocks, all on stderr."""
    helped = run(command_env, name, "--help")
    assert (helped.returncode, helped.stdout) == (0, "")
    blank, about, *blocks = helped.stderr.split("\n", 2)
    assert blank == "" and about.endswith(".")
    usage, *blocks = blocks[0].split("\n\n")
    assert usage.startswith(f"Usage: {name} ")
    assert blocks[-1] == "" and len(blocks) == (3 if option_specs(load_command(name).options) else 2)
    for title, block in zip(("Standard options:", "Options:"), reversed(blocks[:-1]), strict=False):
        first, *lines = block.splitlines()
        assert first == title and lines == sorted(lines, key=lambda line: line.split()[0])
        assert all(OPTION_LINE.fullmatch(line) for line in lines), block
    assert re.findall(r"^  --(\S+)", blocks[-2], re.MULTILINE) == list(sorted(option_specs(StandardOptions)))

    misspelt = run(command_env, name, "--no-such-option=1")
    assert (misspelt.returncode, misspelt.stdout) == (1, "") and helped.stderr in misspelt.stderr
    *_, given, error = misspelt.stderr.splitlines()
    assert given.startswith("Command line was: ") and given.rstrip().endswith("--no-such-option=1")
    assert LOG_LINE.fullmatch(error) and error.endswith("Invalid option --no-such-option=1")

    least, most = load_command(name).num_args
    for count in {max(0, least - 1), least if most is None else most + 1} - set(range(least, (most or least) + 1)):
        wrong = run(command_env, name, *["x"] * count)
        assert (wrong.returncode, wrong.stdout) == (1, "") and helped.stderr in wrong.stderr


# "LOG (copy-feats[5.5]:main():copy-feats.cc:143) Copied 8 feature matrices."
LOG_LINE = re.compile(r"(LOG|WARNING|ERROR) \([\w.-]+\[[^]]+\]:\w+\(\):[\w.-]+:\d+\) .*")


def test_messages_have_the_form_of_kaldis_and_name_the_place_in_the_code(
    command_env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "x.scp").write_text("u1 nowhere.ark:5\n")
    done = run(command_env, "copy-feats", "--print-args=false", f"scp,p:{tmp_path}/x.scp", f"ark:{tmp_path}/o.ark")
    warning, log = done.stderr.splitlines()
    assert LOG_LINE.fullmatch(warning) and warning.startswith("WARNING (copy-feats[minikaldi]:")
    assert re.fullmatch(r"LOG \(copy-feats\[minikaldi\]:main\(\):copy_feats\.py:\d+\) Copied 0 feature matrices\.", log)
    failed = run(command_env, "copy-feats", "--print-args=false", f"scp:{tmp_path}/x.scp", f"ark:{tmp_path}/o.ark")
    error = failed.stderr.splitlines()[-1]
    assert LOG_LINE.fullmatch(error) and error.startswith("ERROR (copy-feats[minikaldi]:") and "nowhere.ark" in error
    assert failed.returncode not in (0, 1)
