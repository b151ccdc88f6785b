"""Parts of the report page: links to audio, worst trials, maps, records of runs, drawings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from scoring.det_points import det_curve
from scoring.embedding_map import chosen_utterances, embedding_map, unit_vectors
from scoring.metrics import SortedTrials
from scoring.pages.audio_links import AudioLinks
from scoring.pages.gallery import Gallery
from scoring.pages.run_files import read_curve
from scoring.pages.set_facts import read_set_facts
from scoring.pages.worst_trials import worst_trials
from scoring.plots.canvas import INK, PALETTE, Drawing, finish, line_style, new_axes
from scoring.plots.curves import MOST_CURVE_POINTS, thinned_curve
from scoring.plots.det import draw_det
from scoring.plots.histograms import score_densities
from scoring.plots.speakers import stacked
from scoring.stage_record import read_stage_record

from .helpers.small_runs import SCRIPT_ID, write_small_runs


def test_a_link_leads_from_the_page_to_the_file_or_has_a_reason(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "a #1.wav").write_bytes(b"RIFF")
    sources = [f"a {tmp_path}/audio/a #1.wav", "b flac -dc b.flac |", f"c {tmp_path}/none.wav"]
    (tmp_path / "wav.scp").write_text("\n".join(sources) + "\n")
    links = AudioLinks(tmp_path, tmp_path / "exp" / "report")
    assert links.of("a").href == "../../audio/a%20%231.wav"
    assert [(links.of(utt_id).href, links.of(utt_id).note) for utt_id in ("b", "c", "d")] == [
        ("", "audio comes from a command"),
        ("", "audio file is not there now"),
        ("", "no audio in wav.scp"),
    ]


def test_a_part_of_a_recording_is_linked_with_its_times(tmp_path: Path) -> None:
    (tmp_path / "rec.wav").write_bytes(b"RIFF")
    (tmp_path / "wav.scp").write_text(f"rec {tmp_path}/rec.wav\n")
    (tmp_path / "segments").write_text("utt rec 1.25 3.5\n")
    assert AudioLinks(tmp_path, tmp_path).of("utt").href == "rec.wav#t=1.25,3.5"


def test_the_worst_trials_are_low_targets_and_high_nontargets(tmp_path: Path) -> None:
    runs = write_small_runs(tmp_path, "a")
    facts = read_set_facts("test", runs.data / "test")
    is_target = facts.trials.is_target
    scores = np.random.default_rng(0).permutation(len(facts.trials)).astype(float)
    misses, false_alarms = worst_trials(scores, facts, AudioLinks(facts.folder, tmp_path), 5)
    assert [trial.score for trial in misses] == sorted(scores[is_target])[:5]
    assert [trial.score for trial in false_alarms] == sorted(scores[~is_target], reverse=True)[:5]
    assert all(trial.enroll_speaker == trial.test_speaker for trial in misses)
    assert all(trial.enroll_speaker != trial.test_speaker for trial in false_alarms)
    assert {(trial.enroll_id, trial.test_id) for trial in misses} <= set(facts.trials.pairs)


def test_the_utterances_of_a_map_are_drawn_evenly_and_by_seed() -> None:
    speaker_of = {f"s{speaker:02}-{utt}": f"s{speaker:02}" for speaker in range(50) for utt in range(9)}
    chosen = chosen_utterances(speaker_of, [*speaker_of, "unknown"], 100, 1)
    counts = {speaker: sum(speaker_of[utt_id] == speaker for utt_id in chosen) for speaker in set(speaker_of.values())}
    assert len(chosen) == 100 and sorted(counts.values()) == [0] * 10 + [2] * 20 + [3] * 20
    assert chosen == chosen_utterances(speaker_of, list(speaker_of), 100, 1)
    assert chosen != chosen_utterances(speaker_of, list(speaker_of), 100, 2)
    assert chosen_utterances(speaker_of, [], 100, 1) == []


@pytest.mark.slow
def test_a_map_is_equal_for_equal_seeds_and_groups_what_is_near(tmp_path: Path) -> None:
    runs = write_small_runs(tmp_path, "a")
    facts = read_set_facts("test", runs.data / "test")
    scp = str(runs.exp("a") / "embeddings_test" / "embedding.scp")
    first, second = (embedding_map(scp, facts.trial_set.speaker_of, 100, 0) for _ in range(2))
    assert first is not None and second is not None
    np.testing.assert_array_equal(first.points, second.points)
    same = np.array(first.speakers)[:, None] == np.array(first.speakers)
    distance = np.linalg.norm(first.points[:, None] - first.points, axis=2)
    assert np.median(distance[same]) < np.median(distance[~same])
    assert embedding_map(scp, {}, 100, 0) is None


def test_unit_vectors_are_centred_and_a_mean_vector_is_finite() -> None:
    vectors = unit_vectors(np.array([[1.0, 0.0], [3.0, 0.0], [2.0, 0.0]]))
    np.testing.assert_allclose(vectors, [[-1, 0], [1, 0], [0, 0]])


def test_a_curve_has_the_values_that_are_there_and_no_cut_line(tmp_path: Path) -> None:
    (tmp_path / "curve.tsv").write_text("step\tloss\tvalid_eer\n10\t2.5\t\n20\t2.0\t0.25\n30\tnan\t0.2\n40\t1")
    curve = read_curve(tmp_path)
    assert curve.of("loss") == ([10.0, 20.0], [2.5, 2.0])
    assert curve.of("valid_eer") == ([20.0, 30.0], [0.25, 0.2])
    assert curve.of("lr") == ([], [])
    assert read_curve(tmp_path / "none").columns == {}
    (tmp_path / "curve.tsv").write_text("")
    assert read_curve(tmp_path).columns == {}


def test_a_record_of_the_stages_is_read_and_a_damaged_one_refused(tmp_path: Path) -> None:
    assert read_stage_record(tmp_path).times == ()
    time = {"stage": "6", "title": "training", "seconds": 3.0, "cpu_seconds": None}
    (tmp_path / "stage_record.json").write_text(json.dumps({"times": [time], "dropped": []}))
    assert read_stage_record(tmp_path).times[0].seconds == 3.0
    (tmp_path / "stage_record.json").write_text(json.dumps({"times": [{"stage": "6"}], "dropped": []}))
    with pytest.raises(InputError, match=r"stage_record\.json: damaged .* run stage 12 again"):
        read_stage_record(tmp_path)


def small_drawing(label: str = "$x_1$ <b>&") -> Drawing:
    with new_axes() as (figure, axes):
        axes.plot([0, 1], [1, 2], color=line_style(0).color, marker="o", label=label)
        axes.legend()
        return finish(figure)


def test_a_drawing_is_equal_for_equal_input_and_has_no_date() -> None:
    first, second = small_drawing(), small_drawing()
    assert (first.svg, first.png) == (second.svg, second.png)
    assert b"<dc:date>" not in first.svg and b"matplotlib" not in first.png


def test_a_drawing_for_the_page_takes_its_colours_and_ids_and_loads_nothing() -> None:
    text = small_drawing().inline("f1", "A &quot;figure&quot;")
    assert text.startswith('<svg role="img" aria-label="A &quot;figure&quot;"') and text.endswith("</svg>")
    assert "currentColor" in text and "var(--c1)" in text
    assert INK not in text and PALETTE[0] not in text
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    assert ids and all(name.startswith("f1-") for name in ids)
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)) <= {(i, "") for i in ids} | {("", i) for i in ids}
    assert "$x_1$ &lt;b&gt;&amp;" in text  # no mathematics, and escaped
    assert set(re.findall(r'https?://[^"\s]+', text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_figures_have_different_names_that_are_fit_for_files(tmp_path: Path) -> None:
    gallery, drawing = Gallery(), small_drawing()
    names = [gallery.add(name, drawing, "").name for name in ("DET, a/b", "DET a b", "<…>")]
    assert names == ["det-a-b", "det-a-b-2", "figure"]
    gallery.save(tmp_path)
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        *("det-a-b-2.png", "det-a-b-2.svg", "det-a-b.png", "det-a-b.svg", "figure.png", "figure.svg")
    ]


def test_an_alternative_text_is_escaped() -> None:
    assert 'aria-label="&lt;i&gt;&quot;x&quot;"' in Gallery().add("f", small_drawing(), '<i>"x"').svg


def det_of(count: int, shift: float) -> str:
    """The text of the drawing of one system with `count` trials of each kind."""
    rng = np.random.default_rng(0)
    is_target = np.arange(2 * count) < count
    rates = SortedTrials(rng.normal(size=2 * count) + shift * is_target, is_target).rates()
    return draw_det(["<b>one</b>"], [det_curve(rates)]).svg.decode()


def test_det_axes_begin_at_the_tick_below_the_smallest_error_rate() -> None:
    large, small = det_of(20_000, 4.0), det_of(40, 2.0)
    for tick in ("0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "40"):
        assert large.count(f">{tick}</text>") == 2  # on both axes
    assert small.count(">2</text>") == 2 and ">1</text>" not in small  # the smallest rate is 1 of 40, 2.5 %
    assert "&lt;b&gt;one&lt;/b&gt;" in large


def test_a_system_without_errors_has_a_figure() -> None:
    assert "EER" in det_of(40, 100.0)


def test_styles_of_28_systems_differ() -> None:
    assert len({line_style(number) for number in range(28)}) == 28


def test_densities_of_both_kinds_have_area_one() -> None:
    rng = np.random.default_rng(0)
    is_target = rng.random(20_000) < 0.1
    edges, targets, nontargets = score_densities(rng.normal(size=20_000) + is_target, is_target)
    for density in (targets, nontargets):
        assert (density * np.diff(edges)).sum() == pytest.approx(1.0, abs=0.01)  # without the outermost scores
    assert np.isfinite(score_densities(np.zeros(4), np.array([True, False, True, False]))[1]).all()


def test_dots_of_equal_values_do_not_lie_on_each_other() -> None:
    heights = stacked([0.0] * 9 + [1.0])
    assert len(set(heights[:9])) == 9 and heights[9] == 0.0
    assert max(map(abs, heights)) <= 0.36
    assert stacked([]) == []


def test_the_odd_id_is_in_the_data(tmp_path: Path) -> None:
    runs = write_small_runs(tmp_path, "a")
    assert SCRIPT_ID in read_set_facts("test", runs.data / "test").trial_set.speaker_of


@pytest.mark.parametrize("length", [0, 1, MOST_CURVE_POINTS, MOST_CURVE_POINTS + 1, 3001])
def test_a_long_curve_is_thinned_evenly_and_keeps_its_ends(length: int) -> None:
    steps = [float(number) for number in range(length)]
    kept, values = thinned_curve((steps, [2 * step for step in steps]))
    assert len(kept) == min(length, MOST_CURVE_POINTS) and values == [2 * step for step in kept]
    assert [*kept[:1], *kept[-1:]] == [*steps[:1], *steps[-1:]]
    gaps = np.diff(kept)
    assert not len(gaps) or (gaps.min() >= 1 and gaps.max() - gaps.min() <= 1)
