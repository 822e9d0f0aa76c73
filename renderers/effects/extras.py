"""What pages may have beyond flat, sharp text of the asked sizes. All off by default."""

from __future__ import annotations

from dataclasses import dataclass

from renderers.effects.warp import MAX_PERSPECTIVE, MAX_TILT_DEGREES


@dataclass(frozen=True, kw_only=True)
class Extras:
    """How far pages may be warped, and which share of them has an effect, 0 to 1.

    `tilt_degrees` is the largest rotation to either side, up to 45. `perspective`, up to 0.5, is
    twice the largest share of a side by which a corner of the sheet is pulled in. `shadow`,
    `outline` and `camera` are shares of pages; so is `large_headings`: titles and posters may have
    up to twice the body's em there, beyond the size band. ValueError for a number out of range.
    """

    tilt_degrees: float = 0.0
    perspective: float = 0.0
    shadow: float = 0.0
    outline: float = 0.0
    camera: float = 0.0
    large_headings: float = 0.0

    def __post_init__(self) -> None:
        for name, most in (
            ("tilt_degrees", MAX_TILT_DEGREES),
            ("perspective", MAX_PERSPECTIVE),
            ("shadow", 1.0),
            ("outline", 1.0),
            ("camera", 1.0),
            ("large_headings", 1.0),
        ):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise ValueError(f"{name} is a number from 0 to {most:g}; got {value}")

    @property
    def warps(self) -> bool:
        """Whether pages are rotated or seen in perspective."""
        return self.tilt_degrees > 0 or self.perspective > 0


NO_EXTRAS = Extras()
