"""Lookups, hashing, encodings, statistics and images: behaviour, worked numbers of Keras' documentation, errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import Sequential, ShapeError
from ls_core.data import ArrayDataset, DataLoader
from ls_core.registry import deserialize, serialize
from ls_core.text.hashes import farmhash64, siphash64
from ls_layers import (
    CategoryEncoding,
    CenterCrop,
    Dense,
    Discretization,
    Hashing,
    IntegerLookup,
    Normalization,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Rescaling,
    Resizing,
    StringLookup,
)

LETTERS = ["a", "b", "c", "d"]
NUMBERS = [12, 36, 1138, 42]
WEIGHTS = [0.25, 0.75, 0.6, 0.4]


def round_trip(layer: Any) -> Any:
    """The layer that a file would give back."""
    return deserialize("layer", json.loads(json.dumps(serialize(layer))))


# --- lookups: the examples of Keras' documentation ------------------------------------------------------------


def test_string_lookup_learns_by_frequency() -> None:
    layer = StringLookup()
    layer.adapt([["a", "c", "d"], ["d", "z", "b"]])
    assert layer.get_vocabulary() == ["[UNK]", "d", "z", "c", "b", "a"]
    assert layer([["a", "c", "d"], ["d", "z", "b"]]).tolist() == [[5, 3, 1], [1, 2, 4]]
    assert round_trip(layer)(["a", "q"]).tolist() == [5, 0]


def test_integer_lookup_learns_by_frequency() -> None:
    layer = IntegerLookup()
    layer.adapt(np.array([[12, 1138, 42], [42, 1000, 36]]))
    assert layer.get_vocabulary() == [-1, 42, 1138, 1000, 36, 12]
    layer.adapt([1, 1, 1, 2, 2, 3])
    assert layer([1, 2, 4]).tolist() == [1, 2, 0]
    assert layer([[1, 2, 4], [2, 3, 5]]).tolist() == [[1, 2, 0], [2, 3, 0]]
    limited = IntegerLookup(max_tokens=4)
    limited.adapt([1, 2, 3, 4, 5, 6, 1, 1, 2, 2])
    assert len(limited.get_vocabulary()) == limited.vocabulary_size() == 4


@pytest.mark.parametrize(
    ("mode", "rows"),
    [
        ("multi_hot", [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]),
        ("count", [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]),
        ("tf_idf", [[0, 0.25, 0, 0.6, 0.8], [1.0, 0, 0.75, 0, 0.4]]),
    ],
)
def test_counting_modes(mode: str, rows: list[list[float]]) -> None:
    weights = {"idf_weights": WEIGHTS} if mode == "tf_idf" else {}
    strings = StringLookup(vocabulary=LETTERS, output_mode=mode, **weights)
    np.testing.assert_allclose(strings([["a", "c", "d", "d"], ["d", "z", "b", "z"]]), rows, rtol=1e-6)
    integers = IntegerLookup(vocabulary=NUMBERS, output_mode=mode, **weights)
    y = integers(np.array([[12, 1138, 42, 42], [42, 7, 36, 7]]))
    np.testing.assert_allclose(y, rows, rtol=1e-6)
    assert integers.output_shape((2, 4)) == y.shape == (2, 5)
    np.testing.assert_allclose(integers([12, 1138, 42, 42]), rows[0], rtol=1e-6)
    np.testing.assert_allclose(round_trip(integers)(np.array([[12, 1138, 42, 42]])), rows[:1], rtol=1e-6)


def test_one_hot() -> None:
    layer = StringLookup(vocabulary=LETTERS, output_mode="one_hot")
    y = layer(["a", "d", "z"])
    assert y.tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0]]
    assert layer([["a"], ["d"]]).shape == layer.output_shape((2, 1)) == (2, 5)
    assert layer([["a", "b"], ["d", "c"]]).shape == layer.output_shape((2, 2)) == (2, 2, 5)


def test_weights_of_unknown_terms_and_learned_ones() -> None:
    given = IntegerLookup(output_mode="tf_idf", vocabulary=[-1, *NUMBERS], idf_weights=[0.9, *WEIGHTS])
    np.testing.assert_allclose(given(np.array([[42, 7, 36, 7]])), [[1.8, 0, 0.75, 0, 0.4]], rtol=1e-6)
    learned = IntegerLookup(output_mode="tf_idf")
    learned.adapt([1, 1, 1, 2, 2, 3])  # each number is a document
    np.testing.assert_allclose(learned([1, 2, 4]), [1.133732, 0.916291, 1.098612, 0.0], rtol=1e-6)


def test_several_ids_for_the_unknown() -> None:
    assert StringLookup(vocabulary=LETTERS, num_oov_indices=2)([["a", "c", "d"], ["m", "z", "b"]]).tolist() == [[2, 4, 5], [0, 1, 3]]
    assert IntegerLookup(vocabulary=NUMBERS, num_oov_indices=2)([[12, 1138, 42], [37, 1000, 36]]).tolist() == [[2, 4, 5], [1, 0, 3]]
    values = [100, 300, 700, 1100, 1700, 2000]
    assert IntegerLookup(vocabulary=[10, 20, 30], num_oov_indices=4)(values).tolist() == [0] * 6
    farm = IntegerLookup(vocabulary=[10, 20, 30], num_oov_indices=4, oov_method="farmhash")
    assert farm(values).tolist() == [3, 3, 2, 2, 0, 1]
    assert farm([100, 200, 300, 400]).tolist() == [3, 1, 3, 1]
    salted = IntegerLookup(vocabulary=[10, 20, 30], num_oov_indices=4, oov_method="farmhash", salt=[137, 42])
    assert salted(values).tolist() != farm(values).tolist()
    assert round_trip(salted)(values).tolist() == salted(values).tolist()
    with pytest.raises(ValueError, match=r"2 terms are not in the vocabulary \(7, 8\); allow them with num_oov_indices=1"):
        IntegerLookup(vocabulary=NUMBERS, num_oov_indices=0)([12, 7, 8])


def test_masks_and_the_way_back() -> None:
    layer = IntegerLookup(vocabulary=[1, 2, 3], mask_token=0)
    assert layer.get_vocabulary() == [0, -1, 1, 2, 3]
    assert layer([0, 1, 2, 3, 9]).tolist() == [0, 2, 3, 4, 1]
    counts = StringLookup(vocabulary=["a"], mask_token="", output_mode="count")
    assert counts([["", "a", "z", ""]]).tolist() == [[1, 1]]
    back = StringLookup(vocabulary=LETTERS, invert=True)
    assert back(np.array([[1, 3, 4], [4, 0, 99]])).tolist() == [["a", "c", "d"], ["d", "[UNK]", "[UNK]"]]
    assert IntegerLookup(vocabulary=NUMBERS, invert=True)(np.array([[1, 0]])).tolist() == [[12, -1]]


def test_lookup_reads_columns_files_and_streams(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "terms.txt"
    path.write_text("12\n36\n", encoding="utf-8")
    layer = IntegerLookup(vocabulary=str(path))
    assert layer(pandas.Series([36, 12, 5])).tolist() == [2, 1, 0]
    assert layer(np.array([36.0, 12.0])).tolist() == [2, 1]
    with pytest.raises(TypeError, match="looks integers up"):
        layer(np.array([0.5]))
    streamed = StringLookup()
    streamed.adapt(iter([["a", "b"], ["b"]]), steps=5)
    assert streamed(pandas.Series(["b", "a"])).tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"StringLookup 'string_lookup'.*1 of 2 texts is missing"):
        streamed(["a", None])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StringLookup(vocabulary=["a"]).adapt(["b"]), "was given its vocabulary"),
        (lambda: StringLookup()(["a"]), "no vocabulary yet"),
        (lambda: StringLookup(invert=True)(np.array([1])), "no vocabulary yet"),
        (lambda: StringLookup().adapt([]), "nothing to learn"),
        (lambda: StringLookup(invert=True, output_mode="count"), "output_mode is 'int'"),
        (lambda: StringLookup(num_oov_indices=-1), "num_oov_indices"),
        (lambda: StringLookup(sparse=True), "no sparse"),
        (lambda: StringLookup(salt=[1, 2, 3]), "salt is"),
        (lambda: IntegerLookup(vocabulary_dtype="int32"), "vocabulary_dtype"),
        (lambda: IntegerLookup(salt=1), "salt belongs"),
        (lambda: IntegerLookup(oov_method="md5"), "oov_method"),
        (lambda: StringLookup(vocabulary=["a"], output_mode="count")(np.array([[["a"]]])), "counts the terms of samples"),
        (lambda: StringLookup.from_config({"vocabulary": "/etc/passwd"}), "names no vocabulary file"),
    ],
)
def test_lookup_errors(make: Any, message: str) -> None:
    with pytest.raises((ValueError, RuntimeError), match=message):
        make()


# --- hashing ------------------------------------------------------------------------------------------------------


def test_hashes_are_those_of_the_world() -> None:
    text = "".join(chr(97 + i % 26) for i in range(200)).encode()
    wanted = {  # what the authors' program gives, at the borders of every branch
        0: 11160318154034397263,
        1: 12917804110809363939,
        3: 2640714258260161385,
        4: 1897425971756105985,
        7: 4341691227789030229,
        8: 18368443631171807497,
        16: 6080716761534418621,
        17: 11394395984755135400,
        32: 18417110746069939610,
        33: 2004761416539416594,
        64: 11261912070464707578,
        65: 2608948203458330154,
        128: 14061449006046005066,
        200: 2725806534515858166,
    }
    assert {n: farmhash64(text[:n]) for n in wanted} == wanted
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    assert siphash64(b"", key) == 0x726FDB47DD0E0E31  # the vectors of the paper's authors
    assert siphash64(bytes([0]), key) == 0x74F839C593DC67FD
    assert siphash64(bytes(range(15)), key) == 0xA129CA6149BE45E5


def test_hashing_gives_the_documented_bins() -> None:
    letters = [["A"], ["B"], ["C"], ["D"], ["E"]]
    assert Hashing(3)(letters).ravel().tolist() == [1, 0, 1, 1, 2]
    assert Hashing(3, salt=[133, 137])(letters).ravel().tolist() == [1, 2, 1, 0, 2]
    assert Hashing(3, salt=133)(letters).ravel().tolist() == [0, 0, 2, 1, 0]
    assert Hashing(1)(letters).ravel().tolist() == [0] * 5
    words = ["omar", "stringer", "marlo", "wire", "skywalker"]
    assert Hashing(2)(words).tolist() == [0, 0, 1, 0, 0]
    assert Hashing(3, mask_value="omar")(words).tolist() == [0, 1, 2, 1, 1]
    assert Hashing(2, salt=[211, 137])(words).tolist() == [1, 0, 1, 0, 1]
    assert Hashing(3)(np.arange(5)).tolist() == [1, 0, 1, 0, 2]
    assert Hashing(3)(np.arange(5.0)).tolist() == [1, 0, 1, 0, 2]
    assert Hashing(3, salt=[133, 137])(np.arange(5)).tolist() == [1, 1, 2, 0, 1]
    assert Hashing(3, output_mode="count")(np.arange(5)).tolist() == [2, 2, 1]
    assert Hashing(3, output_mode="multi_hot")(np.array([[0, 2]])).tolist() == [[0, 1, 0]]
    assert Hashing(3, output_mode="one_hot")(np.arange(2)[:, None]).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert Hashing(3, dtype="int32")(words).dtype == np.int32
    for arguments in (
        {"num_bins": 0},
        {"num_bins": 2, "salt": "x"},
        {"num_bins": 2, "output_mode": "bits"},
        {"num_bins": 2, "dtype": "float32"},
    ):
        with pytest.raises(ValueError, match="Hashing"):
            Hashing(**arguments)


# --- numbers ----------------------------------------------------------------------------------------------------


def test_normalization_learns_from_anything() -> None:
    pandas = pytest.importorskip("pandas")
    x = np.random.default_rng(0).normal(3, 2, size=(100, 4))
    wanted = (x - x.mean(axis=0)) / x.std(axis=0)
    with ls_core.backend.floatx_scope("float64"):
        for data in (
            x,
            x.tolist(),
            pandas.DataFrame(x),
            [x[:7], x[7:50], x[50:]],
            (x[i : i + 30] for i in range(0, 100, 30)),
            DataLoader(ArrayDataset(x, np.zeros(100)), 13, shuffle=True),
        ):
            layer = Normalization()
            layer.adapt(data)
            np.testing.assert_allclose(layer(x), wanted, atol=1e-12)
        np.testing.assert_allclose(Normalization(invert=True, mean=x.mean(0), variance=x.var(0))(wanted), x, atol=1e-12)
        assert [w.shape for w in layer.get_weights()] == [(4,), (4,), ()]
        assert not layer.trainable_parameters()


def test_normalization_in_a_model_is_saved_with_it(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(3, 2, size=(20, 3)).astype(np.float32)
    layer = Normalization()
    layer.adapt(x)
    model = Sequential([layer, Dense(2)])
    y = model(x)
    model.save(tmp_path / "model.ls")
    np.testing.assert_array_equal(ls_core.load_model(tmp_path / "model.ls")(x), y)
    assert round_trip(Normalization(axis=(1, 2))).axis == (1, 2)


def test_normalization_errors() -> None:
    with pytest.raises(ValueError, match="both or not at all"):
        Normalization(mean=1.0)
    with pytest.raises(ValueError, match=r"mean has shape \(2,\) and variance \(3,\)"):
        Normalization(mean=[1, 2], variance=[1, 2, 3])
    with pytest.raises(ValueError, match="at most 1 axes"):
        Normalization(mean=[[1, 2]], variance=[[1, 2]])
    with pytest.raises(ShapeError, match="axis 2 does not exist"):
        Normalization(axis=2)(np.ones((2, 3)))
    layer = Normalization()
    layer.adapt(np.ones((4, 3)))
    with pytest.raises(ShapeError, match=r"the input has shape \(2, 5\); it was built for 2 axes"):
        layer(np.ones((2, 5)))
    with pytest.raises(ShapeError, match="Normalization"):
        layer.adapt(np.ones((2, 5)))
    with pytest.raises(ValueError, match="got no batch"):
        layer.adapt(iter([]))
    with pytest.raises(ValueError, match="got no rows"):
        layer.adapt(np.ones((0, 3)))
    with pytest.raises(ValueError, match="was given its mean"):
        Normalization(mean=1.0, variance=2.0).adapt(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="must be known"):
        Normalization().build((None, None))


def test_a_constant_feature_is_not_divided_by_zero() -> None:
    layer = Normalization()
    layer.adapt(np.full((5, 2), 7.0))
    assert layer(np.full((1, 2), 7.0)).tolist() == [[0, 0]]


def test_integer_inputs_become_floats_without_a_gradient() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    for layer in (Rescaling(0.5), Normalization(), RandomFlip(), RandomContrast(0.5), CenterCrop(1, 1), RandomRotation(0.1)):
        y, cache = layer.forward(pixels, training=True)
        assert y.dtype == np.float32, layer
        assert layer.backward(np.ones_like(y), cache) is None
    assert Resizing(3, 3)(pixels).dtype == np.uint8


def test_discretization() -> None:
    layer = Discretization(num_bins=4)
    with pytest.raises(RuntimeError, match="no bins yet"):
        layer(np.ones(3))
    layer.adapt(np.random.default_rng(0).uniform(size=5000))
    np.testing.assert_allclose(layer.bin_boundaries, [0.25, 0.5, 0.75], atol=0.02)
    counts = np.bincount(layer(np.random.default_rng(1).uniform(size=5000)))
    assert (abs(counts - 1250) < 100).all()
    assert round_trip(layer).bin_boundaries == layer.bin_boundaries
    assert layer.output_shape((None, 3)) == (None, 3)
    assert Discretization([0.0], output_mode="one_hot").output_shape((None, 3)) == (None, 3, 2)
    for arguments in (
        {},
        {"num_bins": 2, "bin_boundaries": [1]},
        {"num_bins": 0},
        {"bin_boundaries": [2, 1]},
        {"num_bins": 2, "output_mode": "x"},
    ):
        with pytest.raises(ValueError, match="Discretization"):
            Discretization(**arguments)
    with pytest.raises(ValueError, match="given its bin_boundaries"):
        Discretization([1.0]).adapt([1.0])
    with pytest.raises(ValueError, match="no value"):
        layer.adapt(np.ones(0))


def test_category_encoding_errors() -> None:
    with pytest.raises(ValueError, match="category numbers run from 0 to 3; the input holds 0 to 4"):
        CategoryEncoding(4)(np.array([0, 4]))
    with pytest.raises(ValueError, match="num_tokens is a positive"):
        CategoryEncoding()
    with pytest.raises(ValueError, match="output_mode is one of"):
        CategoryEncoding(4, "int")
    with pytest.raises(ValueError, match="belong to output_mode 'count'"):
        CategoryEncoding(4).forward(np.array([0]), count_weights=np.ones(1))
    with pytest.raises(ValueError, match=r"count_weights has shape \(2,\)"):
        CategoryEncoding(4, "count").forward(np.array([0]), count_weights=np.ones(2))


# --- images -------------------------------------------------------------------------------------------------------


RANDOM = {
    "flip": lambda **how: RandomFlip(**how),
    "crop": lambda **how: RandomCrop(3, 4, **how),
    "contrast": lambda **how: RandomContrast(0.5, **how),
    "rotation": lambda **how: RandomRotation(0.3, **how),
    "translation": lambda **how: RandomTranslation(0.3, 0.2, **how),
    "zoom": lambda **how: RandomZoom(0.3, 0.2, **how),
    "brightness": lambda **how: RandomBrightness(0.3, **how),
}


@pytest.mark.parametrize("kind", list(RANDOM))
def test_random_layers_follow_their_seed(kind: str, rng: np.random.Generator) -> None:
    x = rng.uniform(0, 255, size=(16, 6, 7, 3))
    first, second = RANDOM[kind](seed=1), RANDOM[kind](seed=1)
    y = first(x, training=True)
    np.testing.assert_array_equal(second(x, training=True), y)
    assert not np.array_equal(first(x, training=True), y)
    assert not np.array_equal(RANDOM[kind](seed=2)(x, training=True), y)
    ls_core.set_seed(4)
    z = RANDOM[kind]()(x, training=True)
    ls_core.set_seed(4)
    np.testing.assert_array_equal(RANDOM[kind]()(x, training=True), z)


@pytest.mark.parametrize("kind", ["flip", "contrast", "rotation", "translation", "zoom", "brightness"])
def test_random_layers_do_nothing_at_inference(kind: str, rng: np.random.Generator) -> None:
    x = rng.uniform(0, 255, size=(2, 6, 7, 3))
    layer = RANDOM[kind]()
    y, cache = layer.forward(x)
    assert y is x
    assert layer.backward(x, cache) is x


def test_flips_are_half_and_half() -> None:
    x = np.broadcast_to(np.arange(4.0).reshape(1, 2, 2, 1), (2000, 2, 2, 1))
    for mode, flipped in (("horizontal", [1, 0, 3, 2]), ("vertical", [2, 3, 0, 1]), ("horizontal_and_vertical", [3, 2, 1, 0])):
        y = RandomFlip(mode)(x, training=True).reshape(-1, 4)
        turned = (y == flipped).all(axis=1)
        assert ((y == [0, 1, 2, 3]).all(axis=1) ^ turned).all()
        assert 0.45 < turned.mean() < 0.55


def test_factors_stay_in_their_range(rng: np.random.Generator) -> None:
    x = np.array([-1.0, 1.0]).reshape(1, 1, 2, 1) * np.ones((3000, 1, 1, 1))
    spread = RandomContrast(0.5, value_range=(-9, 9))(x, training=True)[:, 0, 1, 0]
    assert 0.5 <= spread.min() < 0.52
    assert 1.48 < spread.max() <= 1.5
    layer = RandomTranslation((-0.5, 0.25), 0.0, fill_mode="wrap")
    down = -layer.matrices(np.ones((3000, 8, 4, 1)))[:, 5]
    assert -4 <= down.min() < -3.9
    assert 1.9 < down.max() <= 2
    seen = RandomZoom((-0.5, 0.25)).matrices(np.ones((3000, 8, 4, 1)))
    assert 0.5 <= seen[:, 4].min() < 0.51
    assert 1.24 < seen[:, 4].max() <= 1.25
    np.testing.assert_array_equal(seen[:, 0], seen[:, 4])  # one number for both axes
    shift = RandomBrightness((-0.1, 0.3), value_range=(-10, 10))(0 * x, training=True)[:, 0, 0, 0]
    assert -2 <= shift.min() < -1.9
    assert 5.9 < shift.max() <= 6


def test_crops_lie_anywhere_in_the_image() -> None:
    x = np.arange(20.0).reshape(1, 4, 5, 1)
    layer = RandomCrop(2, 3)
    corners = {float(layer(x, training=True)[0, 0, 0, 0]) for _ in range(300)}
    assert corners == {float(5 * top + left) for top in range(3) for left in range(3)}
    assert layer(x).shape == (1, 2, 3, 1)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_shapes_are_known_without_data(data_format: str, rng: np.random.Generator) -> None:
    batch = rng.normal(size=(2, 6, 7, 3) if data_format == "channels_last" else (2, 3, 6, 7))
    for layer in (
        Resizing(4, 5, data_format=data_format),
        CenterCrop(4, 5, data_format=data_format),
        RandomCrop(4, 5, data_format=data_format),
        RandomFlip(data_format=data_format),
        RandomRotation(0.1, data_format=data_format),
    ):
        assert layer.output_shape(batch.shape) == layer(batch, training=True).shape
        assert layer.output_shape(batch.shape[1:]) == layer(batch[0], training=True).shape
        assert round_trip(layer).output_shape(batch.shape) == layer.output_shape(batch.shape)


def test_augmentation_in_a_model_trains_what_follows(rng: np.random.Generator) -> None:
    from ls_layers import Conv2D, Flatten

    model = Sequential(
        [Rescaling(1 / 255), RandomFlip(), RandomRotation(0.1), RandomTranslation(0.1, 0.1), Conv2D(2, 3), Flatten(), Dense(1)]
    )
    y, cache = model.forward(rng.uniform(0, 255, size=(2, 6, 6, 1)), training=True)
    assert model.backward(np.ones_like(y), cache, input_gradient=False) is None
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resizing(0, 3), "positive integers"),
        (lambda: Resizing(3, 3, "lanczos3"), "interpolation is one of"),
        (lambda: Resizing(3, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "not both"),
        (lambda: Resizing(3, 3, fill_mode="wrap"), "fill_mode is 'constant'"),
        (lambda: Resizing(3, 3, data_format="rows"), "data_format is"),
        (lambda: CenterCrop(3, 0), "positive integers"),
        (lambda: RandomFlip("diagonal"), "mode is one of"),
        (lambda: RandomContrast(1.5), "factor is a number from 0 to 1"),
        (lambda: RandomRotation(2.0), "factor is a number from -1 to 1"),
        (lambda: RandomRotation(0.1, fill_mode="mirror"), "fill_mode is one of"),
        (lambda: RandomTranslation(0.1, (0, 3)), "width_factor is a number"),
        (lambda: RandomZoom((-1.0, 0.5)), "height_factor is above -1"),
        (lambda: RandomBrightness(1.5), "factor is a number from -1 to 1"),
        (lambda: RandomTranslation(0.1, 0.1, interpolation="bicubic"), "interpolation is one of"),
        (lambda: Resizing(3, 3)(np.ones((3, 3))), "it wants one image of 3 axes"),
    ],
)
def test_image_errors(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
