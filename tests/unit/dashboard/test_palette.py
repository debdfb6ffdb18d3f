"""The colours that carry meaning can be distinguished by people with any of the three common colour blindnesses."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from services.dashboard import palette

#: Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "none": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
}
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.95047, 1.0, 1.08883])
Vector = npt.NDArray[np.float64]


def linear(colour: str) -> Vector:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: Vector) -> Vector:
    t = np.clip(_XYZ @ np.clip(rgb, 0, 1), 0, None) / _WHITE
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize(
    "colours",
    [palette.SOURCES, palette.DEVICES, {colour: colour for colour in palette.LINES}],
    ids=["sources", "devices", "lines"],
)
def test_colours_of_one_chart_differ(kind: str, colours: Mapping[str, str]) -> None:
    seen = {name: lab(np.array(BLINDNESS[kind]) @ linear(colour)) for name, colour in colours.items()}
    for (one, a), (other, b) in combinations(seen.items(), 2):
        assert np.linalg.norm(a - b) > 20, f"{one} and {other} look alike"


def contrast(a: str, b: str) -> float:
    lights = sorted((float(_XYZ[1] @ linear(colour)) for colour in (a, b)), reverse=True)
    return (lights[0] + 0.05) / (lights[1] + 0.05)


@pytest.mark.parametrize("background", ["#fbfbfc", "#12161c"], ids=["light", "dark"])
def test_colours_contrast_with_both_backgrounds(background: str) -> None:
    for name, colour in {**palette.SOURCES, **palette.DEVICES, **palette.STATES}.items():
        assert contrast(colour, background) > 2.0, name


@pytest.mark.parametrize("dark", [False, True])
def test_the_scale_contrasts_with_the_background(dark: bool) -> None:
    lightness = [lab(linear(str(colour)))[0] for _, colour in palette.scale(dark)]
    assert lightness == sorted(lightness, reverse=not dark)


def test_a_value_keeps_its_colour_and_many_values_differ_while_colours_last() -> None:
    values = [f"campaign-{n}" for n in range(len(palette.MORE) + 5)]
    colours = {value: palette.colour("test", value) for value in values}
    assert {value: palette.colour("test", value) for value in reversed(values)} == colours
    assert len({colours[value] for value in values[: len(palette.MORE)]}) == len(palette.MORE)
    assert set(colours.values()) <= set(palette.MORE)
    assert palette.colour("source", "Homepage") == palette.SOURCES["Homepage"]
    assert not set(palette.MORE) & ({*palette.SOURCES.values()} | {*palette.DEVICES.values()})
