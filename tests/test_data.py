"""Arrays from anywhere, splits, datasets, loaders, samplers, prefetch."""

from __future__ import annotations

import datetime
import itertools
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core.data import (
    ArrayDataset,
    BalancedSampler,
    BucketSampler,
    CSVDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    StratifiedBatchSampler,
    WeightedSampler,
    as_array,
    as_arrays,
    class_weights,
    count_rows,
    is_texts,
    pad_collate,
    pad_sequences,
    prefetch,
    shuffled,
    split_validation,
    stratified_split,
    timeseries_dataset_from_array,
    to_categorical,
)
from ls_core.text import LabelIndex, TextVectorization

# --- arrays -----------------------------------------------------------------------------------------------


def test_numbers_keep_their_dtype_and_are_not_copied() -> None:
    x = np.ones((2, 3), np.float32)
    assert as_array(x) is x
    assert as_array([1, 2]).dtype == np.int64
    assert as_array((1.0, 2)).dtype == np.float64
    assert as_array([[True], [False]]).dtype == bool
    assert as_array(np.array([1, 2.5], dtype=object)).tolist() == [1, 2.5]


def test_texts_become_object_arrays() -> None:
    for data in (["a", "b"], np.array(["a", "b"]), np.array([b"a", b"b"]), np.array(["a", "b"], dtype=object)):
        array = as_array(data)
        assert is_texts(array)
        assert array.tolist() == ["a", "b"]
        assert type(array[0]) is str


def test_pandas_columns() -> None:
    pandas = pytest.importorskip("pandas")
    assert as_array(pandas.Series([1, 2], dtype="Int64")).dtype == np.int64
    assert as_array(pandas.Series([1, 2], dtype="Float32")).dtype == np.float32
    assert as_array(pandas.Series([True, False], dtype="boolean")).dtype == bool
    assert as_array(pandas.Series(["x", "y"], dtype="category")).tolist() == ["x", "y"]
    assert as_array(pandas.Series([3, 4], dtype="category")).tolist() == [3, 4]
    assert as_array(pandas.Index(["x"])).tolist() == ["x"]
    frame = pandas.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    assert as_array(frame).tolist() == [[1, 0.5], [2, 1.5]]
    assert as_array(frame.astype("float32")).dtype == np.float32
    assert as_array(pandas.DataFrame({"t": ["x", "y"]})).tolist() == ["x", "y"]


def test_pandas_columns_that_no_network_takes() -> None:
    pandas = pytest.importorskip("pandas")
    for series, message in (
        (pandas.Series([1, None], dtype="Int64", name="n"), r"x \(column 'n'\): 1 of 2 values are missing \(Int64\).*position 1"),
        (pandas.Series([1.5, None], dtype="Float64"), "1 of 2 values are missing"),
        (pandas.Series([True, None], name="b"), r"column 'b'\): 1 of 2 values are missing"),
        (pandas.Series(["a", None], name="t"), r"column 't'\): 1 of 2 texts is missing.*dropna\(subset=\['t'\]\)"),
    ):
        with pytest.raises(ValueError, match=message):
            as_array(series)
    day = datetime.date(2020, 1, 1)
    for column, message in (
        (pandas.to_datetime(["2020-01-01"]), r"column 'c'.*dates or times"),
        (pandas.to_datetime(["2020-01-01"]).tz_localize("UTC"), r"column 'c'.*dates or times"),
        ([day], r"column 'c'.*Python objects \(date\)"),
        ([[1, 2]], r"column 'c'.*Python objects \(list\).*numpy\.stack"),
        (["text"], "column 'c' holds texts"),
    ):
        with pytest.raises(TypeError, match=message):
            as_array(pandas.DataFrame({"a": [1.0], "c": column}))


def test_lists_that_are_no_array() -> None:
    with pytest.raises(ValueError, match=r"rows of x have different lengths \(1, 2\).*pad_sequences"):
        as_array([[1, 2], [3]])
    with pytest.raises(ValueError, match="1 of 2 values are missing, the first at position 1"):
        as_array([1, None])
    with pytest.raises(TypeError, match="a single int, 5"):
        as_array(5)
    with pytest.raises(TypeError, match="dates or times"):
        as_array(np.array(["2020-01-01"], dtype="M8[D]"), "y")


def test_trees_of_arrays() -> None:
    assert isinstance(as_arrays([np.ones(2), np.ones((2, 3))]), list)
    assert as_arrays([[1, 2], [3, 4]]).shape == (2, 2)
    assert as_arrays({"a": [1], "b": ["x"]})["b"].tolist() == ["x"]


def test_rows_are_counted() -> None:
    with pytest.raises(ValueError, match="x has 100 rows, y has 99"):
        count_rows(x=np.ones(100), y=np.ones(99))
    with pytest.raises(ValueError, match=r"x\['a'\] has 2 rows, x\['b'\] has 3"):
        count_rows(x={"a": np.ones(2), "b": np.ones(3)})
    with pytest.raises(ValueError, match="y has 2 rows, sample_weight has 1"):
        count_rows(y=np.ones(2), sample_weight=np.ones(1))
    with pytest.raises(ValueError, match="no array"):
        count_rows(x=None)


# --- splits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "fraction", "first"), [(10, 0.2, 8), (7, 0.3, 4), (3, 0.5, 1), (100, 0.01, 99)])
def test_validation_is_the_last_part(rows: int, fraction: float, first: int) -> None:
    x = np.arange(rows)
    (train, no_y, _), (held, _, weights) = split_validation(({"a": x}, None, x), fraction)
    assert train["a"].tolist() == list(range(first))
    assert held["a"].tolist() == weights.tolist() == list(range(first, rows))
    assert no_y is None


def test_a_split_leaves_something_on_both_sides() -> None:
    with pytest.raises(ValueError, match=r"validation_split=0.9 of 1 rows leaves none for training"):
        split_validation((np.ones(1), None), 0.9)
    with pytest.raises(ValueError, match="between 0 and 1"):
        split_validation((np.ones(1), None), 1.0)
    with pytest.raises(ValueError, match="x has 3 rows, y has 2"):
        split_validation((np.ones(3), np.ones(2)), 0.5)


def test_stratified_split() -> None:
    y = np.array(["a"] * 80 + ["b"] * 20)
    (x1, y1), (x2, y2) = stratified_split((np.arange(100), y), y, 0.25, seed=1)
    assert sorted([*x1, *x2]) == list(range(100))
    assert (y2 == "a").sum() == 20
    assert (y2 == "b").sum() == 5
    assert (y[x1] == y1).all()
    assert stratified_split((np.arange(100), y), y, 0.25, seed=1)[1][0].tolist() == x2.tolist()
    with pytest.raises(ValueError, match="class 'b' has one row only"):
        stratified_split((np.arange(3),), np.array(["a", "a", "b"]), 0.5)


# --- datasets and loaders --------------------------------------------------------------------------------------


class Counting(Dataset):
    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> Any:
        return np.full(2, index), index % 2


def test_loader_over_a_dataset_of_ones_own() -> None:
    batches = list(DataLoader(Counting(), batch_size=3))
    assert [x.shape for x, _ in batches] == [(3, 2), (3, 2), (1, 2)]
    assert batches[1][1].tolist() == [1, 0, 1]
    assert len(DataLoader(Counting(), 3)) == 3
    assert len(DataLoader(Counting(), 3, drop_last=True)) == len(list(DataLoader(Counting(), 3, drop_last=True))) == 2
    assert [x[:, 0].tolist() for x, _ in DataLoader(Counting(), 3, sampler=[6, 0])] == [[6, 0]]
    assert [x[:, 0].tolist() for x, _ in DataLoader(Counting(), batch_sampler=[[1], [2, 3]])] == [[1], [2, 3]]
    plain: list[Any] = [(1.0, 2), (3.0, 4)]
    assert [x.tolist() for x, _ in DataLoader(plain, 2)] == [[1.0, 3.0]]


def test_array_dataset_keeps_rows_together() -> None:
    x, y = np.arange(50), np.arange(50) * 2
    data = ArrayDataset({"n": x, "t": [str(i) for i in x]}, y, np.ones(50))
    seen = []
    for inputs, targets, weights in DataLoader(data, 8, shuffle=True, seed=3):
        assert (inputs["n"] * 2 == targets).all()
        assert [str(i) for i in inputs["n"]] == inputs["t"].tolist()
        assert len(weights) == len(targets)
        seen += inputs["n"].tolist()
    assert sorted(seen) == x.tolist()
    assert seen != x.tolist()
    with pytest.raises(ValueError, match="x has 2 rows, y has 3"):
        ArrayDataset([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="no y"):
        ArrayDataset([1, 2], sample_weight=[1, 2])


def test_shuffling_follows_the_seed_and_changes_with_the_epoch() -> None:
    def order(loader: DataLoader) -> list[int]:
        return [int(i) for (batch,) in loader for i in batch]

    data = ArrayDataset(np.arange(30))
    loader = DataLoader(data, 4, shuffle=True)
    first, second = order(loader), order(loader)
    assert first != second
    ls_core.set_seed(0)
    assert order(DataLoader(data, 4, shuffle=True)) == first
    ls_core.set_seed(1)
    assert order(DataLoader(data, 4, shuffle=True)) != first
    assert order(DataLoader(data, 4, shuffle=True, seed=5)) == order(DataLoader(data, 9, shuffle=True, seed=5))


def test_streams() -> None:
    data = IterableDataset(lambda: ((np.float32(i), i) for i in range(5)), length=5)
    loader = DataLoader(data, 2)
    assert len(loader) == 3
    for _ in range(2):
        assert [y.tolist() for _, y in loader] == [[0, 1], [2, 3], [4]]
    assert [y.tolist() for _, y in DataLoader(data, 2, drop_last=True)] == [[0, 1], [2, 3]]
    once = IterableDataset(iter([1, 2]))
    assert list(once) == [1, 2]
    with pytest.raises(RuntimeError, match="used up by the first pass"):
        list(once)
    with pytest.raises(TypeError, match="length is not known"):
        len(DataLoader(once, 2))
    with pytest.raises(ValueError, match="shuffle_buffer"):
        DataLoader(once, 2, shuffle=True)


def test_shuffle_buffer() -> None:
    assert sorted(shuffled(range(100), 10, seed=0)) == list(range(100))
    mixed = list(shuffled(range(100), 10, seed=0))
    assert mixed != list(range(100))
    assert mixed == list(shuffled(range(100), 10, seed=0))
    assert max(i - n for n, i in enumerate(mixed)) <= 10  # nothing comes long before its turn
    data = IterableDataset(lambda: iter(range(20)), shuffle_buffer=20)
    assert sorted(data) == list(range(20))
    assert list(shuffled([], 4)) == []


def test_arguments_that_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        DataLoader(Counting(), 0)
    with pytest.raises(ValueError, match="leave out shuffle"):
        DataLoader(Counting(), 2, shuffle=True, sampler=[1])
    with pytest.raises(ValueError, match="batch_sampler decides"):
        DataLoader(Counting(), 2, drop_last=True, batch_sampler=[[1]])


def test_samples_of_different_length() -> None:
    samples: list[Any] = [(np.array([1, 2, 3]), "a"), (np.array([4]), "b")]
    with pytest.raises(ValueError, match=r"different shapes \(\(1,\), \(3,\)\).*pad_collate"):
        list(DataLoader(samples, 2))
    ((x, text),) = DataLoader(samples, 2, collate=pad_collate)
    assert x.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert text.tolist() == ["a", "b"]
    ((x, _),) = DataLoader(samples, 2, collate=partial(pad_collate, value=-1, padding="pre"))
    assert x.tolist() == [[1, 2, 3], [-1, -1, 4]]
    assert pad_collate([{"a": np.ones((1, 2))}, {"a": np.ones((3, 2))}])["a"].shape == (2, 3, 2)
    with pytest.raises(ValueError, match="padding is"):
        pad_collate(samples, padding="left")


# --- samplers ------------------------------------------------------------------------------------------------------


def test_weighted_sampler() -> None:
    drawn = list(WeightedSampler([1, 0, 2, 1], num_samples=3, replacement=False, seed=0))
    assert sorted(drawn) == [0, 2, 3]
    assert len(WeightedSampler([1, 1], num_samples=5)) == 5
    for weights in ([], [-1, 2], [0, 0], [np.nan, 1], [[1.0]]):
        with pytest.raises(ValueError, match="weights are"):
            WeightedSampler(weights)
    with pytest.raises(ValueError, match="3 samples can't be drawn without replacement from 2"):
        WeightedSampler([1, 0, 1], replacement=False)


def test_balanced_sampler_in_a_loader() -> None:
    y = np.array([0] * 95 + [1] * 5)
    loader = DataLoader(ArrayDataset(np.arange(100), y), 100, sampler=BalancedSampler(y, 2000, seed=0))
    share = np.mean(np.concatenate([targets for _, targets in loader]))
    assert 0.45 < share < 0.55
    assert len(loader) == 20


def test_stratified_batches() -> None:
    y = np.array(["a"] * 60 + ["b"] * 30 + ["c"] * 10)
    sampler = StratifiedBatchSampler(y, 10, seed=0)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 10
    assert sorted(np.concatenate(batches)) == list(range(100))
    for batch in batches:
        for label, share in (("a", 6), ("b", 3), ("c", 1)):
            assert abs((y[batch] == label).sum() - share) <= 1
    assert not np.array_equal(np.concatenate(batches), np.concatenate(list(sampler)))
    assert len(list(StratifiedBatchSampler(y, 30, drop_last=True))) == 3


def test_buckets_pad_less() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, size=1000)
    sampler = BucketSampler(lengths, 10, seed=0)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 100
    assert sorted(np.concatenate(batches)) == list(range(1000))
    padded = sum(lengths[b].max() * len(b) for b in batches)
    at_random = sum(lengths[i : i + 10].max() * 10 for i in range(0, 1000, 10))
    assert padded < 1.1 * lengths.sum() < at_random
    in_order = [int(lengths[b].max()) for b in batches]
    assert in_order != sorted(in_order)
    assert len(list(BucketSampler([3, 1, 2], 2, drop_last=True))) == 1
    assert list(BucketSampler([], 2)) == []


# --- prefetch --------------------------------------------------------------------------------------------------------


def prefetch_threads() -> int:
    return sum(thread.name == "ls-prefetch" for thread in threading.enumerate())


def test_prefetch_gives_the_same_batches_and_ends() -> None:
    data = ArrayDataset(np.arange(10))
    assert [x.tolist() for (x,) in DataLoader(data, 3, prefetch=2)] == [x.tolist() for (x,) in DataLoader(data, 3)]
    assert prefetch_threads() == 0


def test_prefetch_passes_errors_on_after_the_batches_before_them() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("row 3")

    batches = prefetch(broken(), 4)
    assert [next(batches), next(batches)] == [1, 2]
    with pytest.raises(KeyError, match="row 3"):
        next(batches)
    assert prefetch_threads() == 0


def test_prefetch_ends_when_the_loop_is_left() -> None:
    closed = []

    def endless() -> Iterator[int]:
        try:
            n = 0
            while True:
                yield n
                n += 1
        finally:
            closed.append(True)

    batches = prefetch(endless(), 2)
    for batch in batches:
        if batch == 3:
            break
    batches.close()  # type: ignore[attr-defined]
    assert prefetch_threads() == 0
    assert closed == [True]
    with pytest.raises(ValueError, match="at least one"):
        next(prefetch([], 0))


def test_prefetch_works_ahead() -> None:
    made: list[int] = []

    def count() -> Iterator[int]:
        for n in range(5):
            made.append(n)
            yield n

    batches = prefetch(count(), 3)
    next(batches)
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(made) >= 4
    assert list(batches) == [1, 2, 3, 4]


# --- CSV -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    rows = [f'"text {i}, quoted",{"good" if i % 2 else "bad"},{i}.5,{i}' for i in range(25)]
    path.write_text("text,label,a,b\n" + "\n".join(rows), encoding="utf-8")
    return path


def test_csv_in_chunks(reviews: Path) -> None:
    pytest.importorskip("pandas")
    data = CSVDataset(reviews, text="text", label="label", chunk_rows=4, length=25)
    for _ in range(2):
        x, y = zip(*data, strict=True)
        assert x == tuple(f"text {i}, quoted" for i in range(25))
        assert y[:2] == ("bad", "good")
    assert len(DataLoader(data, 10)) == 3
    assert [len(x) for x, _ in DataLoader(data, 10, prefetch=1)] == [10, 10, 5]
    layer = TextVectorization()
    layer.adapt(data.column("text"))
    assert layer.get_vocabulary()[2:4] == ["text", "quoted"]
    data.label_index = LabelIndex().fit(data.column("label"))
    assert data.label_index.classes == ["bad", "good"]
    assert [int(label) for _, label in data] == [i % 2 for i in range(25)]
    mixed = [x for x, _ in CSVDataset(reviews, text="text", label="label", chunk_rows=4, shuffle_buffer=10)]
    assert sorted(mixed) == sorted(x)
    assert mixed != list(x)


def test_csv_of_numbers(reviews: Path) -> None:
    pytest.importorskip("pandas")
    ((x,),) = DataLoader(CSVDataset(reviews, features=["b", "a"]), 25)
    assert x[3].tolist() == [3, 3.5]


def test_csv_problems_are_placed(tmp_path: Path, reviews: Path) -> None:
    pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="has no column 'body'"):
        list(CSVDataset(reviews, text="body"))
    with pytest.raises(ValueError, match="either text="):
        CSVDataset(reviews)
    with pytest.raises(ValueError, match="chunk_rows"):
        CSVDataset(reviews, text="text", chunk_rows=0)
    path = tmp_path / "holes.csv"
    path.write_text("text,label\na,1\nb,1\n,0\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"rows from 2 \(column 'text'\): 1 of 1 texts is missing.*position 0"):
        list(CSVDataset(path, text="text", label="label", chunk_rows=2))


# --- sequences, classes, windows -------------------------------------------------------------------------------------


def test_pad_sequences() -> None:
    sequences: list[Any] = [[1], [], [4, 5, 6]]
    assert pad_sequences(sequences).tolist() == [[0, 0, 1], [0, 0, 0], [4, 5, 6]]
    assert pad_sequences(sequences, 2, padding="post", value=-1).tolist() == [[1, -1], [-1, -1], [5, 6]]
    assert pad_sequences(sequences, 2, truncating="post").tolist() == [[0, 1], [0, 0], [4, 5]]
    assert pad_sequences([["a"], ["b", "c"]], dtype="object", value="").tolist() == [["", "a"], ["b", "c"]]
    assert pad_sequences([np.ones((1, 2)), np.ones((3, 2))], dtype="float32").shape == (2, 3, 2)
    assert pad_sequences([]).shape == (0, 0)
    assert pad_sequences(sequences, 0).shape == (3, 0)
    for arguments, message in (
        ({"padding": "left"}, "padding is"),
        ({"truncating": "left"}, "truncating is"),
        ({"value": "x"}, "dtype='object'"),
    ):
        with pytest.raises(ValueError, match=message):
            pad_sequences(sequences, **arguments)
    with pytest.raises(TypeError, match=r"sequences\[1\] is the int 2"):
        pad_sequences([[1], 2])
    with pytest.raises(ValueError, match=r"sequences\[1\] have shape \(2,\)"):
        pad_sequences([[1], [[1, 2]]])


def test_to_categorical_and_class_weights() -> None:
    assert to_categorical([[1], [0]], 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert to_categorical([]).shape == (0, 0)
    for wrong in ([-1, 0], [3]):
        with pytest.raises(ValueError, match="run from 0 to"):
            to_categorical(wrong, 3)
    weights = class_weights(np.array([0, 0, 0, 1]))
    assert weights == {0: 4 / 6, 1: 2.0}
    with pytest.raises(ValueError, match="no labels"):
        class_weights([])


@pytest.mark.parametrize("rows", [None, 23, 10])
@pytest.mark.parametrize(("start", "end"), [(None, None), (0, 12), (4, 20), (4, None)])
def test_windows_by_loops(start: int | None, end: int | None, rows: int | None) -> None:
    series = np.arange(23) * 2.0
    targets = None if rows is None else np.arange(rows) * 10
    for length, stride, rate, size in itertools.product((1, 3), (1, 2, 4), (1, 3), (1, 4, None)):
        begin, stop = start or 0, 23 if end is None else end
        wanted = []
        for first in range(begin, stop, stride):
            window = [first + i * rate for i in range(length)]
            if window[-1] < stop and (rows is None or first < rows):
                wanted.append(([series[i] for i in window], first * 10))
        options = {"sequence_stride": stride, "sampling_rate": rate, "start_index": start, "end_index": end}
        found = timeseries_dataset_from_array(series, targets, length, batch_size=size, **options)
        pairs = [batch if rows is not None else (batch, None) for batch in found]
        x = np.stack([x for x, _ in pairs]) if size is None else np.concatenate([x for x, _ in pairs])
        assert x.tolist() == [window for window, _ in wanted]
        if rows is not None:
            y = np.stack([y for _, y in pairs]) if size is None else np.concatenate([y for _, y in pairs])
            assert y.tolist() == [target for _, target in wanted]


def test_windows() -> None:
    series = np.arange(20).reshape(20, 1) * np.ones((1, 2))
    loader = timeseries_dataset_from_array(series, None, 4, sampling_rate=3, sequence_stride=2, start_index=1, end_index=16, batch_size=2)
    windows = np.concatenate(list(loader))
    assert windows[:, :, 0].tolist() == [[s, s + 3, s + 6, s + 9] for s in range(1, 7, 2)]
    dataset = timeseries_dataset_from_array(np.arange(6), np.arange(6) * 10, 3, batch_size=None)
    assert [(x.tolist(), int(y)) for x, y in dataset] == [([i, i + 1, i + 2], i * 10) for i in range(4)]
    mixed = timeseries_dataset_from_array(np.arange(30), None, 2, shuffle=True, seed=1, batch_size=None)
    firsts = [int(x[0]) for x in mixed]
    assert sorted(firsts) == list(range(29))
    assert firsts != sorted(firsts)
    for arguments in (
        {"sequence_length": 0},
        {"sequence_length": 21},
        {"sequence_length": 2, "sampling_rate": 20},
        {"sequence_length": 2, "sequence_stride": 0},
        {"sequence_length": 2, "start_index": 5, "end_index": 5},
        {"sequence_length": 4, "sampling_rate": 7},
    ):
        with pytest.raises(ValueError, match=r"at least 1|in this order|no window"):
            timeseries_dataset_from_array(series, None, **arguments)
