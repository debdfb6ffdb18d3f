from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from services.generator.profiles import ALL, Profile, Spike, Step
from services.generator.schemas import describe_profiles


def test_steps_go_up_and_stay() -> None:
    step = Step(kind="step", by=100, every_s=10, steps=2)

    assert [step.rate_at(t, 50) for t in (0, 9.9, 10, 25, 500)] == [50, 50, 150, 250, 250]


def test_a_spike_comes_once_or_again_and_again() -> None:
    once = Spike(kind="spike", factor=4, after_s=5, for_s=2)
    assert [once.rate_at(t, 10) for t in (4.9, 5, 6.9, 7, 25)] == [10, 40, 40, 10, 10]

    again = Spike(kind="spike", factor=4, after_s=5, for_s=2, every_s=20)
    assert [again.rate_at(t, 10) for t in (4.9, 5, 7, 25, 27)] == [10, 40, 10, 40, 10]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "replay", "file": "../secrets"},
        {"kind": "replay", "file": ".hidden"},
        {"kind": "ramp", "to_rate": -1, "over_s": 3},
        {"kind": "sine", "amplitude": 2},
        {"kind": "tsunami"},
        {"kind": "constant", "more": 1},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Profile).validate_python(wrong)


def test_every_profile_is_described() -> None:
    described = describe_profiles().profiles

    assert len(described) == len(ALL)
    assert {"constant", "ramp", "step", "sine", "spike", "poisson", "bursts", "replay"} == {d.kind for d in described}
    assert all(d.summary for d in described)


def test_a_step_down_ends_at_nothing() -> None:
    down = Step(kind="step", by=-30, every_s=10, steps=5)
    assert [down.rate_at(t, 50) for t in (0, 10, 20, 500)] == [50, 20, 0, 0]


@pytest.mark.parametrize("profile", [profile for profile in ALL if profile.__name__ != "Replay"])
def test_the_preview_is_the_profile_itself_over_its_whole_shape(profile: type) -> None:
    kind = profile.__name__.lower()
    needed = {"ramp": {"to_rate": 500, "over_s": 60}, "step": {"by": 10, "every_s": 5, "steps": 3}}
    made = profile(kind=kind, **needed.get(kind, {}))
    points = made.preview(100.0)
    assert points[0] == (0.0, made.rate_at(0.0, 100.0))
    assert points[-1][0] == pytest.approx(made.horizon_s())
    assert [rate for _, rate in points] == [made.rate_at(t, 100.0) for t, _ in points]
