#!/usr/bin/env python3
"""VoxCeleb1 as a Kaldi data directory: --part test has the speakers of the trial list, --part dev all others.

The layout is wav/id10001/<video>/00001.wav, or that of the first release, voxceleb1_wav/<Name>/<video>_<segment>.wav.
<root> may have wav/, {dev,test}/[wav/], vox1_{dev,test}_wav/[wav/], voxceleb1_wav/ or id10001/... itself. The trial
list is --trials, or veri_test.txt, veri_test2.txt or voxceleb1_test.txt in <root>; without one, the column Set of
vox1_meta.csv has the set of each speaker. Genders are read from vox1_meta.csv (--meta, or in <root>).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.errors import InputError
from common.program import log_message, run_program
from local.data_dir import report_counts, write_data_dir
from local.genders import metadata_genders, read_metadata
from local.program import add_max_loss, new_parser
from local.trials import convert_list, read_corpus_trials, read_distinct_trials
from local.voxceleb import Tree, as_utterances, check_decoders, existing_trees, scan

BARE = ("dev", "test", "")  # only if they have folders of speakers
TREES = (
    "wav",
    "dev/wav",
    "test/wav",
    "vox1_dev_wav/wav",
    "vox1_test_wav/wav",
    "vox1_dev_wav",
    "vox1_test_wav",
    "voxceleb1_wav",
    *BARE,
)
TRIAL_LISTS = ("veri_test.txt", "veri_test2.txt", "voxceleb1_test.txt", "voxceleb1_test_v2.txt")
ID, NAME = "VoxCeleb1 ID", "VGGFace1 ID"


def speakers_in_trials(source: Path, speakers: Sequence[str]) -> set[str]:
    """The speakers that occur in a trial list of paths `<speaker>/…` or ids `<speaker>-…`."""
    written = {name for trial in read_corpus_trials(source) for name in (trial.enroll, trial.test)}
    by_length = sorted(speakers, key=len, reverse=True)     # `Ann-Lee-x` is of `Ann-Lee`, not of `Ann`
    found = {name.split("/")[0] for name in written if "/" in name}
    ids = {name for name in written if "/" not in name}
    return found | {next((spk for spk in by_length if name.startswith(f"{spk}-")), name) for name in ids}


def speakers_in_metadata(rows: Sequence[Mapping[str, str]]) -> set[str]:
    """The test speakers of vox1_meta.csv, by both their names."""
    return {row[column] for row in rows if row["Set"] == "test" for column in (ID, NAME)}


def first_existing(root: Path, names: Sequence[str]) -> Path | None:
    """The first of the files that exists."""
    return next((root / name for name in names if (root / name).is_file()), None)


def main(argv: Sequence[str]) -> None:
    """Command line of local/make_voxceleb1.py."""
    parser = new_parser("make_voxceleb1.py", __doc__)
    parser.add_argument("--root", required=True, type=Path, help="folder of VoxCeleb1")
    parser.add_argument("--part", required=True, choices=("dev", "test"))
    parser.add_argument("--trials", type=Path, help="the published list, lines `1|0 path path`")
    parser.add_argument("--meta", type=Path, help="vox1_meta.csv")
    empty_help = "if all speakers are in the trials, report that and write nothing"
    parser.add_argument("--may-be-empty", action="store_true", help=empty_help)
    add_max_loss(parser)
    parser.add_argument("data_dir", metavar="data-dir", type=Path)
    options = parser.parse_args(argv)
    meta = options.meta or first_existing(options.root, ("vox1_meta.csv",))
    rows = read_metadata(meta, ID, NAME) if meta else []
    genders = {spk: sex for key in (ID, NAME) for spk, sex in metadata_genders(meta, rows, key).items()} if meta else {}
    if not genders:
        log_message(f"{options.root}/vox1_meta.csv is not there: no genders; give it with --meta")
    trials = options.trials or first_existing(options.root, TRIAL_LISTS)
    if trials:
        read_distinct_trials(trials)  # a fault is found now, not after an hour of listing
    if not trials and not rows:
        raise InputError(f"{options.root}: who is a test speaker? Give --trials veri_test.txt or --meta vox1_meta.csv")
    tree = scan(existing_trees(options.root, TREES, BARE), options.root, BARE)
    speakers = sorted({segment.speaker for segment in tree.segments})
    test_speakers = speakers_in_trials(trials, speakers) if trials else speakers_in_metadata(rows)
    chosen = [one for one in tree.segments if (one.speaker in test_speakers) == (options.part == "test")]
    num_chosen = len({segment.speaker for segment in chosen})
    log_message(f"{options.root}: {len(speakers)} speakers, {num_chosen} of them in {options.part} by {trials or meta}")
    if options.part == "dev" and speakers and not chosen:
        found = f"{options.root}: all speakers are in the trials {trials or meta}"
        if not options.may_be_empty:
            raise InputError(f"{found}: none is left to train on; give --voxceleb2-root, or another list")
        log_message(f"{found}: training on VoxCeleb2 alone")
        return
    check_decoders(chosen)
    utterances, dropped, paths = as_utterances(Tree(chosen, tree.dropped))
    write_data_dir(options.data_dir, utterances, genders, dropped)
    report_counts(options.data_dir, len(utterances) + len(dropped), len(utterances), dropped, options.max_loss)
    if options.part == "test" and trials:
        convert_list(options.data_dir, trials, paths, speaker_of={one.utt_id: one.spk_id for one in utterances})
    elif options.part == "test":
        log_message(f"{options.root}: no trials are written, there is none of {', '.join(TRIAL_LISTS)}")


if __name__ == "__main__":
    run_program(main)
