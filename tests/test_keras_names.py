"""What is known from Keras by name: weights, layers by place, a model as far as one of its layers."""

from __future__ import annotations

import numpy as np
import pytest

from ls_core import Input, Model, Sequential
from ls_layers import BatchNormalization, Dense


def test_weights_by_their_names() -> None:
    model = Sequential([Input((3,)), Dense(2), BatchNormalization(), Dense(1)])
    assert [p.name for p in model.weights] == [p.name for p in model.parameters()]
    assert [p.name for p in model.trainable_weights] == ["kernel", "bias", "gamma", "beta", "kernel", "bias"]
    assert [p.name for p in model.non_trainable_weights] == ["moving_mean", "moving_variance"]
    model.layers[0].trainable = False
    assert [p.name for p in model.non_trainable_weights] == ["kernel", "bias", "moving_mean", "moving_variance"]
    assert not model.layers[0].trainable_weights


def test_a_layer_by_name_or_place() -> None:
    model = Sequential([Dense(2, name="a"), Dense(1, name="b")])
    assert model.get_layer("b") is model.get_layer(index=1) is model.get_layer(index=-1) is model.layers[1]
    with pytest.raises(ValueError, match="takes a name or an index"):
        model.get_layer()
    with pytest.raises(ValueError, match="has 2 layers, no layer 2"):
        model.get_layer(index=2)


def test_a_model_as_far_as_a_layer() -> None:
    x = Input((3,))
    model = Model(x, Dense(1, name="head")(Dense(4, activation="relu", name="features")(x)))
    features = Model(model.inputs, model.get_layer("features").output)
    data = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    wanted = model.get_layer("features")(data)
    np.testing.assert_array_equal(features(data), wanted)
    np.testing.assert_array_equal(model(data), model.get_layer("head")(wanted))
    assert features.get_layer("features") is model.get_layer(index=0)
    longer = Model(model.inputs, Dense(2)(model.outputs[0]))
    assert longer(data).shape == (5, 2)


def test_a_layer_without_one_output() -> None:
    with pytest.raises(AttributeError, match="Dense 'dense' stands in no graph of a Model"):
        _ = Dense(2).output
    a, b, shared = Input((3,)), Input((3,)), Dense(2)
    model = Model([a, b], [shared(a), shared(b)])
    with pytest.raises(AttributeError, match=f"in 2 places of {model}"):
        _ = shared.output


def test_initialisers_regularisers_and_constraints_under_their_short_names() -> None:
    from ls_core import constraints, initializers, regularizers

    layer = Dense(
        2,
        kernel_initializer=initializers.he_normal(),
        bias_initializer=initializers.zeros,
        kernel_regularizer=regularizers.l2(0.1),
        bias_regularizer=regularizers.l1_l2(l1=0.1, l2=0.2),
        kernel_constraint=constraints.max_norm(2.0),
    )
    layer.build((None, 3))
    config = layer.get_config()
    assert config["kernel_initializer"]["class_name"] == "HeNormal"
    assert config["kernel_regularizer"] == {"class_name": "L2", "config": {"l2": 0.1}}
    twin = Dense(**config)
    twin.build((None, 3))
    assert twin.kernel.constraint.max_value == 2.0


def test_a_class_may_use_these_names_for_its_own() -> None:
    class Net(Model):
        def __init__(self) -> None:
            super().__init__()
            self.output, self.inputs = Dense(1), 3

        def forward(self, x: np.ndarray, training: bool = False) -> object:
            return self.output.forward(x)

    model = Net()
    assert model(np.ones((2, 3))).shape == (2, 1)
    assert [p.name for p in model.weights] == ["kernel", "bias"]
    assert model.inputs == 3
