"""Curves and the pose of a head: from face units to pixels.

A face unit is one pixel of CelebA's aligned pictures (178 wide, 218 high, 39 between the pupils).
Face coordinates are `(x, y)`, right and down, with the origin midway between the pupils.
"""

# ruff: noqa: RUF005 - the sums here add offsets to arrays of points

import functools
import math
from dataclasses import dataclass

import numpy as np

FRAME_WIDTH, FRAME_HEIGHT = 178.0, 218.0
HEAD_RADIUS = 60.0


@functools.lru_cache(maxsize=256)
def _catmull_rom(points: int, closed: bool, count: int) -> np.ndarray:
    """The matrix that takes the points of a curve to its samples."""
    t = np.arange(count)[:, None] / count
    powers = np.concatenate([t**0, t, t**2, t**3], axis=1)
    blend = powers @ np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    unit = np.eye(points)
    if closed:
        padded = np.concatenate([unit[-1:], unit, unit[:2]])
    else:
        padded = np.concatenate([[2 * unit[0] - unit[1]], unit, [2 * unit[-1] - unit[-2]]])
    sampled = [blend @ padded[k : k + 4] for k in range(len(padded) - 3)]
    return np.concatenate(sampled if closed else [*sampled, unit[-1:]]).astype(np.float32)


def smooth(points, closed: bool = False, count: int = 6) -> np.ndarray:
    """Draws a Catmull-Rom curve through points.

    Args:
        points: `(n, 2)` coordinates, n at least 2.
        closed: Bool, whether the curve returns to its first point.
        count: Int, samples a segment.

    Returns:
        float32 `(m, 2)`.
    """
    points = np.asarray(points, dtype=np.float32)
    return _catmull_rom(len(points), bool(closed), count) @ points


def resample(points: np.ndarray, count: int) -> np.ndarray:
    """Returns `count` points evenly spaced along a polyline, float32 `(count, 2)`."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    length = np.concatenate([[0], np.cumsum(steps)])
    at = np.linspace(0, length[-1], count)
    return np.stack(
        [np.interp(at, length, points[:, 0]), np.interp(at, length, points[:, 1])], axis=1
    ).astype(np.float32)


def mirror(points) -> np.ndarray:
    """Returns the points reflected in the face's vertical axis, in reverse order."""
    return (np.asarray(points, dtype=np.float32) * (-1, 1))[::-1]


def symmetric(right_side, count: int = 6) -> np.ndarray:
    """Closes a smooth outline from its right half, listed from top to bottom.

    Points with `x == 0` lie on the axis and are not doubled.
    """
    right = np.asarray(right_side, dtype=np.float32)
    left = mirror(right[right[:, 0] > 0])
    return smooth(np.concatenate([right, left]), closed=True, count=count)


@functools.lru_cache(maxsize=128)
def _taper(points: int, widths: int) -> np.ndarray:
    """The matrix that takes full widths to half widths at every point of a line."""
    places = np.linspace(0, 1, points)
    columns = [np.interp(places, np.linspace(0, 1, widths), row) for row in np.eye(widths)]
    return (np.stack(columns, axis=1) / 2).astype(np.float32)


@functools.lru_cache(maxsize=64)
def _differences(points: int) -> np.ndarray:
    """The matrix that takes a line's points to its direction at each of them."""
    return np.gradient(np.eye(points), axis=0).astype(np.float32)


_QUARTER_TURN = np.array([[0, 1], [-1, 0]], np.float32)


def ribbon(points: np.ndarray, widths) -> np.ndarray:
    """Gives a line its varying width.

    Args:
        points: `(n, 2)` centre line.
        widths: Full widths at evenly spaced places along the line, any number of them.

    Returns:
        float32 `(2n, 2)` closed outline.
    """
    points = np.asarray(points, dtype=np.float32)
    normal = _differences(len(points)) @ points @ _QUARTER_TURN
    half = _taper(len(points), len(widths)) @ np.asarray(widths, dtype=np.float32)
    normal *= (half / (np.hypot(normal[:, 0], normal[:, 1]) + np.float32(1e-6)))[:, None]
    return np.concatenate([points + normal, (points - normal)[::-1]])


@functools.lru_cache(maxsize=8)
def _circle(count: int, power: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return (np.sign(unit) * np.abs(unit) ** power).astype(np.float32)


def ellipse(
    x: float, y: float, rx: float, ry: float, tilt: float = 0.0, power: float = 1.0
) -> np.ndarray:
    """Outlines an ellipse, or a rounded box where `power` is below 1; float32 `(24, 2)`."""
    points = _circle(24, power) * (rx, ry)
    if tilt:
        cos, sin = math.cos(tilt), math.sin(tilt)
        points = points @ np.array([[cos, sin], [-sin, cos]])
    return (points + (x, y)).astype(np.float32)


def loft(inner: np.ndarray, outer: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fills the band between two curves of n points with `k` curves; float32 `(k, n, 2)`."""
    w = np.asarray(weights, dtype=np.float32)[:, None, None]
    return inner[None] * (1 - w) + outer[None] * w


@dataclass(frozen=True)
class Pose:
    """Where a head stands in the picture.

    Attributes:
        yaw: Float, radians; positive turns the face to the picture's right.
        pitch: Float, radians; positive lowers the face.
        roll: Float, radians; positive is clockwise.
        zoom: Float, pixels a face unit.
        x: Float, pixels, where the eyes' middle lies.
        y: Float, pixels, where the eyes' middle lies.
    """

    yaw: float
    pitch: float
    roll: float
    zoom: float
    x: float
    y: float

    @property
    def shift(self) -> float:
        """How far turning carries the face's middle sideways, which the pose takes back."""
        return 0.82 * HEAD_RADIUS * math.sin(self.yaw)

    def __call__(self, points, depth: float = 0.0) -> np.ndarray:
        """Projects face coordinates.

        Args:
            points: `(..., 2)` face coordinates.
            depth: Float, face units in front of the face's surface (the nose's tip).

        Returns:
            float32 `(..., 2)` pixels, x then y.
        """
        # On a cylinder of radius R, a point at x = R sin(a) lies R cos(a) towards the viewer.
        points = np.asarray(points, dtype=np.float32)
        limit = np.float32(0.96 * HEAD_RADIUS)
        terms = np.empty((*points.shape[:-1], 4), np.float32)
        terms[..., :2] = points
        on_head = np.minimum(np.maximum(points[..., 0], -limit), limit)
        terms[..., 2] = on_head
        terms[..., 3] = np.sqrt(np.float32(HEAD_RADIUS**2) - on_head * on_head)
        factors, start = _placement(self, depth)
        return terms @ factors + start

    def unturned_x(self, turned: np.ndarray) -> np.ndarray:
        """Returns the face coordinate `x` that lands at each turned `x` (before roll and zoom)."""
        sine = np.clip((turned + self.shift) / HEAD_RADIUS, -0.999, 0.999)
        angle = np.clip(np.arcsin(sine) - self.yaw, -np.pi / 2, np.pi / 2)
        return HEAD_RADIUS * np.sin(angle)

    def matrix(self) -> np.ndarray:
        """The affine map from turned face coordinates to pixels, `(2, 3)`."""
        cos, sin = self.zoom * math.cos(self.roll), self.zoom * math.sin(self.roll)
        return np.array([[cos, -sin, self.x], [sin, cos, self.y]])


@functools.lru_cache(maxsize=256)
def _placement(pose: Pose, depth: float) -> tuple[np.ndarray, np.ndarray]:
    """What x, y, x on the cylinder and depth on it add to a pixel's place; and its origin."""
    right = pose.zoom * np.array([math.cos(pose.roll), math.sin(pose.roll)])
    down = np.array([-right[1], right[0]])
    turn, nod = math.sin(pose.yaw), math.sin(pose.pitch)
    factors = [right, down, (math.cos(pose.yaw) - 1) * right, turn * right + nod * down]
    start = np.array([pose.x, pose.y]) + (depth * turn - pose.shift) * right
    start = start + (depth - HEAD_RADIUS) * nod * down
    return np.array(factors, np.float32), start.astype(np.float32)
