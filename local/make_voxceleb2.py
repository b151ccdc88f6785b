#!/usr/bin/env python3
"""VoxCeleb2 as a Kaldi data directory: <root>/{dev,test}/{aac,wav}/<spk>/<video>/<segment>.{m4a,wav,flac}.

m4a files go through ffmpeg (utils/to_wav.py in wav.scp); a segment that is there as WAV or FLAC too is read from that.
Converted trees may also lie in aac/ with another extension, or directly in <root>/{dev,test}. Genders come from
vox2_meta.csv (--meta, or in <root>).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from local.data_dir import say_counts, write_data_dir
from local.genders import metadata_genders, read_metadata
from local.program import add_max_loss, new_parser, run_script, say
from local.voxceleb import as_utterances, check_decoders, existing_trees, scan

ID = "VoxCeleb2 ID"


def main(argv: Sequence[str]) -> None:
    """Command line of local/make_voxceleb2.py."""
    parser = new_parser("make_voxceleb2.py", __doc__)
    parser.add_argument("--root", required=True, type=Path, help="where VoxCeleb2 lies")
    parser.add_argument("--part", required=True, choices=("dev", "test"))
    parser.add_argument("--meta", type=Path, help="vox2_meta.csv")
    add_max_loss(parser)
    parser.add_argument("data_dir", metavar="data-dir", type=Path)
    options = parser.parse_args(argv)
    beside = options.root / "vox2_meta.csv"
    meta = options.meta or (beside if beside.is_file() else None)
    genders = metadata_genders(meta, read_metadata(meta, ID), ID) if meta else {}
    if not genders:
        say(f"{beside} is not there: no genders; give it with --meta")
    part = options.part
    tree = scan(existing_trees(options.root, (f"{part}/wav", f"{part}/aac", part)))
    utterances, dropped, paths = as_utterances(tree)
    used = set(paths.values())
    check_decoders([segment for segment in tree.segments if segment.path in used])
    say(f"{options.root}: {len({one.spk_id for one in utterances})} speakers in {part}")
    write_data_dir(options.data_dir, utterances, genders, dropped)
    say_counts(options.data_dir, len(tree.segments) + len(tree.dropped), len(utterances), dropped, options.max_loss)


if __name__ == "__main__":
    run_script(main)
