"""Conversion between trajectories and HuggingFace data sets.

``columns`` documents the table. A data set written by ``serialize.save`` or made by
``trajectories_to_dataset`` is an ordinary HuggingFace data set: it can be pushed to the
Hub, selected from, shuffled and concatenated, and wrapped again afterwards.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from imitation.data.storage import columns
from imitation.data.types import Trajectory
from imitation.errors import DataError

if TYPE_CHECKING:
    import datasets


class TrajectoryDatasetSequence(Sequence[Trajectory]):
    """A wrapper to present an HF dataset as a sequence of trajectories.

    Opening reads no column. ``sequence[i]`` reads one row: arrays come as read-only
    views of the memory-mapped file (copy one to change it), infos as a sequence that
    parses each step when it is read. A slice gives a list of trajectories.

    Args:
        dataset: one split, as ``serialize.save`` of this or the 1.0 release wrote it,
            as ``datasets.load_dataset(...)["train"]`` returns it, or as
            ``datasets.Dataset.from_dict(trajectories_to_dict(...))`` makes it.

    Raises:
        DataError: `dataset` is not one split, or has not the columns of trajectories.
    """

    def __init__(self, dataset: "datasets.Dataset") -> None:
        import datasets

        if isinstance(dataset, dict):
            splits = ", ".join(map(repr, dataset))
            raise DataError(
                f"expected one split, got a dictionary of splits ({splits}); pass one "
                'of them, such as dataset["train"]'
            )
        if not isinstance(dataset, datasets.Dataset):
            raise DataError(
                f"expected a datasets.Dataset, got {type(dataset).__name__}; load it "
                "without streaming"
            )
        columns.check_columns(dataset.features.arrow_schema)
        self._dataset = dataset
        # Rows as Arrow tables, without HuggingFace's conversion to Python lists.
        self._rows = dataset.with_format("arrow")

    @property
    def dataset(self) -> "datasets.Dataset":
        """The underlying HF dataset."""
        return self._dataset

    @property
    def has_rewards(self) -> bool:
        """True if the trajectories are ``TrajectoryWithRew``."""
        return "rews" in self._dataset.column_names

    def __len__(self) -> int:
        """The number of trajectories."""
        return len(self._dataset)

    @overload
    def __getitem__(self, key: int) -> Trajectory: ...

    @overload
    def __getitem__(self, key: slice) -> list[Trajectory]: ...

    def __getitem__(self, key: int | slice) -> Trajectory | list[Trajectory]:
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(len(self)))]
        # Resolves negative numbers, and raises IndexError beyond the last.
        episode = range(len(self))[key]
        return columns.read_row(self._rows[episode], episode)

    def __iter__(self) -> Iterator[Trajectory]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        names = ", ".join(self._dataset.column_names)
        return f"TrajectoryDatasetSequence({len(self)} trajectories of {names})"


def trajectories_to_dict(trajectories: Sequence[Trajectory]) -> dict[str, list[Any]]:
    """Converts a sequence of trajectories to a dictionary of columns.

    ``datasets.Dataset.from_dict`` accepts it and stores arrays as lists of numbers;
    ``trajectories_to_dataset`` is faster, smaller and keeps every dtype and shape.

    Args:
        trajectories: trajectories with the same spaces, at least one.

    Returns:
        One entry per trajectory in each of

        - ``obs``: the observations, an array of shape ``(T + 1, ...)``; of dictionary
          observations one entry ``obs/<key>`` per key instead;
        - ``acts``: the actions, an array of shape ``(T, ...)``;
        - ``infos``: a list of ``T`` JSON texts, "{}" where there are no infos;
        - ``terminal`` and ``truncated``: a bool each;
        - ``rews``: the rewards, an array of shape ``(T,)``, if applicable.

    Raises:
        DataError: not all trajectories have the same type (some have rewards and some
            have not) or the same spaces, or an info is not JSON.
    """
    layout = _common_layout(trajectories)
    result: dict[str, list[Any]] = {name: [] for name in layout.schema.names}
    for episode, trajectory in enumerate(trajectories):
        for name, value in columns.array_columns(trajectory).items():
            result[name].append(value)
        texts = columns.encode_infos(trajectory, episode)
        result["infos"].append(["{}"] * len(trajectory) if texts is None else texts)
        for name in columns.FLAGS:
            result[name].append(bool(getattr(trajectory, name)))
    return result


def trajectories_to_dataset(
    trajectories: Sequence[Trajectory],
    info: "datasets.DatasetInfo | None" = None,
) -> "datasets.Dataset":
    """Converts a sequence of trajectories to a HuggingFace dataset in memory.

    Args:
        trajectories: trajectories with the same spaces, at least one.
        info: description, licence and the like to attach.

    Returns:
        A data set with one row per trajectory, exact in dtype and shape.

    Raises:
        DataError: as for ``trajectories_to_dict``.
    """
    import datasets
    import pyarrow as pa

    layout = _common_layout(trajectories)
    batch = columns.record_batch(trajectories, layout, first_episode=0)
    return datasets.Dataset(pa.Table.from_batches([batch]), info=info)


def _common_layout(trajectories: Sequence[Trajectory]) -> columns.Layout:
    if len(trajectories) == 0:
        raise DataError("expected at least one trajectory, got an empty sequence")
    layout = columns.Layout.of(trajectories[0], "episode 0")
    for episode, trajectory in enumerate(trajectories):
        layout.check_same(columns.Layout.of(trajectory, f"episode {episode}"))
    return layout
