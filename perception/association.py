"""One list of objects from many pictures: which observation is which object, and what became of those not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from seesay.geometry import invert, transform_points
from seesay.masks import encode_one
from seesay.messages import Alternative, ArmState, Header, Object, Objects, ObjectStatus, Source
from seesay.perception.grounding import Observation, Sights, View, depth_metres, pixels_of
from seesay.perception.rooms import SAME_ROOM, filled, shared_room

GATE = 0.05
"""Metres between two sightings of a thing that rests."""
DRIFT = 0.15
"""Metres a second by which a thing may move while nobody sees it."""
AGREE = 0.02
"""Metres up to which two cameras' sightings are averaged; farther apart, the newer one holds."""
BLEND = 0.3
CLEARANCE = 0.015
MISSES = 2
"""Pictures that must show a place empty before the thing is lost."""
SURE = 5
"""Sightings that count: so many pictures more than these must show another thing in the room of a thing before it is lost."""
FILLED = 0.5
"""Share of a thing's room that another takes, over which one of them may not exist."""
FORGET_NS = 60_000_000_000
FUSE_NS = 2_000_000_000
GRASP = 0.06


@dataclass
class _Track:
    id: int
    names: dict[str, float]
    sightings: dict[str, Observation] = field(default_factory=dict)
    newest: Observation | None = None
    last_seen_ns: int = 0
    status: ObjectStatus = "visible"
    misses: int = 0
    evidence: int = 0
    position: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    covariance: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))

    @property
    def label(self) -> str:
        return max(self.names, key=lambda name: (self.names[name], name))

    @property
    def extent(self) -> NDArray[np.float64]:
        assert self.newest is not None
        return self.newest.extent


class ObjectTracker:
    """Keeps an identity for every object, over cameras and time. One picture at a time: `update`."""

    def __init__(self, frame_id: str = "world") -> None:
        self.frame_id = frame_id
        self._tracks: list[_Track] = []
        self._next_id = 1
        self._newest_ns = 0
        self._sequence = 0
        self._held: int | None = None
        self._tool: NDArray[np.float64] | None = None

    def update(self, sights: Sights, header: Header, view: View | None = None) -> Objects:
        """Take in what one picture shows and return all known objects, and its bearings.

        header: of the picture or of any result from it. view: that picture's depth and pose, by which a thing that was not observed is told
        apart as occluded (something nearer is there), lost (its place is seen empty) or merely missed; without it, it stays as it was.
        """
        source = header.source or Source(header.frame_id.removesuffix("_optical"), header.sequence, header.stamp_ns)
        self._newest_ns = max(self._newest_ns, source.stamp_ns)
        observations = sights.observations
        empty = {track.id for track in self._tracks if view is not None and self._look(track, view) == "empty"}
        pairs = self._match(observations, empty)
        for track, observation in pairs:
            self._see(track, observation)
        matched = {id(observation) for _, observation in pairs}
        for observation in observations:
            if id(observation) not in matched:
                self._see(self._new(), observation)
        seen = {track.id for track, _ in pairs}
        for track in self._tracks:
            if track.id not in seen and track.last_seen_ns != source.stamp_ns and view is not None:
                self._miss(track, self._look(track, view), observations)
        self._tidy()
        self._sequence += 1
        newest = replace(header, stamp_ns=source.stamp_ns, sequence=self._sequence, frame_id=self.frame_id, source=source)
        return Objects(newest, self.objects(), tuple(sights.bearings))

    def gripper(self, state: ArmState) -> None:
        """Learn from the arm's own sensors what it holds: with force between the fingers, the nearest object is held and moves along."""
        closed = state.grip_force > 0
        if closed and self._held is None:
            near = [(float(np.linalg.norm(track.position - state.position)), track) for track in self._tracks if track.status != "lost"]
            if near and min(near, key=lambda item: item[0])[0] < GRASP:
                self._held = min(near, key=lambda item: item[0])[1].id
        for track in self._tracks:
            if track.id == self._held:
                if closed:
                    if self._tool is not None:
                        track.position = track.position + (state.position - self._tool)
                    track.status = "held"
                else:
                    track.status, track.misses, self._held = "occluded", 0, None
                    track.sightings.clear()
        self._tool = state.position.copy()

    def objects(self) -> tuple[Object, ...]:
        """All known objects, by id."""
        return tuple(_object(track) for track in self._tracks if track.newest is not None)

    def reset(self) -> None:
        """Forget all objects, and what time it was. Ids are not used again."""
        self._tracks.clear()
        self._newest_ns = 0
        self._held = None

    def _new(self) -> _Track:
        track = _Track(self._next_id, {})
        self._next_id += 1
        self._tracks.append(track)
        return track

    def _match(self, observations: Sequence[Observation], empty: set[int]) -> list[tuple[_Track, Observation]]:
        """First the ones that rest: nearest positions, names permitting; what has just left its place is not another that lies where it
        went. Then those that moved: same name; how far, if the old place was not seen empty, depends on the time since they were seen."""
        resting = [track for track in self._tracks if track.id != self._held and track.status != "lost"]
        left = {track.label for track in resting if track.id in empty}
        pairs = _assign(resting, observations, lambda track, o: np.inf if o.label in left - {track.label} else _resting_cost(track, o))
        used = {track.id for track, _ in pairs}
        others = [o for o in observations if all(o is not other for _, other in pairs)]
        free = [track for track in self._tracks if track.id not in used]
        gone = {track.id for track in free if track.id in empty or track.misses or track.status in ("lost", "held")}
        return pairs + _assign(free, others, lambda track, observation: _moved_cost(track, observation, track.id in gone))

    def _see(self, track: _Track, observation: Observation) -> None:
        previous = track.newest
        if previous is None or observation.source.stamp_ns >= previous.source.stamp_ns:
            track.newest = observation
        track.last_seen_ns = max(track.last_seen_ns, observation.source.stamp_ns)
        track.misses, track.status, track.evidence = 0, "visible", min(max(track.evidence, 0) + 1, SURE)
        if track.id == self._held:
            track.status = "held"
        scores = {observation.label: observation.score} | {a.label: a.score for a in observation.alternatives}
        share = BLEND if track.names else 1.0
        track.names = {
            name: (1 - share) * track.names.get(name, 0.0) + share * scores.get(name, 0.0) for name in track.names.keys() | scores.keys()
        }
        track.names = {name: score for name, score in track.names.items() if score > 0.01}
        track.sightings[observation.source.camera] = observation
        _fuse(track)

    def _miss(self, track: _Track, looks: str, observations: Sequence[Observation]) -> None:
        if track.id == self._held or track.status == "lost":
            return
        if looks == "hidden":
            track.status = "occluded"
        elif looks == "empty":
            track.misses += 1
            track.status = "lost" if track.misses >= MISSES else track.status
        elif looks == "there":
            track.misses = 0
            if any(filled(track, other) > FILLED for other in observations):
                track.evidence -= 1
                track.status = "lost" if track.evidence < 0 else track.status

    def _look(self, track: _Track, view: View) -> str:
        """What a view shows at a track's foot: "outside" of the picture, "hidden", "empty" (its support) or "there" (something)."""
        assert track.newest is not None
        T_camera_world = invert(view.T_world_camera)
        size = track.newest.extent
        grid = np.stack(np.meshgrid(np.linspace(-0.4, 0.4, 5), np.linspace(-0.4, 0.4, 5)), axis=-1).reshape(-1, 2) * size[:2]
        low = np.full((len(grid), 1), 0.002 - 0.4 * size[2])
        spots = track.position + np.concatenate([grid, low], axis=1)
        inside = transform_points(T_camera_world, spots)
        metres = depth_metres(view.depth)
        pixels = pixels_of(inside, view.info)
        if not np.isfinite(pixels).all():
            return "outside"
        columns, rows = np.rint(pixels).astype(int).T
        if columns.min() < 0 or rows.min() < 0 or columns.max() >= metres.shape[1] or rows.max() >= metres.shape[0]:
            return "outside"
        measured, expected = metres[rows, columns], inside[:, 2]
        valid = np.isfinite(measured) & (measured > 0)
        if valid.sum() < 5:
            return "there"
        nearer = measured[valid] < expected[valid] - float(np.linalg.norm(size)) - CLEARANCE
        farther = measured[valid] > expected[valid] + 0.001
        if nearer.mean() > 0.5:
            return "hidden"
        return "empty" if farther.mean() > 0.8 else "there"

    def _tidy(self) -> None:
        """Drop what has been lost for long, a lost one for which a newer one of its name has come, the younger of two in one place."""
        twins: set[int] = set()
        for index, elder in enumerate(self._tracks):
            for younger in self._tracks[index + 1 :]:
                if elder.id not in twins and self._held not in (elder.id, younger.id) and _one_place(elder, younger):
                    twins.add(younger.id)
        self._tracks = [track for track in self._tracks if track.id not in twins]
        names = [(track.label, track.last_seen_ns) for track in self._tracks if track.status in ("visible", "held")]
        self._tracks = [
            track
            for track in self._tracks
            if track.status != "lost"
            or not (
                self._newest_ns - track.last_seen_ns > FORGET_NS
                or any(label == track.label and seen_ns > track.last_seen_ns for label, seen_ns in names)
            )
        ]


def _one_place(elder: _Track, younger: _Track) -> bool:
    """True if two objects of one name are where only one can be. A lost object is nowhere."""
    if elder.label != younger.label or "lost" in (elder.status, younger.status) or elder.newest is None or younger.newest is None:
        return False
    room = np.minimum(elder.newest.extent, younger.newest.extent)
    return bool((np.abs(elder.position - younger.position) < np.maximum(0.5 * room, 0.01)).all())


def _resting_cost(track: _Track, observation: Observation) -> float:
    distance = float(np.linalg.norm(track.position - observation.position))
    if observation.label == track.label:
        return distance / GATE
    room = shared_room(track, observation)
    return 1 - room / 2 if room > SAME_ROOM else np.inf


def _moved_cost(track: _Track, observation: Observation, gone: bool) -> float:
    distance = float(np.linalg.norm(track.position - observation.position))
    unseen_s = max(0.0, (observation.source.stamp_ns - track.last_seen_ns) * 1e-9)
    near = distance < GATE + DRIFT * unseen_s
    if observation.label == track.label and (gone or near):
        return distance / 10
    known = observation.label in track.names or any(a.label == track.label for a in observation.alternatives)
    return 0.5 + distance / 10 if known and near else np.inf


def _assign(
    tracks: Sequence[_Track], observations: Sequence[Observation], cost: Callable[[_Track, Observation], float]
) -> list[tuple[_Track, Observation]]:
    """Hungarian assignment (Kuhn, 1955) of the pairs whose cost is at most 1."""
    if not tracks or not observations:
        return []
    from scipy.optimize import linear_sum_assignment

    costs = np.array([[min(cost(track, observation), 1e3) for observation in observations] for track in tracks])
    rows, columns = linear_sum_assignment(np.where(costs <= 1, costs, 1e3))
    return [(tracks[r], observations[c]) for r, c in zip(rows, columns, strict=True) if costs[r, c] <= 1]


def _fuse(track: _Track) -> None:
    """Position from the newest sighting of every camera, weighted by certainty; old ones and ones that disagree are left out."""
    newest = track.newest
    assert newest is not None
    track.sightings = {
        camera: sighting
        for camera, sighting in track.sightings.items()
        if newest.source.stamp_ns - sighting.source.stamp_ns < FUSE_NS
        and (np.linalg.norm(sighting.position - newest.position) < AGREE or not (sighting.complete and newest.complete))
        and np.linalg.norm(sighting.position - newest.position) < GATE
    }
    weights = [np.linalg.inv(sighting.covariance) for sighting in track.sightings.values()]
    track.covariance = np.linalg.inv(np.sum(weights, axis=0))
    total = np.sum([weight @ s.position for weight, s in zip(weights, track.sightings.values(), strict=True)], axis=0)
    track.position = track.covariance @ total


def _object(track: _Track) -> Object:
    assert track.newest is not None
    ranked = sorted(track.names.items(), key=lambda item: (-item[1], item[0]))
    surest = min(track.sightings.values(), key=lambda s: float(np.trace(s.covariance)), default=track.newest)
    return Object(
        id=track.id,
        label=track.label,
        score=float(min(1.0, track.names[track.label])),
        box=track.newest.box,
        position=track.position.copy(),
        covariance=track.covariance,
        extent=surest.extent,
        last_seen_ns=track.last_seen_ns,
        source=track.newest.source,
        status=track.status,
        alternatives=tuple(Alternative(name, float(score)) for name, score in ranked if name != track.label),
        mask_counts=encode_one(track.newest.mask),
        yaw=surest.yaw,
        probability=track.newest.probability if track.newest.label == track.label else None,
    )
