"""Add texture from the known part of the photo to a network's completion.

A completion network generates the right colours and shapes, but blurred. Here every small patch
that touches the hole is matched with a similar patch of the known photo, and the hole is composed
of these exemplars; both steps are repeated, from a reduced photo to the photo's own size. The
network's completion, with straight edges continued, is the initial result and the guide: matches
are searched by the appearance of the patches, by the blurred colours of the completion, and by the
strength of the texture along the hole's rim. The exemplars provide the detail that the network
lacks; its low frequencies are kept, unless the surroundings are a single texture.

References:
    Y. Wexler, E. Shechtman, M. Irani, "Space-time completion of video", IEEE Trans. Pattern
    Anal. Mach. Intell. 29(3), 2007, https://doi.org/10.1109/TPAMI.2007.60
    C. Barnes et al., "PatchMatch: a randomized correspondence algorithm for structural image
    editing", ACM Trans. Graph. 28(3), 2009, https://doi.org/10.1145/1531326.1531330
    A. Newson et al., "Video inpainting of complex scenes", SIAM J. Imaging Sci. 7(4), 2014,
    https://doi.org/10.1137/140954933
"""

from collections.abc import Iterator

import cv2
import numpy as np

from keras_inpaint.inference.blending import solve_laplace
from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.inference.lines import continue_edges
from keras_inpaint.inference.tiles import Box, reduced_mask, tightened

#: Side and half-width of a patch in pixels.
_PATCH = 7
_R = _PATCH // 2
#: The distance in pixels below which holes share a crop; the number of groups to process, the
#: largest first; the depth in pixels up to which holes keep the network's completion.
_JOIN, _MAX_GROUPS, _THIN = 12, 32, 2.0
#: The margin of a crop around its holes: at least in pixels, and as a share of their longer side.
_MIN_AROUND, _AROUND = 40, 1.25
#: Limits on the time: the longer side of a crop, the number of patches to match in it, and the
#: number of hole pixels that are composed at the photo's own size.
_MAX_SIDE, _MAX_TARGETS, _MAX_COMPOSED = 384, 24_000, 400_000
#: Weights of the guide (for varied surroundings and for a single texture) and of the texture's
#: strength.
_GUIDE, _WEAK_GUIDE, _STRENGTH = 1.5, 0.3, 1.0
#: The surroundings are a single texture if the standard deviation of their blurred colours is at
#: most this multiple of the texture's mean absolute detail.
_ONE_TEXTURE = 0.8
#: The principal components of a patch to compare, the patches they are computed from, iterations.
_COMPONENTS, _SAMPLE, _ITERATIONS = 24, 4000, 8
#: The number of pairs of patches below which all are compared, and the largest number of known
#: patches among them.
_EXHAUSTIVE, _MAX_SOURCES = 4e7, 20_000
#: Rounds of matching and composing at the coarsest scale, at the next, at all others.
_ROUNDS = (6, 4, 3)
#: The largest shift of an exemplar's colour towards the guide (0 to 1).
_SHIFT = 0.03
#: The network's detail, relative to the expected, from which less and no detail of the exemplars
#: is added; the sigma in pixels of its average; the largest share that is added.
_ENOUGH, _WITHIN, _TAKEN = (0.75, 1.0), 3.0, 0.9
#: The multiplications of a matrix product below which BLAS starts no threads. On a busy machine,
#: threads that wait for each other cost more than they save.
_ONE_THREAD = 200_000
_BLUR = _PATCH / 2.5
_SQUARE = np.ones((_PATCH, _PATCH), np.uint8)
_LUMA = np.float32([0.299, 0.587, 0.114])


def add_texture(
    image: np.ndarray, mask: np.ndarray, completed: np.ndarray, where: np.ndarray | None = None
) -> np.ndarray:
    """Compose holes of exemplars from the known photo, guided by a network's completion.

    Args:
        image: Uint8 `(height, width, 3)`, the photo; its values in the holes are ignored.
        mask: Bool `(height, width)`, true in the hole.
        completed: Uint8 `(height, width, 3)`, the photo with its holes completed.
        where: Bool `(height, width)`, the holes to process; None is all.

    Returns:
        Uint8 `(height, width, 3)`, a new array, deterministic. It differs from `completed` only in
        holes that are more than 2 pixels deep and have enough known pixels around them.
    """
    result = np.where(mask[..., None], completed, image)
    where = mask if where is None else where & mask
    if mask.all():
        return result
    for number, (box, own) in enumerate(_groups(where)):
        part = result[box.slices]
        check_cancelled()
        generator = np.random.default_rng(number)
        part[own] = _composed(part, mask[box.slices], own, generator)[own]
    return result


def _groups(holes: np.ndarray) -> Iterator[tuple[Box, np.ndarray]]:
    """Yield a box with a margin around each group of holes, and the group's pixels in it."""
    side = 2 * _JOIN + 1
    near = cv2.dilate(holes.astype(np.uint8), np.ones((side, side), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    order = sorted(range(1, count), key=lambda label: -stats[label, cv2.CC_STAT_AREA])
    for label in order[:_MAX_GROUPS]:
        left, top, width, height = stats[label, :4].tolist()
        around = Box(top, left, top + height, left + width)
        own = holes[around.slices] & (labels[around.slices] == label)
        photo = Box(-top, -left, 0, 0)  # in coordinates of `around`
        tight = tightened(own, Box(0, 0, *own.shape)).shifted(photo)
        margin = int(max(_MIN_AROUND, _AROUND * max(tight.height, tight.width)))
        box = tight.expanded(margin, holes.shape)
        yield box, holes[box.slices] & (labels[box.slices] == label)


def _composed(
    photo: np.ndarray, hole: np.ndarray, own: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Return a crop in which one group of holes is composed of exemplars."""
    # At the photo's border a hole is open: its depth is the distance from known pixels.
    depth = float(_depth(own).max())
    if depth <= _THIN:
        return photo
    photo = continue_edges(photo, hole, own)
    check_cancelled()
    crop = photo.astype(np.float32) / 255
    grey = not np.ptp(photo[~hole].astype(np.int16), axis=-1).any()
    touched = np.count_nonzero(cv2.dilate(own.astype(np.uint8), _SQUARE))
    scales = [min(1.0, _MAX_SIDE / max(own.shape), (_MAX_TARGETS / touched) ** 0.5)]
    while depth * scales[-1] > 0.75 * _PATCH and min(own.shape) * scales[-1] / 2 > 4 * _PATCH:
        scales.append(scales[-1] / 2)
    previous: _Level | None = None
    share, varied = np.zeros((1, 1), np.float32), True
    for place, scale in enumerate(reversed(scales)):
        check_cancelled()
        level = _Level(crop, hole, own, scale, shift=0 if grey else _SHIFT)
        if len(level.sources) < max(32, 0.02 * len(level.targets[0])):
            continue
        level.describe_sources(generator)
        last = scale == scales[0]
        if last:
            varied = level.varied
            share = level.need() if varied else level.own.astype(np.float32)
            if not share.any():
                return photo
        if previous is None:
            level.match_all(generator)
        else:
            level.take_matches(previous)
            level.compose(centred=True)
        rounds = _ROUNDS[min(place, len(_ROUNDS) - 1)]
        for number in range(rounds):
            check_cancelled()
            level.match(generator)
            final = last and number == rounds - 1
            level.compose(centred=final, sharp=final)
        previous = level
    if previous is None:
        return photo
    full = min(1.0, (_MAX_COMPOSED / touched) ** 0.5)
    if full > scales[0]:
        level = _Level(crop, hole, own, full, shift=0 if grey else _SHIFT)
        if len(level.sources):
            level.take_matches(previous)
            level.compose(centred=True, sharp=True)
            previous = level
    check_cancelled()
    detail = previous.finished(share, whole=not varied) - previous.photo
    if detail.shape != crop.shape:
        detail = cv2.resize(detail, own.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(np.rint((crop + detail) * 255), 0, 255).astype(np.uint8)


class _Level:
    """A crop at one scale: the patches to fill, the known patches, and their matches.

    Attributes:
        photo: Float32 `(height, width, 3)` in [0, 1], the completed crop.
        hole: Bool, all unknown pixels.
        own: Bool, the pixels to fill.
        targets: Rows and columns of the centres of patches that touch `own`.
        sources: Flat indices in the padded crop of the centres of entirely known patches.
        matches: For each target the flat index of its match in the padded crop.
        distances: For each target the squared distance to its match.
    """

    def __init__(
        self, crop: np.ndarray, hole: np.ndarray, own: np.ndarray, scale: float, shift: float
    ) -> None:
        self.photo, self.hole, self.own, self.shift = crop, hole, own, shift
        if scale < 1:
            size = tuple(max(1, round(side * scale)) for side in own.shape)
            self.photo = cv2.resize(crop, size[::-1], interpolation=cv2.INTER_AREA)
            self.hole, self.own = reduced_mask(hole, size, 0.02), reduced_mask(own, size, 0.02)
        height, width = self.own.shape
        self.stride = width + 2 * _R
        self.padded = _padded(self.photo)
        known = np.pad(~self.hole, _R).astype(np.uint8)
        self.valid = cv2.erode(known, _SQUARE, borderValue=0).astype(bool)
        self.sources = np.flatnonzero(self.valid)
        touching = cv2.dilate(self.own.astype(np.uint8), _SQUARE) > 0
        self.targets = np.nonzero(touching)
        rows, columns = self.targets
        self.places = (rows + _R) * self.stride + columns + _R
        self.number = np.full((height + 2 * _R, self.stride), -1, np.int32)
        self.number.ravel()[self.places] = np.arange(len(rows))
        depth = np.minimum(_depth(self.hole), 30)
        self.trust = (1.3**-depth)[rows, columns].astype(np.float32)
        self.current = self.photo
        self.guide = _blurred(self.photo)
        weight = _blurred(1 - self.hole.astype(np.float32))[..., None]
        known_colours = _blurred(self.photo * ~self.hole[..., None])
        self.colours = np.where(weight > 0.05, known_colours / np.maximum(weight, 1e-3), self.guide)

    def describe_sources(self, generator: np.random.Generator) -> None:
        """Prepare matching: compute the features of every known patch."""
        self.strength = self._strength()
        sample = self.sources
        if len(sample) > _SAMPLE:
            sample = generator.choice(sample, _SAMPLE, replace=False)
        rows = _patches(_features(self.padded), sample, self.stride)
        self.mean = rows.mean(axis=0)
        self.basis = _principal(rows - self.mean, generator) / np.float32(rows.shape[1] ** 0.5)
        self.described = np.zeros((self.valid.size, self.basis.shape[1] + 4), np.float32)
        self.varied = self._is_varied()
        guide = _GUIDE if self.varied else _WEAK_GUIDE
        self.weights = np.float32([*[(guide / 3) ** 0.5] * 3, _STRENGTH**0.5])
        self.described[self.sources] = self._rows(self.photo, self.sources, self.colours)

    def _strength(self) -> np.ndarray:
        """Return the strength of the texture, extended from the hole's rim into the hole."""
        inner = cv2.erode(1 - self.hole.astype(np.uint8), np.ones((5, 5), np.uint8))
        inner = inner.astype(np.float32)
        weight = _blurred(inner)
        detail = np.abs(self.photo - self.guide).mean(axis=-1) * inner
        strength = np.sqrt(_blurred(detail) / np.maximum(weight, 1e-4))
        known = weight > 0.2
        strength = np.where(known, strength, 0).astype(np.float32)
        domain = cv2.dilate((~known).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        spread = solve_laplace(strength[..., None], known & domain, domain)[..., 0]
        return np.where(known, strength, np.maximum(spread, 0))

    def _is_varied(self) -> bool:
        """Return whether the surroundings are more than a single texture."""
        known = ~self.hole
        wide = cv2.GaussianBlur(self.colours, (0, 0), 2 * _BLUR)
        texture = np.abs(self.photo - self.guide).mean(axis=-1)[known].mean()
        return float(wide[known].std(axis=0).mean()) > _ONE_TEXTURE * float(texture)

    def _rows(self, photo: np.ndarray, places: np.ndarray, colours: np.ndarray) -> np.ndarray:
        """Return the features of the patches at places, and the colours and strength there."""
        features = _features(_padded(photo))
        rows = np.empty((len(places), self.basis.shape[1] + 4), np.float32)
        for start in range(0, len(places), 8192):
            check_cancelled()
            some = slice(start, start + 8192)
            patches = _patches(features, places[some], self.stride) - self.mean
            rows[some, :-4] = _product(patches, self.basis)
        rows[:, -4:-1] = _padded(colours).reshape(-1, 3)[places] * self.weights[:3]
        rows[:, -1] = _padded(self.strength).ravel()[places] * self.weights[3]
        return rows

    def match_all(self, generator: np.random.Generator) -> None:
        """Match every patch with the nearest known one, or the nearest of a random part of them."""
        rows, sources = self._rows(self.current, self.places, self.guide), self.sources
        if len(sources) > _MAX_SOURCES:
            sources = np.sort(generator.choice(sources, _MAX_SOURCES, replace=False))
        self.matches = sources[_nearest(rows, self.described[sources])]
        self.distances = self._distance(rows, self.matches)

    def match(self, generator: np.random.Generator) -> None:
        """Improve the matches: by comparing all pairs if they are few, by PatchMatch otherwise.

        All targets try the matches of their neighbours at distances of 8, 4, 2 and 1 at once,
        then random places within decreasing radii.
        """
        if len(self.places) * min(len(self.sources), _MAX_SOURCES) < _EXHAUSTIVE:
            self.match_all(generator)
            return
        rows = self._rows(self.current, self.places, self.guide)
        self.distances = self._distance(rows, self.matches)
        valid = self.valid.ravel()

        def offer(who: np.ndarray, places: np.ndarray) -> None:
            check_cancelled()
            inside = (places >= 0) & (places < valid.size)
            who, places = who[inside], places[inside]
            usable = valid[places]
            who, places = who[usable], places[usable]
            distances = self._distance(rows[who], places)
            better = distances < self.distances[who]
            self.matches[who[better]] = places[better]
            self.distances[who[better]] = distances[better]

        everyone = np.arange(len(rows))
        number = np.pad(self.number, 8, constant_values=-1)
        row, column = self.targets[0] + _R + 8, self.targets[1] + _R + 8
        for step in (8, 4, 2, 1):
            for down, right in ((0, step), (step, 0), (0, -step), (-step, 0)):
                neighbour = number[row + down, column + right]
                there = neighbour >= 0
                moved = self.matches[neighbour[there]] - (down * self.stride + right)
                offer(everyone[there], moved)
        radius = max(self.valid.shape) / 2
        while radius >= 1:
            jump = np.rint(generator.uniform(-radius, radius, (2, len(rows)))).astype(np.int64)
            offer(everyone, self.matches + jump[0] * self.stride + jump[1])
            radius /= 2.5

    def _distance(self, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        return ((rows - self.described[places]) ** 2).sum(axis=1)

    def take_matches(self, other: "_Level") -> None:
        """Initialise the matches from another scale: scale the offsets from patch to match."""
        height, width = self.own.shape
        down, across = height / other.own.shape[0], width / other.own.shape[1]
        rows, columns = self.targets
        there = np.minimum(((rows + 0.5) / down).astype(int), other.own.shape[0] - 1) + _R
        along = np.minimum(((columns + 0.5) / across).astype(int), other.own.shape[1] - 1) + _R
        which = _filled(other.number, other.number >= 0)[there, along]
        from_row, from_column = np.divmod(other.matches[which], other.stride)
        row = rows + np.rint((from_row - _R - other.targets[0][which]) * down)
        column = columns + np.rint((from_column - _R - other.targets[1][which]) * across)
        row = np.clip(row, 0, height - 1).astype(np.int64) + _R
        column = np.clip(column, 0, width - 1).astype(np.int64) + _R
        place = row * self.stride + column
        if not self.valid.ravel()[place].all():
            nearest = _filled(np.arange(self.valid.size).reshape(self.valid.shape), self.valid)
            place = nearest.ravel()[place]
        self.matches, self.distances = place, other.distances[which]

    def compose(self, *, centred: bool = False, sharp: bool = False) -> None:
        """Compose the hole: every pixel is a weighted mean over the patches that contain it.

        Args:
            centred: Bool, whether a patch's centre has a much larger weight than its rim.
            sharp: Bool, whether the best matches have a much larger weight than the others.
        """
        spread = max(float(np.quantile(self.distances, 0.75)), 1e-6) * (0.1 if sharp else 1.0)
        weight = np.exp(-np.minimum(self.distances / (2 * spread), 30)) * self.trust + 1e-12
        total = np.zeros((self.padded.shape[0] * self.stride, 4), np.float32)
        colours = self.padded.reshape(-1, 3)
        own_colour = _padded(self.colours).reshape(-1, 3)[self.matches]
        shift = self.guide[self.targets] - own_colour
        shift = np.clip(shift, -self.shift, self.shift)
        proposed = np.empty((len(self.places), 4), np.float32)
        for down in range(-_R, _R + 1):
            check_cancelled()
            for right in range(-_R, _R + 1):
                step = down * self.stride + right
                near = np.exp(-2 * (down**2 + right**2)) if centred else 1.0
                proposed[:, 3] = weight * near
                proposed[:, :3] = (colours[self.matches + step] + shift) * proposed[:, 3:]
                total[self.places + step] += proposed
        height, width = self.own.shape
        total = total.reshape(-1, self.stride, 4)[_R : _R + height, _R : _R + width]
        colours = total[..., :3] / np.maximum(total[..., 3:], 1e-20)
        self.result = np.where(total[..., 3:] > 0, colours, self.photo)
        self.current = np.where(self.own[..., None], self.result, self.photo)

    def need(self) -> np.ndarray:
        """Return the share of the exemplars' detail to add to each pixel, float32 in [0, 1]."""
        detail = np.abs(self.photo - self.guide).mean(axis=-1)
        detail = np.where(self.own, detail, self.strength**2)
        detail = np.sqrt(cv2.GaussianBlur(detail, (0, 0), _WITHIN))
        expected = np.maximum(cv2.GaussianBlur(self.strength, (0, 0), _WITHIN), 1e-3)
        low, high = _ENOUGH
        return _TAKEN * np.clip((high - detail / expected) / (high - low), 0, 1) * self.own

    def finished(self, share: np.ndarray, *, whole: bool) -> np.ndarray:
        """Return the completed crop with the exemplars added, float32 `(height, width, 3)`.

        Args:
            share: Float32, their share in each pixel, at this scale or a smaller one.
            whole: Bool, whether to add their colours and detail, or their detail only.
        """
        change = self.result.astype(np.float32) - self.photo
        if not whole:
            smaller = max(share.shape) / max(self.own.shape)
            change -= cv2.GaussianBlur(change, (0, 0), _BLUR / smaller)
        share = cv2.resize(share, self.own.shape[::-1]) * self.own
        return self.photo + change * share[..., None]


def _depth(holes: np.ndarray) -> np.ndarray:
    """Return the distance of every hole pixel from the nearest known one, float32."""
    return cv2.distanceTransform(holes.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)


def _blurred(array: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(array, (0, 0), _BLUR)


def _padded(array: np.ndarray) -> np.ndarray:
    mode = "reflect" if min(array.shape[:2]) > _R else "edge"
    return np.pad(array, [(_R, _R), (_R, _R)] + [(0, 0)] * (array.ndim - 2), mode=mode)


def _features(padded: np.ndarray) -> np.ndarray:
    """Return colours and the gradient of the luminance, float32 `(height, width, 5)`."""
    grey = padded @ _LUMA
    right = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=1)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=1)
    return np.dstack([padded, right, down]).astype(np.float32)


def _patches(features: np.ndarray, places: np.ndarray, stride: int) -> np.ndarray:
    """Return the patches around places as rows, float32 `(places, 7 * 7 * channels)`."""
    view = np.lib.stride_tricks.sliding_window_view(features, (_PATCH, _PATCH), (0, 1))
    rows, columns = np.divmod(places, stride)
    return view[rows - _R, columns - _R].reshape(len(places), -1)


def _principal(rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the first principal components of rows as columns, by subspace iteration."""
    count = min(_COMPONENTS, *rows.shape)
    basis = np.linalg.qr(generator.normal(size=(rows.shape[1], count)).astype(np.float32))[0]
    turned = np.ascontiguousarray(rows.T)
    for _ in range(_ITERATIONS):
        check_cancelled()
        basis = np.linalg.qr(_product(turned, _product(rows, basis)))[0]
    return np.ascontiguousarray(basis)


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the product of two matrices, in parts small enough that BLAS starts no threads."""
    rows = max(1, _ONE_THREAD // b.size)
    whole = len(a) // rows * rows
    parts = np.matmul(a[:whole].reshape(-1, rows, a.shape[1]), b)
    return np.concatenate([parts.reshape(whole, b.shape[1]), a[whole:] @ b])


def _nearest(rows: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return the index of the nearest source of each row."""
    height, width = 48, 128
    block = np.pad(sources, ((0, -len(sources) % width), (0, 0)))
    half = (block**2).sum(axis=1) / 2
    half[len(sources) :] = np.inf
    columns = np.ascontiguousarray(block.reshape(-1, width, block.shape[1]).transpose(0, 2, 1))
    nearest = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), height):
        check_cancelled()
        part = rows[start : start + height]
        products = np.matmul(part, columns)  # (blocks, rows, width)
        products = products.transpose(1, 0, 2).reshape(len(part), -1)
        nearest[start : start + height] = np.argmin(half - products, axis=1)
    return nearest


def _filled(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return integers, the unknown ones replaced by the nearest known one."""
    if known.all():
        return values
    _, label = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(label.max() + 1, np.int64)
    of_label[label[known]] = values[known]
    return of_label[label]
