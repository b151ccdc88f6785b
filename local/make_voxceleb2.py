#!/usr/bin/env python3
"""VoxCeleb2 as a Kaldi data directory: <root>/{dev,test}/{aac,wav}/<spk>/<video>/<segment>.{m4a,wav,flac}.

Instead of {dev,test} there may be vox2_{dev,test}_{aac,wav} and the like, the names of the archives, with or without a
folder {dev,test} in them.

ffmpeg decodes m4a files (utils/to_wav.py in wav.scp); a segment that also exists as WAV or FLAC is read from that file.
Converted trees may also be in aac/ with another extension, or directly in <root>/{dev,test}. If both sets are together,
in <root>/{wav,aac} or <root> itself, vox2_meta.csv has the set of each speaker; without it all speakers are dev.
Genders are read from vox2_meta.csv (--meta, or in <root>).
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
from local.program import add_max_loss, first_of, new_parser
from local.voxceleb import Tree, as_utterances, check_decoders, existing_trees, find_trees, scan

ID = "VoxCeleb2 ID"
PARTS = {"dev": ("dev",), "test": ("test",), "both": ("dev", "test")}
AUDIO_FOLDERS = ("/wav", "/aac")
SHARED = ("wav", "aac", "")  # folders with both sets


def own_folders(part: str) -> list[str]:
    """The folders that may have the speakers of dev or test alone."""
    tops = [part, *(f"vox2_{part}{kind}" for kind in ("_aac", "_wav", ""))]
    inner = [f"{top}/{part}" for top in tops[1:]]
    return [f"{top}{sub}" for top in (*tops, *inner) for sub in (*AUDIO_FOLDERS, "")]


def find_part(root: Path, part: str, rows: Sequence[Mapping[str, str]]) -> Tree:
    """The segments of a part: those of its own folders, and those of its speakers in the folders with both sets.

    Args:
        root: VoxCeleb2.
        part: a key of `PARTS`.
        rows: vox2_meta.csv.

    Raises:
        InputError: none of these folders exists, or the test speakers are unknown.
    """
    own = {name: own_folders(name) for name in PARTS[part]}
    names = [folder for folders in own.values() for folder in folders]
    bare = [name for name in (*names, *SHARED) if name not in ("wav", "aac") and not name.endswith(AUDIO_FOLDERS)]
    shared = find_trees(root, SHARED)
    if not shared:
        for name, folders in own.items():
            if part == "both" and not find_trees(root, folders, bare):
                log_message(f"{root}/{name} is not there: training without VoxCeleb2's {name} part")
        return scan(existing_trees(root, [*names, *SHARED], bare), root, bare)
    tree, both = scan(find_trees(root, names, bare), root, bare), scan(shared, root)
    set_of = {row[ID]: row["Set"] for row in rows}
    if not set_of and part == "test":
        named = ", ".join(map(str, shared))
        raise InputError(f"{named}: who is a test speaker? Give --meta vox2_meta.csv, or leave out the test part")
    if not set_of:
        log_message(f"{', '.join(map(str, shared))}: no vox2_meta.csv: all speakers are taken for {part}")
        return Tree([*tree.segments, *both.segments], [*tree.dropped, *both.dropped])
    unknown = sorted({one.speaker for one in both.segments} - set(set_of))
    if unknown:
        log_message(f"{len(unknown)} speakers are not in vox2_meta.csv, and are left out ({first_of(unknown)})")
    chosen = [one for one in both.segments if set_of.get(one.speaker) in PARTS[part]]
    return Tree([*tree.segments, *chosen], [*tree.dropped, *both.dropped])


def main(argv: Sequence[str]) -> None:
    """Command line of local/make_voxceleb2.py."""
    parser = new_parser("make_voxceleb2.py", __doc__)
    parser.add_argument("--root", required=True, type=Path, help="folder of VoxCeleb2")
    parser.add_argument("--part", required=True, choices=tuple(PARTS))
    parser.add_argument("--meta", type=Path, help="vox2_meta.csv")
    add_max_loss(parser)
    parser.add_argument("data_dir", metavar="data-dir", type=Path)
    options = parser.parse_args(argv)
    beside = options.root / "vox2_meta.csv"
    meta = options.meta or (beside if beside.is_file() else None)
    rows = read_metadata(meta, ID) if meta else []
    genders = metadata_genders(meta, rows, ID) if meta else {}
    if not genders:
        log_message(f"{beside} is not there: no genders; give it with --meta")
    part = options.part
    tree = find_part(options.root, part, rows)
    utterances, dropped, paths = as_utterances(tree)
    used = set(paths.values())
    check_decoders([segment for segment in tree.segments if segment.path in used])
    log_message(f"{options.root}: {len({one.spk_id for one in utterances})} speakers in {part}")
    write_data_dir(options.data_dir, utterances, genders, dropped)
    report_counts(options.data_dir, len(tree.segments) + len(tree.dropped), len(utterances), dropped, options.max_loss)


if __name__ == "__main__":
    run_program(main)
