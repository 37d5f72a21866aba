"""Each format loads, and each kind of damage or mistake becomes one sentence."""

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import pytest
import tensorflow as tf
from keras import layers
from own_model_helpers import QUICK, is_sentence

import labkit as lab
from labkit import own_model
from labkit.own_model import BadModel, keras2
from labkit.own_model.loading import layers_of, load
from labkit.own_model.silence import silence_all


class Unregistered(layers.Layer):
    def call(self, x):
        return x


# ---- each format ----


@pytest.mark.parametrize(
    ("file", "kind"), [("ok.keras", ".keras file"), ("ok.h5", ".h5 file"), ("ok", "SavedModel")]
)
def test_each_format_is_the_same_model(saved, file, kind):
    loaded = load(saved / file)
    assert loaded.kind == kind
    assert loaded.parameters == lab.models.mlp().count_params()
    rows = tf.constant(lab.models.random_rows(3))
    x = rows if loaded.keras else dict.fromkeys(loaded.spec, rows)
    [answer] = tf.nest.flatten(loaded.call(x))
    assert answer.numpy() == pytest.approx(lab.models.mlp()(rows).numpy(), abs=1e-5)


def test_dropout_is_off():
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.9)])
    assert load(model).call(tf.ones((1, 4))).numpy().tolist() == [[1, 1, 1, 1]]


def test_layers_inside_layers_are_found():
    inner = keras.Sequential([keras.Input((3, 2)), layers.Bidirectional(layers.LSTM(2))])
    names = {type(layer).__name__ for layer in layers_of(keras.Sequential([inner]))}
    assert {"Sequential", "Bidirectional", "LSTM"} <= names


def test_a_saved_model_calls_the_default_signature_or_the_chosen_one(tmp_path):
    module = tf.Module()
    spec = tf.TensorSpec((None,), tf.float32, name="x")
    double = tf.function(lambda x: {"y": 2 * x}, input_signature=[spec])
    triple = tf.function(lambda x: {"y": 3 * x}, input_signature=[spec])
    with silence_all():
        tf.saved_model.save(
            module, str(tmp_path / "m"), signatures={"serving_default": double, "triple": triple}
        )
    x = {"x": tf.constant([1.0])}
    assert load(tmp_path / "m").call(x)["y"].numpy() == [2.0]
    chosen = load(tmp_path / "m", signature="triple")
    assert chosen.call(x)["y"].numpy() == [3.0]
    assert "'triple'" in chosen.notes[0]
    with pytest.raises(BadModel, match="no signature 'x'; it has serving_default, triple"):
        own_model.inspect(tmp_path / "m", signature="x")


def test_only_a_path_or_a_keras_model_is_taken():
    with pytest.raises(BadModel, match="expected a path or a Keras model, got an int"):
        own_model.diagnose(3)


# ---- damage and mistakes ----


def write_bad_files(folder, saved):
    """Write a file for each kind of damage and mistake."""
    whole = (saved / "ok.keras").read_bytes()
    (folder / "cut.keras").write_bytes(whole[: len(whole) // 2])
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    (folder / "flipped.keras").write_bytes(bytes(flipped))
    (folder / "empty.keras").touch()
    with zipfile.ZipFile(folder / "other.keras", "w") as file:
        file.writestr("a.txt", "x")
    (folder / "cut.h5").write_bytes((saved / "ok.h5").read_bytes()[:5000])
    (folder / "text.h5").write_text("hello" * 100)
    shutil.copy(saved / "ok.h5", folder / "keras1.h5")
    with h5py.File(folder / "keras1.h5", "a") as file:
        layer = {"class_name": "Convolution2D", "config": {"nb_filter": 8, "nb_row": 3}}
        file.attrs["keras_version"] = "1.2.2"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": [layer]})
    lab.models.mlp().save_weights(folder / "m.weights.h5")
    for name in ("m.pb", "m.tflite", "m.pt", "m.json", "m.txt", "m.zip"):
        (folder / name).write_text("x")
    shutil.copy(saved / "ok" / "saved_model.pb", folder / "part.pb")
    write_bad_saved_models(folder, saved)
    code = keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x * 2)])
    mine = keras.Sequential([keras.Input((3,)), Unregistered()])
    with silence_all():
        code.save(folder / "lambda.keras")
        code.save(folder / "lambda.h5")
        mine.save(folder / "mine.keras")
        mine.save(folder / "mine.h5")


def write_bad_saved_models(folder, saved):
    (folder / "empty").mkdir()
    shutil.copytree(saved / "ok", folder / "versions" / "1")
    shutil.copytree(saved / "ok", folder / "no_weights")
    shutil.rmtree(folder / "no_weights" / "variables")
    shutil.copytree(saved / "ok", folder / "cut_graph")
    graph = folder / "cut_graph" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:3000])
    with silence_all():
        tf.saved_model.save(tf.Module(), str(folder / "no_signature"))


# By the name of the file: what the sentence must say.
BAD = {
    ".": ". is not a SavedModel, but ./",
    "https://example.com/price.keras": "is an address: download the file, and give its path",
    "cut.keras": "it is not a complete zip archive",
    "flipped.keras": "is damaged",
    "empty.keras": "is empty",
    "other.keras": "is damaged",
    "cut.h5": "is damaged",
    "text.h5": "is damaged",
    "keras1.h5": "was written by Keras 1.2.2, whose layers neither Keras 3 nor tf_keras reads",
    "m.weights.h5": "weights without a model",
    "m.pb": "neither a frozen graph nor a part of a SavedModel",
    "part.pb": "is one part of a SavedModel: give the folder",
    "m.tflite": "is damaged or not a .tflite file",
    "m.pt": "PyTorch",
    "m.json": "without weights",
    "m.txt": "is of an unknown kind",
    "m.zip": "unpack it",
    "empty": "is not a SavedModel",
    "versions": "but versions/1 is",
    "no_weights": "is damaged",
    "cut_graph": "is damaged",
    "no_signature": "no signature to call",
    "lambda.keras": "loading it would run that code",
    "lambda.h5": "loading it would run that code",
    "mine.keras": "needs the class Unregistered",
    "mine.h5": "needs the class Unregistered",
    "nowhere.keras": "there is no file",
    "mtflite": "did you mean m.tflite?",
    "x" * 5000: "cannot be read",
    "a\0b.keras": "",
    " ": "no path was given",
}


@pytest.fixture(scope="module")
def bad_files(saved, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    write_bad_files(folder, saved)
    return folder


@pytest.mark.parametrize("name", BAD, ids=lambda name: name[:20].encode("unicode_escape").decode())
def test_a_wrong_or_damaged_file_becomes_one_sentence(name, bad_files, monkeypatch):
    monkeypatch.chdir(bad_files)
    before = sorted(os.listdir())
    with pytest.raises(BadModel) as raised:
        own_model.diagnose(name, report_to="r.html", **QUICK)
    assert BAD[name] in str(raised.value)
    assert is_sentence(str(raised.value)), str(raised.value)
    assert sorted(os.listdir()) == before  # no report, no part of one


def test_trusted_code_and_named_classes_are_loaded(bad_files):
    with contextlib.chdir(bad_files):
        loaded = load("lambda.keras", trust=True)
        assert loaded.call(tf.ones((1, 3))).numpy().tolist() == [[2, 2, 2]]
        assert load("mine.keras", custom_objects={"Unregistered": Unregistered}).keras


def test_a_path_is_checked_without_tensorflow(tmp_path):
    code = (
        "import sys\nfrom labkit.own_model.paths import check_path\n"
        "try:\n    check_path('nowhere.keras')\nexcept ValueError as error:\n    print(error)\n"
        "print([n for n in ('tensorflow', 'keras', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "there is no file or folder nowhere.keras; check the spelling and the folder",
        "[]",
    ]


def test_a_file_that_must_not_be_read_is_not_called_damaged(saved, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    shutil.copytree(saved / "ok", folder)
    for name in ("ok.keras", "ok.h5"):
        shutil.copy(saved / name, tmp_path / name)
    opened = Path.open

    def denied(self, *arguments, **options):
        if self.suffix in (".keras", ".h5") or self.name.startswith("variables."):
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", denied)
    for name, file in [("ok.keras", "ok.keras"), ("ok.h5", "ok.h5"), ("model", "variables.")]:
        with pytest.raises(BadModel, match="you have no permission to read it") as refused:
            load(tmp_path / name)
        assert str(refused.value).startswith(file)
        assert "damaged" not in str(refused.value)


def test_options_of_another_kind_of_file_are_refused(saved):
    with pytest.raises(BadModel, match=r"ok.keras has no signatures, which only a SavedModel has"):
        load(saved / "ok.keras", signature="serve")
    with pytest.raises(BadModel, match=r"ok.h5 is no frozen graph"):
        load(saved / "ok.h5", inputs="x")
    with pytest.raises(BadModel, match="ok is no frozen graph"):
        load(saved / "ok", outputs=["y"])


def test_an_input_has_the_name_that_it_was_given():
    named = keras.Sequential([keras.Input((4,), name="x"), layers.Dense(2)])
    assert load(named).spec.name == "x"
    assert own_model.inspect(named).cells[1] == ["input x", "float32 (any, 4)"]
    unnamed = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    assert load(unnamed).spec.name == "input_0"  # Keras counts: the name would change


def test_a_file_that_names_a_function_of_python_as_a_layer_is_refused(saved, tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(os, "system", called.append)
    with zipfile.ZipFile(saved / "ok.keras") as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    config = json.loads(parts["config.json"])
    layer = config["config"]["layers"][1]
    layer.update(module="os", class_name="system", registered_name=None)
    layer["config"] = {"command": "true"}
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "changed.keras", "w") as changed:
        for name, content in parts.items():
            changed.writestr(name, content)
    with pytest.raises(BadModel, match=r"names os.system as one of its layers") as refused:
        load(tmp_path / "changed.keras")
    assert "custom_objects" not in str(refused.value)
    assert called == []


# ---- own layers, named by the learner ----

LAYERS = """
import keras
from helper_of_layers import FACTOR

class Unregistered(keras.layers.Layer):
    def call(self, x):
        return FACTOR * x
"""


@pytest.fixture
def own_layers(tmp_path, monkeypatch):
    """A folder with a file of own layers, which imports its neighbour."""
    (tmp_path / "layers_of_mine.py").write_text(LAYERS)
    (tmp_path / "helper_of_layers.py").write_text("FACTOR = 3")
    (tmp_path / "fails.py").write_text("import no_such_module_at_all")
    (tmp_path / "ends.py").write_text("raise SystemExit(4)")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("layers_of_mine", "helper_of_layers"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("file", ["mine.keras", "mine.h5"])
def test_own_layers_come_from_a_file_that_is_named(bad_files, own_layers, file):
    with pytest.raises(BadModel, match="needs the class Unregistered") as refused:
        load(bad_files / file)
    assert "--import my_layers.py" in str(refused.value)
    path_before = list(sys.path)
    loaded = load(bad_files / file, own_code="layers_of_mine.py")
    assert loaded.call(tf.ones((1, 3))).numpy().tolist() == [[3, 3, 3]]
    assert sys.path == path_before


def test_own_layers_come_from_a_module_that_is_named(bad_files, own_layers, monkeypatch):
    monkeypatch.syspath_prepend(own_layers)
    for code in ("layers_of_mine", "layers_of_mine:Unregistered", ["layers_of_mine"]):
        assert load(bad_files / "mine.keras", own_code=code).keras


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("nowhere.py", "there is no file nowhere.py to import"),
        ("no_such_module:Layer", "cannot be imported: ModuleNotFoundError"),
        ("json:Layer", "json has no Layer"),
        ("json:", "json has no class without a name"),
        ("fails.py", "fails.py cannot be imported: ModuleNotFoundError"),
        ("ends.py", r"ends.py cannot be imported: code of the model ended the program"),
        (" ", "there is nothing to import"),
    ],
)
def test_code_that_cannot_be_imported_becomes_one_sentence(bad_files, own_layers, code, words):
    with pytest.raises(BadModel, match=words) as refused:
        load(bad_files / "mine.keras", own_code=code)
    assert is_sentence(str(refused.value))


# ---- models that Keras 2 wrote ----

# What Keras 2 wrote into the files of its layers, besides what Keras 3 writes.
WRITTEN_BY_KERAS_2 = {
    "LSTM": (lambda: layers.LSTM(4), {"time_major": False}),
    "GRU": (lambda: layers.GRU(4), {"time_major": False}),
    "SimpleRNN": (lambda: layers.SimpleRNN(4), {"time_major": False}),
    "RNN": (lambda: layers.RNN(layers.LSTMCell(4)), {"time_major": False}),
    "Bidirectional": (lambda: layers.Bidirectional(layers.GRU(4)), {"time_major": False}),
    "DepthwiseConv1D": (lambda: layers.DepthwiseConv1D(2), {"groups": 1}),
    "Conv1DTranspose": (lambda: layers.Conv1DTranspose(2, 3), {"groups": 1}),
    "SeparableConv1D": (
        lambda: layers.SeparableConv1D(2, 3),
        {"groups": 1, "kernel_initializer": "zeros", "kernel_constraint": None},
    ),
}


def written_by_keras_2(path, layer, more):
    """Write a model as .h5 with more arguments of a layer; return the model."""
    model = keras.Sequential([keras.Input((5, 3)), layer])
    with silence_all():
        model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        saved = config["config"]["layers"][-1]
        inner = saved["config"].get("layer", saved)
        inner["config"].update(more)
        file.attrs["model_config"] = json.dumps(config)
    return model


@pytest.mark.parametrize("name", WRITTEN_BY_KERAS_2)
def test_layers_of_keras_2_are_read(tmp_path, name):
    make, more = WRITTEN_BY_KERAS_2[name]
    model = written_by_keras_2(tmp_path / "m.h5", make(), more)
    classes = [keras.layers.LSTM, keras.layers.RNN, keras.layers.Conv1DTranspose]
    before = [vars(layer).get("from_config") for layer in classes]
    loaded = load(tmp_path / "m.h5")
    assert loaded.notes == ["written by Keras 2, and read with the layers of Keras 3"]
    x = lab.models.random_rows(2, inputs=15).reshape(2, 5, 3)
    assert loaded.call(x).numpy() == pytest.approx(model(x).numpy(), abs=1e-6)
    assert type(loaded.model.layers[-1]) is type(model.layers[-1])
    assert [vars(layer).get("from_config") for layer in classes] == before


def test_an_argument_that_changes_the_model_is_not_dropped(tmp_path):
    written_by_keras_2(tmp_path / "m.h5", layers.LSTM(4), {"time_major": True})
    with pytest.raises(BadModel, match="was written by Keras 2"):
        load(tmp_path / "m.h5")


# What Keras 3.15 said of three files that tf_keras 2.21 had written.
OF_KERAS_2 = [
    ValueError("Unrecognized keyword arguments passed to GRU: {'time_major': False}"),
    TypeError(
        "Error when deserializing class 'DepthwiseConv2D' using config={'name': 'dw'}.\n\n"
        "Exception encountered: Unrecognized keyword arguments passed to DepthwiseConv2D: "
        "{'groups': 1}"
    ),
    TypeError("Could not locate class 'TFOpLambda'. Make sure custom classes are decorated"),
]


@pytest.mark.parametrize("error", OF_KERAS_2)
def test_a_file_of_keras_2_has_a_way_out(tmp_path, monkeypatch, error):
    path = tmp_path / "price.h5"
    path.write_bytes(b"some bytes")

    def fails(*_, **__):
        raise error

    monkeypatch.setattr(keras.models, "load_model", fails)
    with pytest.raises(BadModel, match="was written by Keras 2") as refused:
        load(path)
    assert "load_model('price.h5', compile=False).export('price')" in str(refused.value)
    assert "custom_objects" not in str(refused.value)


def test_a_saved_model_with_an_optimizer_of_keras_2_is_read(saved, monkeypatch):
    read = tf.saved_model.load
    asked = []

    def first_fails(path):
        asked.append(path)
        if len(asked) == 1:
            raise AttributeError("'_UserObject' object has no attribute 'add_slot'")
        return read(path)

    monkeypatch.setattr(tf.saved_model, "load", first_fails)
    assert load(saved / "ok").parameters == lab.models.mlp().count_params()
    assert len(asked) == 2
    slot = keras2._optimizer_without_steps().add_slot(var=tf.ones((2, 3)), slot_name="m")
    assert slot.shape == (2, 3)


def test_a_saved_optimizer_of_keras_2_is_no_damage(tmp_path, monkeypatch):
    (tmp_path / "saved_model.pb").write_bytes(b"some bytes")

    def fails(*_, **__):
        raise AttributeError("'_UserObject' object has no attribute 'add_slot'")

    monkeypatch.setattr(tf.saved_model, "load", fails)
    with pytest.raises(BadModel, match="with pip install tf_keras it can be read") as refused:
        load(tmp_path)
    assert "damaged" not in str(refused.value)
