"""The small models and the rows that the lessons share."""

import numpy as np
import pytest

from labkit.course.models import kinds, mlp, random_rows, service


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


def test_the_service_gives_one_score_between_0_and_1_for_each_row():
    scores = service()(random_rows(50, inputs=20)).numpy()
    assert scores.shape == (50, 1)
    assert scores.min() > 0 and scores.max() < 1
    assert scores.std() > 0.01


def test_each_kind_takes_its_row_and_is_the_same_for_the_same_seed():
    first, again, other = kinds(), kinds(), kinds(seed=1)
    for name, (model, row) in first.items():
        answer = model(row).numpy()
        same_model, same_row = again[name]
        assert answer.shape[0] == 1, name
        assert np.array_equal(row, same_row), name
        assert np.array_equal(answer, same_model(same_row).numpy()), name
        assert not np.array_equal(answer, other[name][0](row).numpy()), name


def test_the_kinds_leave_numpys_and_keras_random_state_alone():
    import keras

    keras.utils.set_random_seed(3)
    wanted = keras.random.uniform((2,)).numpy(), np.random.random()
    keras.utils.set_random_seed(3)
    kinds()
    got = keras.random.uniform((2,)).numpy(), np.random.random()
    assert np.array_equal(got[0], wanted[0]) and got[1] == wanted[1]
