"""Whose code takes the time: attributed by the folder of a package, and to compiled operations."""

import importlib.util
from pathlib import Path

import pytest

import labkit as lab
from labkit.measure import profile as profiling
from labkit.measure.profile import OPERATIONS, OTHER_COMPILED, OTHER_PYTHON, owner_of

OWNERS = [
    "Keras (Python)",
    "TensorFlow (Python)",
    "NumPy (Python)",
    "Python, other",
    "compiled, other",
    "TensorFlow (compiled operations)",
]


def folder_of(package):
    return Path(importlib.util.find_spec(package).origin).parent


@pytest.mark.parametrize(
    ("package", "owner"),
    [
        ("keras", "Keras (Python)"),
        ("tensorflow", "TensorFlow (Python)"),
        ("numpy", "NumPy (Python)"),
        ("labkit", "Python, other"),
    ],
)
def test_a_file_of_a_package_belongs_to_it(package, owner):
    assert owner_of(str(folder_of(package) / "__init__.py"), "f") == owner
    assert owner_of(str(folder_of(package) / "src" / "deep" / "x.py"), "f") == owner


@pytest.mark.parametrize(
    "path",
    [
        "/home/me/keras/my_project/x.py",
        "/home/me/tensorflow_course/x.py",
        "/work/numpy/x.py",
        "keras/x.py",
        "<string>",
        "",
    ],
)
def test_a_word_in_a_path_is_no_package(path):
    assert owner_of(path, "f") == OTHER_PYTHON


def test_a_project_beside_the_packages_is_its_own():
    beside = folder_of("keras").parent / "keras_addon" / "x.py"
    assert owner_of(str(beside), "f") == OTHER_PYTHON


@pytest.mark.parametrize(
    "name",
    [
        "<built-in method tensorflow.python._pywrap_tfe.TFE_Py_FastPathExecute>",
        "<built-in method TFE_Py_Execute>",
        "<built-in method TFE_Execute>",
        "<built-in method tensorflow.python.client._pywrap_tf_session.TF_SessionRun_wrapper>",
        "<method 'call_function' of 'tensorflow.python.eager.context' objects>",
        "TFE_Py_FastPathExecute",
        "TFE_Py_Execute",
        "TFE_Execute",
        "TF_SessionRun",
        "call_function",
    ],
)
def test_the_built_in_functions_that_run_operations(name):
    assert owner_of("~", name) == OPERATIONS
    assert owner_of("/home/me/x.py", name) == OTHER_PYTHON  # a Python function of that name is none


@pytest.mark.parametrize("name", ["<built-in method builtins.sorted>", "<method 'append'>"])
def test_other_built_in_functions(name):
    assert owner_of("~", name) == OTHER_COMPILED


def test_a_package_that_is_not_installed_owns_nothing():
    assert profiling._folder_of("no_such_package_anywhere") is None


def test_sorting_is_compiled_and_a_loop_is_python():
    numbers = list(range(20_000))

    def loop():
        total = 0
        for number in numbers:
            total += number
        return total

    sorting = lab.profile(lambda: sorted(numbers, key=None), calls=5).shares
    looping = lab.profile(loop, calls=5).shares
    assert max(sorting, key=sorting.get) == OTHER_COMPILED
    assert max(looping, key=looping.get) == OTHER_PYTHON


def test_shares_add_up_and_always_come_in_the_same_order():
    result = lab.profile(lambda: sorted(range(100)), calls=3)
    assert list(result.shares) == OWNERS
    assert sum(result.shares.values()) == pytest.approx(1)
    assert [row[0] for row in result.table.cells] == OWNERS


def test_three_calls_warm_up_and_the_rest_are_counted():
    called = []

    def inner():
        pass

    def fn():
        called.append(None)
        inner()
        inner()

    result = lab.profile(fn, calls=7)
    assert len(called) == 3 + 7
    assert result.calls == 4  # fn, append, and inner twice


def test_operations_of_tensorflow_are_seen():
    import tensorflow as tf

    x = tf.ones([200, 200])
    graph = tf.function(lambda v: tf.matmul(tf.matmul(v, v), v))
    for work in (lambda: tf.matmul(x, x), lambda: graph(x)):
        shares = lab.profile(work, calls=10).shares
        assert shares[OPERATIONS] > 0
        assert shares["TensorFlow (Python)"] > 0


def test_runs_of_a_session_are_operations():
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        product = tf.matmul(tf.ones([200, 200]), tf.ones([200, 200]))
        shares = lab.profile(lambda: session.run(product), calls=10).shares
    assert shares[OPERATIONS] > 0
