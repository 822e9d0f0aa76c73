from __future__ import annotations

from typing import Any

import pytest

from pipelines.planning.phases import DEFAULT_PHASES, PhaseSettings, Weight, make_curriculum


def group(kind: str, rung: int, samples: int = 10) -> dict[str, Any]:
    return {
        "kind": kind,
        "rung": rung,
        "bucket": f"{rung}x{rung}",
        "language": None,
        "size_band": None,
        "density": None,
        "samples": samples,
        "bytes": 1000,
    }


ALL = [
    group(kind, rung)
    for kind in ("general", "text_real", "document", "text_synth")
    for rung in (256, 512, 1024, 2048)
]


def test_the_default_goes_from_low_to_high_and_from_general_to_synthetic_text() -> None:
    whole, notices = make_curriculum(DEFAULT_PHASES, 0, ALL)
    assert notices == ["10 samples of text_synth at rung 256 are in no phase: none weights both"]
    phases = whole["phases"]
    assert len(phases) >= 3
    assert [min(int(r) for r in p["rungs"]) for p in phases] == [256, 256, 512, 1024]
    assert [max(int(r) for r in p["rungs"]) for p in phases] == [256, 512, 1024, 2048]
    assert set(phases[0]["kinds"]) == {"general"}
    assert set(phases[1]["kinds"]) == {"general", "text_real", "document"}
    for phase in phases[2:]:
        assert set(phase["kinds"]) == {"general", "text_real", "document", "text_synth"}
    assert sum(phase["samples"] for phase in phases) >= 150_000_000


def test_alignment_loosens_without_a_jump() -> None:
    for part in ("m_cos", "m_dist"):
        ends = [end for phase in DEFAULT_PHASES for end in _ends(getattr(phase.align, part))]
        assert ends == sorted(ends) and ends[0] == 0 < ends[-1]
        assert ends[1:-1:2] == ends[2::2]
    weights = [end for phase in DEFAULT_PHASES for end in _ends(phase.align.weight)]
    assert weights == sorted(weights, reverse=True) and weights[1:-1:2] == weights[2::2]


def _ends(weight: Weight) -> tuple[float, float]:
    return weight if isinstance(weight, tuple) else (weight, weight)


def test_general_and_text_are_balanced_once_text_is_in() -> None:
    whole, _ = make_curriculum(DEFAULT_PHASES, 0, ALL)
    for phase in whole["phases"][1:]:
        start, end = (
            {k: w[i] if isinstance(w, list) else w for k, w in phase["kinds"].items()}
            for i in (0, 1)
        )
        for weights in (start, end):
            general = weights["general"] / sum(weights.values())
            assert 0.35 <= general <= 0.6


def test_what_the_corpus_lacks_loses_its_weight_and_is_said() -> None:
    without = [g for g in ALL if g["kind"] != "document" and g["rung"] < 1024]
    whole, notices = make_curriculum(DEFAULT_PHASES, 0, without)
    last = whole["phases"][-1]
    assert last["name"] == "3-all-kinds-1024"
    assert "document" not in last["kinds"] and set(last["rungs"]) == {"512"}
    assert any("document" in n for n in notices) and any("1024" in n for n in notices)


def test_a_phase_without_samples_is_left_out_and_said() -> None:
    whole, notices = make_curriculum(DEFAULT_PHASES, 0, [group("general", 256)])
    assert [p["name"] for p in whole["phases"]] == ["1-general-256", "2-real-text-512"]
    for name in ("3-all-kinds-1024", "4-all-kinds-2048"):
        assert any(f"{name} is left out" in n for n in notices)


def test_weights_of_densities_reach_the_file() -> None:
    phase = {"name": "p", "samples": 10, "rungs": {256: 1}, "kinds": {"text_real": 1}}
    weighted = PhaseSettings(**phase, densities={"top": (1, 3), "rest": 1})
    whole, _ = make_curriculum((weighted,), 0, ALL)
    assert whole["phases"][0]["densities"] == {"top": [1, 3], "rest": 1}
    with pytest.raises(ValueError, match="no such density: ..most."):
        PhaseSettings(**phase, densities={"most": 1})
    with pytest.raises(ValueError, match="densities needs weights"):
        PhaseSettings(**phase, densities={"top": 0})


def test_losses_ramp_and_a_crop_is_part_of_a_phase() -> None:
    phase = {"name": "p", "samples": 8, "rungs": {256: 1}, "kinds": {"general": 1}}
    align = {"weight": [0.5, 0.1], "m_cos": [0, 0.5]}
    asked = PhaseSettings(**phase, align=align, lambda_lpips=[0, 1], crop_px=64)
    whole, _ = make_curriculum((asked,), 0, ALL)
    written = whole["phases"][0]
    assert written["crop_px"] == 64 and written["lambda_lpips"] == [0.0, 1.0]
    assert written["align"] == {"lambda": [0.5, 0.1], "m_cos": [0.0, 0.5], "m_dist": 0.0}
    for wrong, told in (
        ({"align": {"m_cos": [0, 3]}}, "align.m_cos is a number from 0 to 2"),
        ({"lambda_lpips": [-1, 1]}, "lambda_lpips is a number from 0 or"),
    ):
        with pytest.raises(ValueError, match=told):
            PhaseSettings(**phase, **wrong)
