"""Continue straight edges that enter a hole on two sides across it.

A network blurs the continuation of a shelf or of the horizon. Straight edges around the hole are
detected in the photo. Two of them that point at each other are treated as one edge and connected
by a smooth curve. Along it the colour profiles across the edge are interpolated from one end to
the other, as far to both sides as they are similar.

References:
    R. Grompone von Gioi et al., "LSD: a line segment detector", Image Processing On Line 2, 2012,
    https://doi.org/10.5201/ipol.2012.gjmr-lsd
    J. Sun et al., "Image completion with structure propagation", ACM Trans. Graph. 24(3), 2005,
    https://doi.org/10.1145/1073204.1073274 (where the user draws the curves)
"""

import cv2
import numpy as np

from keras_inpaint.inference.cancelling import check_cancelled

#: The longest side of a photo in pixels; in larger ones detecting edges would take seconds.
_MAX_SIDE = 3000
#: The smallest length of the known part of an edge, in pixels and as a share of the distance across
#: the hole, and the largest distance of its end from the hole in pixels.
_SHORTEST, _SHARE, _NEAR = 8, 0.1, 6
#: The largest slope of an edge relative to the line across the hole, and the largest sum of the
#: slopes at both ends, which is 0 for an arc of a circle.
_SLOPE, _SLOPES = 0.25, 0.25
#: How far to both sides colours are propagated: at least in pixels, and as a share of the distance
#: across the hole.
_MIN_REACH, _REACH = 5.0, 0.25
#: The difference between the colours at both ends (0 to 255) from which their weight falls off.
_DIFFERENT = 40.0
#: The number of pixels along the edge over which colours at an end are averaged, and the step
#: between samples across it.
_ALONG, _STEP = 8, 0.5


def continue_edges(photo: np.ndarray, hole: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Continue straight edges across holes that they enter on two sides.

    Args:
        photo: Uint8 `(height, width, 3)`, completed. Only known colours are propagated.
        hole: Bool `(height, width)`, all unknown pixels.
        own: Bool `(height, width)`, the part of the hole to write.

    Returns:
        Uint8 `(height, width, 3)`; `photo` itself if no edge enters on two sides.
    """
    if max(hole.shape) > _MAX_SIDE:
        return photo
    into, out = _ends(photo, hole)
    total = np.zeros((np.count_nonzero(own), 4))
    places = np.argwhere(own)[:, ::-1]
    for first, second in _pairs(into, out, hole):
        check_cancelled()
        total += _carried(photo, hole, places, first, second)
    weight = total[:, 3:]
    if not weight.any():
        return photo
    colours = total[:, :3] / np.maximum(weight, 1e-6)
    result = photo.copy()
    mixed = photo[own] + (colours - photo[own]) * np.minimum(weight, 1)
    result[own] = np.clip(np.rint(mixed), 0, 255)
    return result


def _ends(photo: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where edges enter the hole, and where they leave it.

    Two float64 arrays `(edges, 5)`: x and y of the last known pixel, the edge's unit direction,
    its known length in pixels. All edges have their darker side on the same hand.
    """
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    segments = cv2.createLineSegmentDetector().detect(grey)[0]
    ends: tuple[list, list] = [], []
    for start, stop in [] if segments is None else segments.reshape(-1, 2, 2).astype(np.float64):
        length = np.hypot(*(stop - start))
        if length < _SHORTEST:
            continue
        along = (stop - start) / length
        way = np.arange(-_NEAR, length + _NEAR)
        points = start + way[:, None] * along
        column, row = np.rint(points).astype(int).T
        inside = (column >= 0) & (column < hole.shape[1]) & (row >= 0) & (row < hole.shape[0])
        # Runs of one kind: 0 is known, 1 the hole, 2 outside the photo.
        kind = np.full(len(way), 2)
        kind[inside] = hole[row[inside], column[inside]]
        firsts = np.flatnonzero(np.diff(kind, prepend=-1))
        lasts = np.append(firsts[1:], len(kind)) - 1
        for first, last in zip(firsts, lasts, strict=True):
            known = min(way[last], length) - max(way[first], 0)
            if kind[first] or known < _SHORTEST:
                continue
            for edges, place, beyond in ((ends[0], last, last + 1), (ends[1], first, first - 1)):
                if 0 <= beyond < len(kind) and kind[beyond] == 1:
                    edges.append([*points[place], *along, known])
    into, out = (np.reshape(np.array(edges, np.float64), (-1, 5)) for edges in ends)
    return into, out


def _pairs(
    into: np.ndarray, out: np.ndarray, hole: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return pairs of ends of the same edge, the straightest first; no end is in two pairs."""
    way = out[None, :, :2] - into[:, None, :2]
    length = np.hypot(way[..., 0], way[..., 1])
    first, second = _slopes(into[:, None], way), _slopes(out[None], way)
    fits = np.maximum(abs(first), abs(second)) <= _SLOPE
    fits &= abs(first + second) <= _SLOPES
    fits &= np.minimum(into[:, None, 4], out[None, :, 4]) >= _SHARE * length
    bent = abs(first) + abs(second) + length / 1000
    rows, columns = np.nonzero(fits)
    pairs, used = [], (set(), set())
    for number in np.argsort(bent[fits], kind="stable"):
        i, j = int(rows[number]), int(columns[number])
        if i in used[0] or j in used[1]:
            continue
        steps = np.linspace(0, 1, int(length[i, j]) + 2)[1:-1, None]
        column, row = np.rint(into[i, :2] + steps * way[i, j]).astype(int).T
        if hole[row, column].mean() >= 0.9:
            pairs.append((into[i], out[j]))
            used[0].add(i)
            used[1].add(j)
    return pairs


def _slopes(ends: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Return the slopes of ends relative to lines across the hole; infinite for opposite ones."""
    along = (ends[..., 2:4] * way).sum(axis=-1)
    across = ends[..., 3] * way[..., 0] - ends[..., 2] * way[..., 1]
    return np.divide(across, along, out=np.full(along.shape, np.inf), where=along > 0)


def _carried(
    photo: np.ndarray, hole: np.ndarray, places: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Return an edge's colours times their weight, and the weight, at `places` of the hole.

    Float64 `(places, 4)`, weights 0 to 1, of the edge from its `first` end to its `second`.
    """
    way = second[:2] - first[:2]
    length = np.hypot(*way)
    reach = max(_MIN_REACH, _REACH * length)
    offsets = np.arange(-reach, reach + _STEP, _STEP)
    one, known_one = _colours_across(photo, hole, first, -1, offsets)
    other, known_other = _colours_across(photo, hole, second, 1, offsets)
    weight = np.clip(2 - 2 * abs(offsets) / reach, 0, 1) * (known_one & known_other)
    weight *= np.exp(-((abs(one - other).max(axis=1) / _DIFFERENT) ** 2))
    middle = len(offsets) // 2
    weight[middle:] = np.minimum.accumulate(weight[middle:])
    weight[middle::-1] = np.minimum.accumulate(weight[middle::-1])

    # The curve is a cubic with the slopes of both ends; beyond the ends it is straight.
    a, b = _slopes(first, way), _slopes(second, way)
    x, y = ((places - first[:2]) @ (np.array([way, [-way[1], way[0]]]) / length).T).T
    t = np.clip(x / length, 0, 1)
    curve = length * t * (1 - t) * (a * (1 - t) - b * t)
    curve += a * np.minimum(x, 0) + b * np.maximum(x - length, 0)
    slope = a * (1 - t) * (1 - 3 * t) - b * t * (2 - 3 * t)
    offset = (y - curve) / np.sqrt(1 + slope**2)

    carried = np.zeros((len(places), 4))
    near = (x > -reach) & (x < length + reach) & (abs(offset) < reach)
    offset, t = offset[near], t[near]
    share = np.interp(offset, offsets, weight)
    carried[near, 3] = share
    for channel in range(3):
        start, stop = (np.interp(offset, offsets, end[:, channel]) for end in (one, other))
        carried[near, channel] = share * (start + (stop - start) * t)
    return carried


def _colours_across(
    photo: np.ndarray, hole: np.ndarray, end: np.ndarray, away: int, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean known colours across an edge near its end, and where any are known."""
    x, y, along, down, length = end
    steps = away * np.arange(1, min(length, _ALONG) + 1)[:, None]
    columns = (x + along * steps - down * offsets).astype(np.float32)
    rows = (y + down * steps + along * offsets).astype(np.float32)
    place = (columns, rows, cv2.INTER_LINEAR)
    unknown = cv2.remap(
        hole.astype(np.float32), *place, borderMode=cv2.BORDER_CONSTANT, borderValue=1
    )
    weight = unknown[..., None] < 0.01
    colours = cv2.remap(photo.astype(np.float32), *place)
    count = weight.sum(axis=0)
    return (colours * weight).sum(axis=0) / np.maximum(count, 1), count[:, 0] > 0
