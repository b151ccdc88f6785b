"""No module splits text at Python's blanks or line ends: `common.text_lines` is the only home of that rule.

`str.split()` without arguments also splits at U+00A0, U+3000 and U+001C, `splitlines()` at U+0085 and U+2028, `strip()`
takes them away, and `\\s` in a pattern of text matches them; in Kaldi's tables they are parts of ids and of file names.
Splits and patterns are looked for in every module, strips in those that read tables. On bytes all of these are ASCII's.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("minikaldi", "scoring", "nnet", "local", "steps", "utils")
HOMES = {"common.text_lines", "common.trial_forms", "minikaldi.data_dir.lines", "minikaldi.data_dir.tables"}
BYTES, LOG, WORDS = "bytes, whose blanks are ASCII's", "a program's messages", "words of a command line or a docstring"
AFTER_A_CHECK = "lines in which has_ascii_blanks_only has found no other blank"
WIDER = "names of files become ids: what any reader may take for a blank is replaced"

# Modules that read no table of ids -> what they read.
OTHER_TEXT = {
    "recipe/environment.py": "versions",
    "minikaldi/command_table.py": "the usage of the commands",
    "recipe/fingerprints.py": "its own markers",
    "minikaldi/jobs/processes.py": "what the kernel says of a process",
    "recipe/progress.py": LOG,
    "minikaldi/jobs/run_jobs.py": f"{LOG}, and words that are quoted for the shell at any blank",
    "recipe/stage_times.py": "its own ledger of numbers",
    "scoring/provenance.py": "what git and the system print",
}
# (module, call) -> why it may stand.
ALLOWED = {
    ("minikaldi/running.py", "str(fault).split()"): LOG,
    ("minikaldi/featbin/extract_segments.py", "line.strip()"): BYTES,
    ("minikaldi/io/holders.py", "line.split()"): BYTES,
    ("minikaldi/io/holders.py", "read_line(stream, self.what).split()"): BYTES,
    ("minikaldi/io/inner.py", "re.compile"): "a pipe whose words hold another blank goes to the shell",
    ("minikaldi/io/matrices.py", "body.split()"): BYTES,
    ("minikaldi/io/matrices.py", "line.split()"): BYTES,
    ("minikaldi/io/packed.py", "body.split()"): BYTES,
    ("minikaldi/io/ragged.py", "line.split()"): BYTES,
    ("minikaldi/io/ragged.py", "part.split()"): BYTES,
    ("minikaldi/io/specifiers.py", "line.split(None, 1)"): BYTES,
    ("minikaldi/io/specifiers.py", "line.strip()"): BYTES,
    ("minikaldi/io/specifiers.py", "words[1].strip()"): BYTES,
    ("minikaldi/io/writers.py", "encode(key).split()"): BYTES,
    ("minikaldi/ivectorbin/compute_eer.py", "line.split()"): BYTES,
    ("minikaldi/ivectorbin/compute_eer.py", "line.strip()"): BYTES,
    ("minikaldi/ivectorbin/trial_scores.py", "block.split()"): BYTES,
    ("minikaldi/ivectorbin/trial_scores.py", "line.split()"): BYTES,
    ("minikaldi/ivectorbin/trial_scores.py", "line.decode('utf-8', 'backslashreplace').rstrip()"): LOG,
    ("minikaldi/options.py", "line.partition(b'#')[0].strip()"): BYTES,
    ("common/text_lines.py", "line.split(None, most)"): AFTER_A_CHECK,
    ("recipe/counts.py", "line.strip()"): LOG,
    ("recipe/counts.py", "line[position + 1:].lstrip(':').strip()"): LOG,
    ("minikaldi/data_dir/combine.py", "options.extra_files.split()"): WORDS,
    ("minikaldi/data_dir/copy_dir.py", "options.validate_opts.split()"): WORDS,
    ("minikaldi/data_dir/fix.py", "options.spk_extra_files.split()"): WORDS,
    ("minikaldi/data_dir/fix.py", "options.utt_extra_files.split()"): WORDS,
    ("recipe/gone_files.py", "line.split(None, 1)"): BYTES,
    ("recipe/gone_files.py", "stream.read().splitlines()"): BYTES,
    ("recipe/gone_files.py", "stream.read(END_BYTES).splitlines()"): BYTES,
    ("minikaldi/data_dir/lines.py", "line.split(None, 1)"): AFTER_A_CHECK,
    ("minikaldi/jobs/run_options.py", "gpus.stdout.splitlines()"): "what nvidia-smi prints",
    ("nnet/training/curve.py", "path.read_text(encoding='utf-8', errors='replace').splitlines()"): (
        "numbers that training wrote"
    ),
    ("nnet/inference/windows.py", "text.split()"): "numbers of an option",
    ("nnet/data/wave_lists.py", "expected.split()"): WORDS,
    ("common/yaml_text.py", "str(problem).split()"): LOG,
    ("scoring/columns.py", "self.data.split()"): BYTES,
    ("local/speaker_ids.py", "re.sub('\\\\s')"): WIDER,
    ("local/voxceleb.py", "re.sub('[/\\\\s]')"): WIDER,
}

# A part of a line of a shell script -> why it may stand.
SHELL_ALLOWED = {
    """awk '{ print $2 }' "$building/segments\"""": (
        "in path.sh's locale awk parts at space and tab; filter_scp.pl has read and written this table just before"
    ),
    'sha256sum "$out/embedding.scp" | cut': "the sum, not the table",
    'awk -v p="$initial_gauss_proportion"': "numbers of options",
    """awk '$1 == "MemAvailable:" {""": "what the kernel says",
    'awk -v free="$free"': "numbers",
    'awk -v size="$(wc': "numbers",
    "awk '{ like += $1 * $2": "numbers of a log",
    "awk 'NF == 2 { sub(": "archives whose names have no blank; others, as pipes, are left out on purpose",
}


def reads_tables(tree: ast.Module) -> bool:
    """Whether a module imports a reader of tables."""
    return any(isinstance(node, ast.ImportFrom) and node.module in HOMES for node in ast.walk(tree))


def is_bare_split(name: str, call: ast.Call) -> bool:
    """split(), split(None, …) and splitlines(), under these names or with the separator by name."""
    first = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "sep")]
    at_blanks = not first or (isinstance(first[0], ast.Constant) and first[0].value is None)
    return name == "splitlines" or (name in ("split", "rsplit") and at_blanks)


def is_bare_strip(name: str, call: ast.Call) -> bool:
    """strip() and its kin without arguments, and isspace()."""
    return name == "isspace" or (name in ("strip", "lstrip", "rstrip") and not call.args)


def pattern_of_blanks(call: ast.Call) -> str | None:
    """The pattern of text that a call gets as its first argument, where it matches all scripts' blanks."""
    constants = [node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)] if call.args else []
    return next((text for text in constants if isinstance(text, str) and ("\\s" in text or "\\S" in text)), None)


def allowed(name: str, call: str) -> bool:
    """Whether a call of a module is on the list; of one that is a pattern, its beginning is."""
    return name in OTHER_TEXT or (name, call) in ALLOWED or (name, call.partition("(")[0]) in ALLOWED


def faults_of(source: str) -> Iterator[tuple[int, str]]:
    """(line, call) of everything in a module that treats other characters as blanks than Kaldi does."""
    tree = ast.parse(source)
    strips = reads_tables(tree)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        name, of_re = node.func.attr, isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
        if of_re and (pattern := pattern_of_blanks(node)) is not None:
            yield node.lineno, f"re.{name}({pattern!r})"
        elif not of_re and (is_bare_split(name, node) or (strips and is_bare_strip(name, node))):
            yield node.lineno, ast.unparse(node)


def modules(root: Path, package: str) -> list[Path]:
    """The Python files of a package."""
    return sorted((root / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_text_is_split_by_the_one_reader_alone(package: str, root: Path) -> None:
    found = [
        f"{name}:{line}: {call}"
        for path in modules(root, package)
        for name in [str(path.relative_to(root))]
        for line, call in faults_of(path.read_text(encoding="utf-8"))
        if not allowed(name, call)
    ]
    assert not found, "use common.text_lines (fields_of, trimmed, numbered_fields …), or say above why not"


@pytest.mark.parametrize("pattern", ["steps/**/*.sh", "local/*.sh", "utils/*.sh", "pipeline.sh"])
def test_shell_scripts_take_no_fields_out_of_tables(pattern: str, root: Path) -> None:
    wrong = [
        f"{path.relative_to(root)}:{number}: {line}"
        for path in root.glob(pattern)
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if not any(part in line for part in SHELL_ALLOWED)
        and any(word in line.split("#")[0] for word in ("cut -d", "cut -f ", "awk "))
    ]
    assert not wrong, "print the fields by python3 -m scoring.trials, utils/clean_lines.sh or a script of utils/"


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        ("x.split()", 1),
        ("x.split(None, 1)", 1),
        ("x.rsplit(sep=None)", 1),
        ("x.splitlines(keepends=True)", 1),
        ("x.strip()", 1),
        ("x.isspace()", 1),
        ("re.compile(r'[^\\s,]+')", 1),
        ("re.split(f'{x}\\\\s', y)", 1),
        ("re.compile(rb'\\s')", 0),
        ("re.split(',', x)", 0),
        ("x.split(' ')", 0),
        ("x.strip(BLANKS)", 0),
        ("fields_of(x)", 0),
    ],
)
def test_a_sixth_reader_would_be_found(line: str, faults: int) -> None:
    assert len(list(faults_of(f"from common.text_lines import fields_of\n{line}\n"))) == faults
    alone = 0 if "strip" in line or "isspace" in line else faults
    assert len(list(faults_of(f"{line}\n"))) == alone
