"""TextVectorization, the learned vectorisation and the label index."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import Sequential
from ls_core.registry import deserialize, serialize
from ls_core.text import LabelIndex, TermIndex, TextVectorization, learn_vectorization, read_texts
from ls_layers import Dense, Embedding, Flatten

DOCUMENTS = ["foo bar", "bar baz", "baz bada boom"]


def adapted(*texts: str, **arguments: Any) -> TextVectorization:
    layer = TextVectorization(**arguments)
    layer.adapt(list(texts) or DOCUMENTS)
    return layer


# --- numbers worked out in the documentation of Keras ------------------------------------------------


def test_the_example_of_the_keras_documentation() -> None:
    layer = adapted(max_tokens=5000, output_sequence_length=4)
    assert layer([["foo qux bar"], ["qux baz"]]).tolist() == [[4, 1, 3, 0], [1, 2, 0, 0]]
    given = TextVectorization(max_tokens=5000, output_sequence_length=4, vocabulary=["earth", "wind", "and", "fire"])
    assert given.get_vocabulary() == ["", "[UNK]", "earth", "wind", "and", "fire"]
    assert given.get_vocabulary(include_special_tokens=False) == ["earth", "wind", "and", "fire"]
    assert given.vocabulary_size() == 6


@pytest.mark.parametrize(("mode", "rows"), [("multi_hot", [[0, 1, 1, 0], [0, 1, 0, 1]]), ("count", [[0, 1, 1, 0], [0, 2, 0, 1]])])
def test_counting_modes(mode: str, rows: list[list[int]]) -> None:
    layer = TextVectorization(output_mode=mode, vocabulary=["foo", "bar", "baz"])
    y = layer(["foo bar", "foo foo baz"])
    assert y.tolist() == rows
    assert y.dtype == np.float32


def test_tf_idf_given_and_learned() -> None:
    layer = TextVectorization(output_mode="tf_idf", vocabulary=["foo", "bar", "baz"], idf_weights=[0.3, 0.5, 0.2])
    np.testing.assert_allclose(layer(["foo bar", "foo foo baz qux"]), [[0, 0.3, 0.5, 0], [1 / 3, 0.6, 0, 0.2]], rtol=1e-6)
    learned = TextVectorization(output_mode="tf_idf", dtype="float64")
    learned.adapt(["a b b", "b"])
    assert learned.get_vocabulary() == ["[UNK]", "b", "a"]
    idf = [np.log(1 + 2 / 3), np.log(1 + 2 / 2)]
    np.testing.assert_allclose(learned(["b b a c"]), [[np.mean(idf), 2 * idf[0], idf[1]]], rtol=1e-12)


def test_pad_to_max_tokens() -> None:
    layer = adapted("a b", output_mode="count", max_tokens=6, pad_to_max_tokens=True)
    assert layer(["a a"]).tolist() == [[0, 0, 2, 0, 0, 0]]
    assert layer.output_shape((None,)) == (None, 6)
    weighted = adapted("a b", output_mode="tf_idf", max_tokens=6, pad_to_max_tokens=True)
    assert weighted(["a a"]).shape == (1, 6)


# --- each step -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("standardize", "tokens"),
    [
        (None, ["Don't", "STOP!", "É"]),
        ("lower", ["don't", "stop!", "é"]),
        ("strip_punctuation", ["Dont", "STOP", "É"]),
        ("lower_and_strip_punctuation", ["dont", "stop", "é"]),
        (np.char.upper, ["DON'T", "STOP!", "É"]),
    ],
)
def test_standardize(standardize: Any, tokens: list[str]) -> None:
    assert TextVectorization(standardize=standardize).tokens(["Don't  STOP!\nÉ"]) == [tokens]


def test_ascii_and_other_texts_lose_the_same_punctuation() -> None:
    import string

    layer = TextVectorization()
    assert layer.tokens([f"a{string.punctuation}b", f"é{string.punctuation}b"]) == [["ab"], ["éb"]]


def test_split() -> None:
    assert TextVectorization(split="character").tokens(["ab c"]) == [["a", "b", " ", "c"]]
    assert TextVectorization(split=lambda texts: np.char.split(texts, "-"), standardize=None).tokens(["a-b", "c"]) == [["a", "b"], ["c"]]
    whole = TextVectorization(split=None, standardize=None, vocabulary=["new york", "rome"])
    assert whole(["rome", "new york", "oslo"]).tolist() == [3, 2, 1]
    assert whole([["rome", "oslo"], ["new york"]]).tolist() == [[3, 1], [2, 0]]
    assert whole(np.array([["rome", "oslo"]])).tolist() == [[3, 1]]
    with pytest.raises(ValueError, match=r"texts are \(B,\) or \(B, 1\), these are \(1, 2\)"):
        TextVectorization(vocabulary=["a"])(np.array([["a", "b"]]))


def test_ngrams() -> None:
    assert TextVectorization(ngrams=(2,)).tokens(["a b c"]) == [["a b", "b c"]]
    assert TextVectorization(ngrams=3).tokens(["a b c", "a"]) == [["a", "b", "c", "a b", "b c", "a b c"], ["a"]]
    assert TextVectorization(ngrams=(3, 1)).tokens(["a b c"]) == [["a b c", "a", "b", "c"]]


def test_order_of_the_vocabulary_is_frequency_then_falling() -> None:
    assert adapted("b a c c", "a d").get_vocabulary() == ["", "[UNK]", "c", "a", "d", "b"]
    assert adapted("b a c c", "a d", max_tokens=4).get_vocabulary() == ["", "[UNK]", "c", "a"]
    assert adapted("[UNK] a", standardize=None).get_vocabulary() == ["", "[UNK]", "a"]


def test_padding_cutting_and_empty_texts() -> None:
    layer = adapted("a b c")
    assert layer(["a", "", "c b a"]).tolist() == [[4, 0, 0], [0, 0, 0], [2, 3, 4]]
    assert layer(["", ""]).shape == (2, 0)
    assert layer([]).shape == (0, 0)
    assert adapted("a b c", output_sequence_length=2)(["c b a", ""]).tolist() == [[2, 3], [0, 0]]
    assert layer("a b").tolist() == [4, 3]


def test_adapt_on_batches_and_anew() -> None:
    layer = TextVectorization()
    layer.adapt(batch for batch in (["a b"], ["b"]))
    assert layer.get_vocabulary() == ["", "[UNK]", "b", "a"]
    layer.adapt(["z"])
    assert layer.get_vocabulary() == ["", "[UNK]", "z"]

    def endless() -> Any:
        while True:
            yield ["x y"]

    layer.adapt(endless(), steps=2)
    assert layer.get_vocabulary() == ["", "[UNK]", "y", "x"]


def test_vocabulary_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.txt"
    path.write_text("earth\nwind\n", encoding="utf-8")
    assert TextVectorization(vocabulary=str(path))(["wind earth fire"]).tolist() == [[3, 2, 1]]


# --- what comes in --------------------------------------------------------------------------------------


def test_every_kind_of_column() -> None:
    pandas = pytest.importorskip("pandas")
    layer = adapted(output_sequence_length=3)
    wanted = layer(["foo bar", "boom"]).tolist()
    for column in (
        np.array(["foo bar", "boom"]),
        np.array(["foo bar", "boom"], dtype=object),
        np.array([b"foo bar", b"boom"]),
        ("foo bar", "boom"),
        pandas.Series(["foo bar", "boom"], index=[7, 3]),
        pandas.Series(["foo bar", "boom"], dtype=object),
        pandas.Series(["foo bar", "boom"], dtype="string"),
        pandas.Series(["foo bar", "boom"], dtype="category"),
        pandas.Index(["foo bar", "boom"]),
    ):
        assert layer(column).tolist() == wanted, type(column)


def test_arrow_backed_columns() -> None:
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    column = pandas.Series(["a", None, "b"], dtype="string[pyarrow]", name="review")
    with pytest.raises(ValueError, match=r"1 of 3 texts is missing.*position 1.*dropna\(subset=\['review'\]\)"):
        read_texts(column)
    assert read_texts(column.fillna(""))[0] == ["a", "", "b"]


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan])
def test_missing_texts_are_counted_and_placed(missing: Any) -> None:
    with pytest.raises(ValueError, match=r"TextVectorization.*2 of 4 texts are missing.*first at position 1.*dropna.*fillna\(''\)"):
        adapted("a")(["a", missing, "b", missing])


def test_pandas_missing_values() -> None:
    pandas = pytest.importorskip("pandas")
    for column in (
        pandas.Series(["a", None]),
        pandas.Series(["a", pandas.NA], dtype="string"),
        pandas.Series(["a", pandas.NaT], dtype=object),
    ):
        with pytest.raises(ValueError, match="1 of 2 texts is missing"):
            read_texts(column)


def test_wrong_inputs_say_what_to_do() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"at position 1 is the int 3; convert the column with \.astype\(str\)"):
        read_texts(["a", 3])
    with pytest.raises(TypeError, match=r"texts are one column, this is a DataFrame with \['a', 'b'\]"):
        read_texts(pandas.DataFrame({"a": ["x"], "b": ["y"]}))
    with pytest.raises(RuntimeError, match=r"TextVectorization 'text_vectorization' has no vocabulary yet: call adapt"):
        TextVectorization()(["a"])
    with pytest.raises(ValueError, match="no token in 2 texts"):
        adapted("", "...")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_tokens": 1}, "max_tokens"),
        ({"standardize": "upper"}, "standardize is one of"),
        ({"split": "tab"}, "split is one of"),
        ({"output_mode": "one_hot"}, "output_mode"),
        ({"output_mode": "bits"}, "output_mode is one of"),
        ({"output_mode": "count", "output_sequence_length": 3}, "output_sequence_length"),
        ({"output_sequence_length": 0}, "output_sequence_length"),
        ({"pad_to_max_tokens": True}, "pad_to_max_tokens needs max_tokens"),
        ({"ragged": True}, "ragged"),
        ({"ngrams": 0}, "ngrams"),
        ({"vocabulary": ["a", "a"]}, "repeats 'a'"),
        ({"vocabulary": []}, "empty"),
        ({"vocabulary": ["a", ""]}, "mask term '' stands at place 1"),
        ({"vocabulary": ["a", "b"], "max_tokens": 3}, "max_tokens is 3"),
        ({"vocabulary": ["a"], "output_mode": "tf_idf"}, "needs idf_weights"),
        ({"vocabulary": ["a"], "output_mode": "tf_idf", "idf_weights": [1, 2]}, "1 terms"),
        ({"vocabulary": ["a"], "idf_weights": [1]}, "belong to output_mode 'tf_idf'"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TextVectorization(**arguments)


def test_a_given_vocabulary_is_not_learned_over() -> None:
    with pytest.raises(ValueError, match="was given its vocabulary"):
        TextVectorization(vocabulary=["a"]).adapt(["b"])


# --- as a layer --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["int", "tf_idf"])
def test_configuration_carries_the_vocabulary(mode: str) -> None:
    layer = adapted(output_mode=mode, ngrams=(1, 2))
    spec = json.loads(json.dumps(serialize(layer)))
    copy = deserialize("layer", spec)
    assert copy.get_vocabulary() == layer.get_vocabulary()
    np.testing.assert_array_equal(copy(["bar baz bar"]), layer(["bar baz bar"]))
    copy.adapt(["new words"])  # it was learned, so it can be learned again
    spec["config"]["vocabulary"] = "/etc/passwd"
    with pytest.raises(ValueError, match="names no vocabulary file"):
        deserialize("layer", spec)


def test_keras_own_configuration_is_taken() -> None:
    layer = TextVectorization(
        name="text", trainable=True, dtype={"class_name": "DTypePolicy", "config": {"name": "float32"}}, vocabulary_size=3, vocabulary=["a"]
    )  # fmt: skip
    assert layer.name == "text"


def test_in_front_of_a_model() -> None:
    layer = adapted(output_sequence_length=3)
    model = Sequential([layer, Embedding(7, 2), Flatten(), Dense(1)])
    y, cache = model.forward(np.array(["foo bar", "qux"], dtype=object))
    model.backward(np.ones_like(y), cache, input_gradient=False)
    assert y.shape == (2, 1)
    assert layer.output_shape((None,)) == (None, 3)


def test_learned_length() -> None:
    texts = ["a " * n for n in range(1, 101)]
    assert learn_vectorization(texts, 10).output_sequence_length == 96
    assert learn_vectorization(["a"], 10).output_sequence_length == 4
    assert learn_vectorization(["a b c d e"], 10).output_sequence_length == 6
    assert learn_vectorization(["a " * 5000], 10).output_sequence_length == 512
    assert learn_vectorization(texts, 10).get_config()["output_sequence_length"] == 96
    with pytest.raises(ValueError, match="no token"):
        learn_vectorization(["", ""], 10)


def test_pandas_is_not_imported() -> None:
    code = "import sys, ls_core, ls_core.text, ls_core.data; ls_core.data.as_array([1]); sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- labels --------------------------------------------------------------------------------------------------


def test_labels_round_trip() -> None:
    for labels, classes in (
        (["b", "a", "b"], ["a", "b"]),
        ([True, False], [False, True]),
        ([30, -1, 7], [-1, 7, 30]),
        (np.array([2.0, 1.0]), [1, 2]),
        (np.array([["b"], ["a"]]), ["a", "b"]),
    ):
        index = LabelIndex().fit(labels)
        assert index.classes == classes
        flat = np.asarray(labels).ravel().tolist()
        assert index.decode(index.encode(labels)) == flat
        again = LabelIndex.from_config(json.loads(json.dumps(index.get_config())))
        assert again.encode(labels).tolist() == index.encode(labels).tolist()


def test_labels_from_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    for dtype in (object, "string", "category", "str"):
        assert LabelIndex().fit(pandas.Series(["x", "y", "x"], dtype=dtype, index=[5, 6, 7])).classes == ["x", "y"]
    with pytest.raises(ValueError, match=r"1 of 2 is missing.*position 1.*dropna\(subset=\['topic'\]\)"):
        LabelIndex().fit(pandas.Series(["x", None], name="topic"))


def test_label_errors() -> None:
    with pytest.raises(ValueError, match="two classes or more; the labels are 'a' everywhere"):
        LabelIndex().fit(["a", "a"])
    with pytest.raises(ValueError, match="no label at all"):
        LabelIndex().fit([])
    with pytest.raises(ValueError, match="2 of 3 are missing"):
        LabelIndex().fit(["a", None, float("nan")])
    with pytest.raises(TypeError, match=r"one kind, these are int, str"):
        LabelIndex().fit(["a", 1])
    with pytest.raises(TypeError, match=r"float 0\.5"):
        LabelIndex().fit([0.5, 1.5])
    with pytest.raises(ValueError, match="label 'c' at position 1 is not among the 2 known: 'a', 'b'"):
        LabelIndex(["a", "b"]).encode(["a", "c"])
    with pytest.raises(ValueError, match="one column"):
        LabelIndex().fit(np.eye(3))
    with pytest.raises(ValueError, match="stands twice"):
        LabelIndex(["a", "a"])


def test_unknown_terms_without_a_place() -> None:
    index = TermIndex("the index", num_oov_indices=0)
    index.set(["a", "b"])
    assert index.ids(["b", "a"]).tolist() == [1, 0]
    with pytest.raises(ValueError, match=r"1 terms are not in the vocabulary \('c'\)"):
        index.ids(["a", "c"])


def test_ids_go_to_the_current_backend() -> None:
    assert isinstance(adapted()(["foo"]), np.ndarray)
    assert ls_core.current_backend().name == "numpy"
