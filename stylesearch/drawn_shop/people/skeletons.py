"""Places the joints, trunk, arms and legs of a posed body in an image."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from stylesearch.drawn_shop.drawing.curves import Points, along, spline
from stylesearch.drawn_shop.people.bodies import Body, Pose

__all__ = ["Skeleton"]

_Numbers = npt.NDArray[np.float64]

_HEAD = -17.6
"""Height of the head's middle."""


class Skeleton:
    """A body in a pose, in the pixels of an image.

    Heights are those of ``stylesearch.drawn_shop.garments.cuts``: centimetres below the neck on a body
    170 cm tall. Of two arms or legs, 0 is the left one in the image and 1 the right one.

    Args:
        body, pose: proportions and pose.
        origin: pixels of the point between the shoulders, where the neck begins.
        scale: pixels for a centimetre.
    """

    def __init__(self, body: Body, pose: Pose, origin: tuple[float, float], scale: float) -> None:
        self.body, self.pose, self.scale = body, pose, scale
        self._origin = np.array(origin)
        lean = np.radians(pose.lean)
        self._lean = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
        tall = body.tall
        self.legs: list[Points] = []
        hips = self._trunk_cm(np.array([58.0]))
        for index, side in enumerate((-1.0, 1.0)):
            hip = hips[0][0] + hips[1][0] * side * 8.9 * (1 + 0.8 * (body.width - 1))
            thigh, shin = (np.radians(side * angles[index]) for angles in (pose.thighs, pose.shins))
            reach = pose.leg_reach[index] * tall
            knee = hip + 39.0 * reach * np.array([np.sin(thigh), np.cos(thigh)])
            ankle = knee + 37.0 * reach * np.array([np.sin(shin), np.cos(shin)])
            self.legs.append(np.array([hip, knee, ankle]))
        self.arms: list[Points] = []
        top = self._trunk_cm(np.array([6.0]))
        shoulder_half = float(body.trunk_half(np.array([6.0]))[0]) - 3.4
        for index, side in enumerate((-1.0, 1.0)):
            shoulder = top[0][0] + top[1][0] * side * shoulder_half
            upper, fore = (np.radians(side * angles[index]) for angles in (pose.upper_arms, pose.forearms))
            reach = pose.arm_reach[index] * tall
            elbow = shoulder + 28.0 * reach * np.array([np.sin(upper), np.cos(upper)])
            wrist = elbow + 24.5 * reach * np.array([np.sin(fore), np.cos(fore)])
            self.arms.append(np.array([shoulder, elbow, wrist]))

    def _trunk_cm(self, height: _Numbers) -> tuple[Points, Points]:
        pose = self.pose
        feet = 0.0
        if getattr(self, "legs", None):
            feet = float(np.mean([leg[2][0] for leg in self.legs]))
        shift = np.interp(
            height,
            [0, 18, 38, 56, 66, 134],
            [0, 0, 0.55 * pose.hip_shift, pose.hip_shift, pose.hip_shift, 0.5 * (pose.hip_shift + feet)],
        )
        tilt = np.radians(
            np.interp(
                height,
                [4, 20, 38, 56, 70, 134],
                [
                    pose.shoulder_tilt,
                    0.7 * pose.shoulder_tilt,
                    0.4 * pose.hip_tilt,
                    pose.hip_tilt,
                    0.8 * pose.hip_tilt,
                    0.2 * pose.hip_tilt,
                ],
            )
        )
        return np.column_stack([shift, height * self.body.tall]), np.column_stack(
            [np.cos(tilt), np.sin(tilt)]
        )

    def pixels(self, points: Points) -> Points:
        """Converts points in the body's centimetres to pixels."""
        placed: Points = self._origin + self.scale * points @ self._lean.T
        return placed

    def trunk(self, height: _Numbers) -> tuple[Points, Points]:
        """The middle of the trunk at each height, and one centimetre to the right there, in pixels."""
        centre, across = self._trunk_cm(height)
        return self.pixels(centre), self.scale * across @ self._lean.T

    def on_trunk(self, points: Points) -> Points:
        """Converts points given as (centimetres from the middle, height) to pixels."""
        centre, across = self.trunk(points[:, 1])
        return centre + across * points[:, :1]

    @functools.cached_property
    def _leg_curves(self) -> tuple[Points, Points]:
        return self._limb(self.legs[0], 0.08), self._limb(self.legs[1], 0.08)

    @functools.cached_property
    def _arm_curves(self) -> tuple[Points, Points]:
        return self._limb(self.arms[0], 0.14), self._limb(self.arms[1], 0.14)

    def _limb(self, joints: Points, softness: float) -> Points:
        """Makes a smooth curve along a limb; ``softness`` is the share of the bend."""
        start, bend, end = joints
        before, after = bend + softness * (start - bend), bend + softness * (end - bend)
        curve = spline(
            np.array([start, 0.5 * (start + bend), before, after, 0.5 * (bend + end), end]), samples=8
        )
        return along(self.pixels(curve), np.linspace(0, 1, 40))

    def leg(self, side: int) -> Points:
        """Curve from hip to ankle, pixels, evenly spaced: point i of 40 is at height 58 + i * 76 / 39."""
        return self._leg_curves[side]

    def arm(self, side: int) -> Points:
        """Curve from shoulder to wrist, pixels, 40 points evenly spaced."""
        return self._arm_curves[side]

    def head(self, points: Points) -> Points:
        """Converts points on the head, in centimetres from its middle, to pixels."""
        tilt = np.radians(self.pose.head_tilt)
        turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
        return self.pixels((points @ turn.T) + np.array([0.0, _HEAD]))
