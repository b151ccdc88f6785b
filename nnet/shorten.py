"""Print which options change in a run of fewer steps than a YAML asks for (nnet/config/shortening.py).

    python3 -m nnet.shorten --config conf/nnet/lde3.yaml --max-steps 2000

prints `section.key=value` lines for `--set`, and nothing if the YAML asks for no more steps. `./pipeline.sh
--max-steps` makes the same changes, so that the networks made for VoxCeleb train on a small corpus in minutes.
"""

from __future__ import annotations

from collections.abc import Sequence

from common.program import Parser, run_program
from nnet.config.experiment import load
from nnet.config.overrides import add_arguments
from nnet.config.shortening import shortened


def main(argv: Sequence[str]) -> None:
    """Print the changes; raises ConfigError for a config that cannot be used."""
    about = "Print which options of an experiment's YAML change so that it trains in fewer steps."
    parser = Parser(prog="python3 -m nnet.shorten", description=about)
    parser.add_argument("--config", metavar="FILE", required=True, help="the experiment, e.g. conf/nnet/lde3.yaml")
    add_arguments(parser, "what else to change; may be repeated")
    parser.add_argument("--max-steps", metavar="N", type=int, required=True, help="steps of the shorter run")
    options = parser.parse_args(argv)
    if options.max_steps < 1:
        parser.error(f"--max-steps is {options.max_steps}; expected an integer >= 1")
    for key, value in shortened(load(options.config, options.overrides), options.max_steps).items():
        print(f"{key}={value}")


if __name__ == "__main__":
    run_program(main)
