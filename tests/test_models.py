"""The small model and the rows that the lessons share."""

import numpy as np
import pytest

from labkit.course.models import mlp, random_rows


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_the_depth_is_the_number_of_dense_layers(depth):
    model = mlp(width=8, depth=depth, inputs=3, outputs=2)
    assert [layer.units for layer in model.layers] == [8] * (depth - 1) + [2]
    assert [layer.activation.__name__ for layer in model.layers] == (
        ["relu"] * (depth - 1) + ["linear"]
    )
    assert model(random_rows(4, inputs=3)).shape == (4, 2)


@pytest.mark.parametrize("depth", [0, -1])
def test_a_model_without_layers_is_an_error(depth):
    with pytest.raises(ValueError, match=f"at least one layer, got depth={depth}"):
        mlp(depth=depth)


def test_the_same_seed_gives_the_same_weights_and_each_layer_its_own():
    first, again, other = (mlp(width=4, depth=4, inputs=4, seed=seed) for seed in (1, 1, 2))
    for one, two, three in zip(first.weights, again.weights, other.weights, strict=True):
        assert np.array_equal(one, two)
        if one.name == "kernel":
            assert not np.array_equal(one, three)
    kernels = [layer.kernel.numpy() for layer in first.layers[:3]]
    assert not np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[1], kernels[2])


def test_rows_are_repeatable_numbers_from_0_to_1():
    rows = random_rows(50, inputs=7, seed=3)
    assert (rows.shape, rows.dtype) == ((50, 7), np.float32)
    assert rows.min() >= 0 and rows.max() < 1
    assert np.array_equal(rows, random_rows(50, inputs=7, seed=3))
    assert not np.array_equal(rows, random_rows(50, inputs=7, seed=4))
