"""Draws the proportions and poses of people at random."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt

from stylesearch.drawn_shop.drawing.palette import HAIR, SKIN, Color, jitter_color

__all__ = ["Body", "Pose", "draw_body", "draw_pose"]

_Numbers = npt.NDArray[np.float64]


_POSES = (*("relaxed", "hip", "walking") * 2, "behind", "bag", "phone", "cup", "hair", "crossed")


@dataclass(frozen=True, slots=True)
class Body:
    """The proportions of a person.

    Attributes:
        build: 0 (narrow shoulders, wide hips) to 1 (wide shoulders, narrow hips).
        width, tall: factors on all widths and heights; 1 is slim and 170 cm.
        skin, hair: colors.
        hairstyle: one of ``stylesearch.drawn_shop.people.heads.HAIRSTYLES``.
    """

    build: float
    width: float
    tall: float
    skin: Color
    hair: Color
    hairstyle: str

    def trunk_half(self, height: _Numbers) -> _Numbers:
        """Half width of neck and trunk at each height, centimetres, arms left out."""
        heights = [-9, -4, -1, 2, 4.2, 6, 12, 18, 26, 38, 46, 56, 66]
        slim = [5.0, 5.2, 6.3, 10.5, 16.4, 18.2, 16.2, 15.5, 14.2, 12.4, 14.4, 17.2, 17.0]
        broad = [5.7, 6.1, 8.4, 13.0, 19.0, 21.0, 19.0, 17.9, 16.8, 15.2, 15.7, 16.6, 16.6]
        wide = [0.35, 0.35, 0.5, 0.8, 0.6, 0.5, 0.8, 1.0, 1.1, 1.35, 1.2, 1.0, 1.0]
        half = np.array(slim) * (1 - self.build) + np.array(broad) * self.build
        half = half * (1 + (self.width - 1) * np.array(wide))
        return np.interp(height, heights, half)

    def leg_half(self, height: _Numbers) -> _Numbers:
        """Half width of a leg at each height, centimetres."""
        heights = [56, 66, 80, 92, 98, 104, 112, 126, 134, 140]
        half = [8.7, 8.7, 7.5, 5.9, 5.3, 5.2, 5.8, 4.1, 3.3, 3.5]
        return np.interp(height, heights, half) * (0.94 + 0.08 * self.build) * (1 + 0.85 * (self.width - 1))

    def arm_half(self, share: _Numbers) -> _Numbers:
        """Half width of an arm at shares 0 (shoulder) to 1 (wrist) of its length, centimetres."""
        half = np.interp(
            share, [0.0, 0.12, 0.3, 0.5, 0.58, 0.7, 0.88, 1.0], [3.8, 4.5, 4.2, 3.5, 3.5, 3.6, 2.7, 2.3]
        )
        return half * (0.92 + 0.24 * self.build) * (1 + 0.8 * (self.width - 1))


@dataclass(frozen=True, slots=True)
class Pose:
    """The pose of a person.

    Pairs are (left in the image, right in the image); angles are in degrees from straight down, positive
    away from the body.

    Attributes:
        name: name of the pose.
        lean, shoulder_tilt, hip_tilt: degrees, clockwise.
        hip_shift: centimetres to the right.
        turn: -1 to 1, how far the body is turned; head_turn likewise for the head.
        head_tilt: degrees.
        upper_arms, forearms, thighs, shins: angles.
        arm_reach, leg_reach: lengths as seen, 1 unless they point towards or away from the camera.
        arms_in_front: whether each arm passes before the body.
        hands: "open", or the thing that each hand holds: "phone", "bag", "cup".
    """

    name: str
    lean: float = 0.0
    shoulder_tilt: float = 0.0
    hip_tilt: float = 0.0
    hip_shift: float = 0.0
    turn: float = 0.0
    head_turn: float = 0.0
    head_tilt: float = 0.0
    upper_arms: tuple[float, float] = (9.0, 9.0)
    forearms: tuple[float, float] = (5.0, 5.0)
    thighs: tuple[float, float] = (2.5, 2.5)
    shins: tuple[float, float] = (1.5, 1.5)
    arm_reach: tuple[float, float] = (1.0, 1.0)
    leg_reach: tuple[float, float] = (1.0, 1.0)
    arms_in_front: tuple[bool, bool] = (True, True)
    hands: tuple[str, str] = ("open", "open")


def draw_body(random: Random, *, build: float | None = None) -> Body:
    """Draws a person at random; ``build`` restricts it to people who would wear the garment."""
    build = random.choice((0.0, 0.1, 0.2, 0.85, 1.0)) if build is None else build
    feminine = build < 0.5
    styles = (
        ("long", "long", "wavy", "wavy", "bob", "bun", "ponytail", "curls", "fringe", "short")
        if feminine
        else ("short", "short", "crop", "crop", "curls", "cap", "bald", "beard", "beard")
    )
    return Body(
        build=build,
        width=random.choice((0.95, 1.0, 1.0, 1.06, 1.14, 1.24)) + random.uniform(-0.02, 0.02),
        tall=random.uniform(0.95, 1.06) + 0.03 * build,
        skin=jitter_color(random.choice(SKIN), random, 5),
        hair=jitter_color(random.choice(HAIR), random, 6),
        hairstyle=random.choice(styles),
    )


def draw_pose(random: Random, *, mirror_photo: bool = False) -> Pose:
    """Draws a pose at random."""
    jitter = random.gauss
    right_first = random.random() < 0.5

    def pair(first: float, second: float, spread: float = 2.0) -> tuple[float, float]:
        first, second = first + jitter(0, spread), second + jitter(0, spread)
        return (first, second) if right_first else (second, first)

    def both(first: str, second: str) -> tuple[str, str]:
        return (first, second) if right_first else (second, first)

    side = -1.0 if right_first else 1.0
    name = "mirror" if mirror_photo else random.choice(_POSES)
    hips = random.uniform(0.0, 1.0)
    arms, fore, reach, hands, front = pair(9, 9, 3), pair(4, 4, 4), (1.0, 1.0), ("open", "open"), (True, True)
    thighs, shins, leg_reach = pair(2, 4 + 5 * hips, 1.5), pair(1, 2 - 2 * hips, 1.5), (1.0, 1.0)
    if name == "hip":
        arms, fore = pair(42, 10, 4), pair(-50, 4, 5)
    elif name == "walking":
        arms, fore, front = pair(13, 8, 3), pair(2, 16, 4), ((True, False) if right_first else (False, True))
        thighs, shins, leg_reach = (
            pair(3, 0, 1.5),
            pair(-2, 2, 1.5),
            ((1.0, 0.9) if right_first else (0.9, 1.0)),
        )
    elif name == "behind":
        arms, fore, front = (
            pair(24, 10, 3),
            pair(-34, 4, 4),
            ((False, True) if right_first else (True, False)),
        )
    elif name == "bag":
        arms, fore, hands = pair(11, 9, 3), pair(7, 2, 3), both("bag", "open")
    elif name == "phone":
        arms, fore, reach, hands = (
            pair(9, 9, 3),
            pair(-98, 3, 8),
            ((0.8, 1.0) if right_first else (1.0, 0.8)),
            both("phone", "open"),
        )
    elif name == "cup":
        arms, fore, hands = pair(14, 9, 3), pair(-132, 4, 6), both("cup", "open")
    elif name == "hair":
        arms, fore = pair(128, 10, 5), pair(-128, 3, 5)
    elif name == "crossed":
        arms, fore, hands = pair(14, 12, 3), pair(-82, 2, 4), both("open", "open")
    elif name == "mirror":
        arms, fore, hands = pair(26, random.choice((9.0, 40.0)), 4), pair(-158, 3, 6), both("phone", "open")
        if max(arms) > 33:
            fore = (-48.0 if arms[0] > 33 else fore[0], -48.0 if arms[1] > 33 else fore[1])
    return Pose(
        name=name,
        lean=jitter(0, 1.2),
        shoulder_tilt=side * hips * 2.5 + jitter(0, 1),
        hip_tilt=-side * hips * 4.5,
        hip_shift=side * hips * 3.0,
        turn=jitter(0, 0.3),
        head_turn=max(-1.0, min(1.0, jitter(0, 0.45))),
        head_tilt=jitter(0, 4),
        upper_arms=arms,
        forearms=fore,
        thighs=thighs,
        shins=shins,
        arm_reach=reach,
        leg_reach=leg_reach,
        arms_in_front=front,
        hands=hands,
    )
