"""Frozen graphs, .tflite and .onnx files, and SavedModels that take records or ragged tensors."""

import importlib.util
import os
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from own_model_helpers import is_sentence

import labkit as lab
from labkit import own_model
from labkit.own_model import (
    BadModel,
    candidates,
    cases,
    origin,
    runtimes,
    samples,
    service,
    usage,
)
from labkit.own_model.candidates import (
    ALL_THREADS,
    CALL,
    CONCRETE,
    FUNCTION,
    LITERT,
    PREDICT,
    Case,
    numpy_of,
)
from labkit.own_model.loaded_model import LoadedModel
from labkit.own_model.loading import load
from labkit.own_model.runtimes import ONNX_RUNTIME
from labkit.own_model.silence import silence_all

SHORT = {"budget": 8, "progress": False}
WEIGHTS = np.arange(12, dtype="float32").reshape(4, 3)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a small file of each kind."""
    folder = tmp_path_factory.mktemp("formats")
    write_frozen_graphs(folder)
    with silence_all():
        lab.models.mlp().export(folder / "m.tflite", format="litert", verbose=False)
        write_saved_models(folder)
    whole = (folder / "m.tflite").read_bytes()
    (folder / "cut.tflite").write_bytes(whole[: len(whole) // 2])
    return folder


def write_frozen_graphs(folder):
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], name="x")
        product = tf.matmul(x, tf.constant(WEIGHTS, name="W"), name="product")
    content = graph.as_graph_def().SerializeToString()
    (folder / "one.pb").write_bytes(content)
    (folder / "cut.pb").write_bytes(content[: len(content) - 30])
    with graph.as_default():
        kept = tf.compat.v1.placeholder(tf.float32, [], name="keep_prob")
        tf.multiply(product, kept, name="y")
        tf.reduce_sum(product, name="total")
    (folder / "two.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with graph.as_default():
        tf.compat.v1.get_variable("v", [3], use_resource=False)
    (folder / "variables.pb").write_bytes(graph.as_graph_def().SerializeToString())


def write_saved_models(folder):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def records(examples):
        parsed = tf.io.parse_example(examples, {"age": tf.io.FixedLenFeature([2], tf.float32)})
        return {"double": parsed["age"] * 2}

    @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)])
    def ragged(words):
        return {"total": tf.reduce_sum(words, axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def lengths(words):
        return {"length": tf.strings.length(words)}

    tf.saved_model.save(tf.Module(), str(folder / "records"), signatures=records)
    concrete = ragged.get_concrete_function()
    tf.saved_model.save(tf.Module(), str(folder / "ragged"), signatures=concrete)
    tf.saved_model.save(tf.Module(), str(folder / "words"), signatures=lengths)


def answer_of(loaded, x):
    [answer] = candidates.numpy_of(loaded.call(x))
    return answer


# ---- frozen graphs ----


def test_a_frozen_graph_with_one_input_and_one_output_says_all_itself(files):
    loaded = load(files / "one.pb")
    assert loaded.kind == "frozen graph"
    assert loaded.parameters == WEIGHTS.size
    assert loaded.notes == ["model(x) is a call of its graph, from x to product"]
    x = {"x": np.ones((2, 4), "float32")}
    assert answer_of(loaded, x) == pytest.approx(np.ones((2, 4)) @ WEIGHTS)


def test_a_frozen_graph_is_measured_in_each_way_that_needs_no_keras(files):
    chosen = [PREDICT, FUNCTION, CONCRETE, LITERT]
    options = {**SHORT, "budget": 30}
    d = own_model.diagnose(files / "one.pb", batches=[1, 4], candidates=chosen, **options)
    assert list(d.medians) == [CALL, FUNCTION, CONCRETE, LITERT]
    assert "a frozen graph contains graphs, and no Keras model" in d.refused[PREDICT]
    assert set(d.many) == {4}


def test_inputs_and_outputs_are_named_where_there_are_several(files):
    with pytest.raises(BadModel, match="--inputs x,keep_prob"):
        load(files / "two.pb")
    with pytest.raises(BadModel, match="--outputs y,total"):
        load(files / "two.pb", inputs="x,keep_prob")
    loaded = load(files / "two.pb", inputs=["x", "keep_prob"], outputs="y:0")
    assert sorted(loaded.spec) == ["keep_prob", "x"]
    # A node in the middle may be an input too.
    assert list(load(files / "two.pb", inputs="product:0", outputs="total").spec) == ["product"]


@pytest.mark.parametrize(
    ("file", "options", "words"),
    [
        ("two.pb", {"inputs": "a", "outputs": "y"}, "no node a; its placeholders are x, keep_prob"),
        ("two.pb", {"inputs": "x", "outputs": "b"}, "no node b"),
        ("two.pb", {"inputs": "x", "outputs": "y"}, "cannot answer y from x alone"),
        ("cut.pb", {}, "is damaged or not a frozen graph"),
        ("variables.pb", {}, "without its weights, such as v"),
        ("cut.tflite", {}, "is damaged or not a .tflite file"),
    ],
)
def test_what_cannot_be_loaded_becomes_one_sentence(files, file, options, words):
    with pytest.raises(BadModel, match=words) as refused:
        load(files / file, **options)
    assert is_sentence(str(refused.value))


def test_an_input_of_one_value_is_fixed_by_a_sample(files, tmp_path):
    options = {"inputs": "x,keep_prob", "outputs": "y"}
    with pytest.raises(BadModel, match=r"savez\('sample.npz', keep_prob=1\)"):
        own_model.diagnose(files / "two.pb", **options, **SHORT)
    np.savez(tmp_path / "kept.npz", keep_prob=0.5)
    loaded = load(files / "two.pb", **options)
    assert samples.given_to(loaded, samples.read(tmp_path / "kept.npz")) is None
    assert loaded.notes[-1] == "the input keep_prob is 0.5 in each call"
    spec = samples.signature(loaded)
    case = cases.case_for(loaded, spec, None, 3)
    expected = 0.5 * case.x["x"] @ WEIGHTS
    for name in (CALL, CONCRETE, LITERT):
        with silence_all():
            [answer] = candidates.prepare(name, case)()
        assert answer == pytest.approx(expected)
    rows = {"keep_prob": np.float32(2), "x": np.ones((2, 4))}
    given = samples.given_to(load(files / "two.pb", **options), rows)
    assert given["x"].shape == (2, 4)
    with pytest.raises(BadModel, match="is a single value, and the sample has 2 for it"):
        samples.given_to(load(files / "two.pb", **options), {"keep_prob": [1.0, 2.0]})
    with pytest.raises(BadModel, match="of keep_prob cannot be made float32"):
        samples.given_to(load(files / "two.pb", **options), {"keep_prob": "most"})


# ---- files for other runtimes ----


def test_a_tflite_file_is_measured_as_it_is(files, monkeypatch):
    monkeypatch.setattr(candidates, "cores", lambda: 2)
    d = own_model.diagnose(files / "m.tflite", batches=[1, 3], **SHORT)
    assert list(d.medians) == [CALL, ALL_THREADS]
    assert d.refused == {}
    assert "model(x) is a call of LiteRT with one thread, of this file as it is" in d.conditions
    assert d.facts["run by"] == "LiteRT" and "weights" not in d.facts
    assert set(d.many) == {3}
    assert "all threads" in repr(d)


def test_a_tflite_file_answers_at_any_number_of_rows(files):
    loaded = load(files / "m.tflite")
    [name] = loaded.spec
    for count in (2, 5, 2):
        rows = lab.models.random_rows(count)
        expected = lab.models.mlp()(rows).numpy()
        assert answer_of(loaded, {name: rows}) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", [CALL, ALL_THREADS])
def test_the_code_for_a_tflite_file_runs(name, rows, files, monkeypatch):
    monkeypatch.setattr(usage, "cores", lambda: 2)
    monkeypatch.chdir(files)
    d = own_model.diagnose("m.tflite", batches=[rows], **SHORT)
    code = usage.code_for(d.origin, name)
    assert f'("m.tflite", num_threads={1 if name == CALL else 2})' in code
    assert ("resize_tensor_input" in code) == (rows == 3)  # the file is for one row
    assert d.code in [usage.code_for(d.origin, one) for one in (CALL, ALL_THREADS)]
    names = {}
    with silence_all():
        exec(compile(code, "code", "exec"), names)
    [wanted] = numpy_of(d.origin.case.loaded.call(d.origin.case.x))
    [x] = d.origin.case.x.values()
    assert names["call"](x) == pytest.approx(wanted)
    assert names["answer"].shape == (rows, 1)


def test_callers_of_all_threads_have_all_threads(files, monkeypatch):
    monkeypatch.setattr(service, "cores", lambda: 2)
    d = own_model.diagnose(files / "m.tflite", batches=[1], **SHORT)
    asked = []
    loaded = d.origin.case.loaded
    monkeypatch.setattr(loaded, "with_threads", lambda n: asked.append(n) or loaded.call)
    for best in (CALL, ALL_THREADS):
        task = types.SimpleNamespace(case=d.origin.case, service=service.Service(best))
        service._run_of_caller(task)
    assert asked == [1, 2]


def test_with_one_processor_there_is_one_candidate(files, monkeypatch):
    monkeypatch.setattr(candidates, "cores", lambda: 1)
    d = own_model.diagnose(files / "m.tflite", batches=[1], **SHORT)
    assert list(d.medians) == [CALL]
    assert "there is one processor" in d.refused[ALL_THREADS]


def test_an_onnx_file_needs_its_runtime(tmp_path, monkeypatch):
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07")
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadModel, match="pip install onnxruntime") as refused:
        load(tmp_path / "m.onnx")
    assert is_sentence(str(refused.value))


needs_onnxruntime = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime is not installed"
)
needs_onnx = pytest.mark.skipif(
    importlib.util.find_spec("onnx") is None, reason="onnx is not installed"
)


def test_the_code_for_an_onnx_file_names_its_inputs_and_threads(monkeypatch):
    spec = {"b": tf.TensorSpec((2, 4), name="b"), "a": tf.TensorSpec((2, 3), name="a")}
    model = LoadedModel("m.onnx", ".onnx file", None, spec, None, False, list, runtime=ONNX_RUNTIME)
    monkeypatch.setattr(usage, "cores", lambda: 2)
    found = origin.Origin("m.onnx", case=Case(model, None, spec))
    code = usage.code_for(found, ALL_THREADS)
    asked = {}
    session = types.SimpleNamespace(run=lambda outputs, x: asked.update(outputs=outputs, x=x))
    runtime = types.SimpleNamespace(
        SessionOptions=types.SimpleNamespace,
        InferenceSession=lambda file, options: asked.update(file=file, n=options) or session,
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    exec(compile(code, "code", "exec"), {})
    assert asked["file"] == "m.onnx" and asked["n"].intra_op_num_threads == 2
    assert asked["outputs"] is None  # all of them
    assert {name: array.shape for name, array in asked["x"].items()} == {"a": (2, 3), "b": (2, 4)}


@needs_onnxruntime
def test_a_damaged_onnx_file_becomes_one_sentence(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07\x00\x00")
    with pytest.raises(BadModel, match=r"is damaged or not an .onnx file"):
        load(tmp_path / "m.onnx")


@needs_onnxruntime
@needs_onnx
def test_an_onnx_file_is_measured_as_it_is(tmp_path):
    import onnx
    from onnx import helper

    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["rows", 4])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["rows", 4])
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "g", [x], [y])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "m.onnx")
    loaded = load(tmp_path / "m.onnx")
    assert answer_of(loaded, {"x": np.ones((2, 4), "float32")}).tolist() == [[2] * 4] * 2
    d = own_model.diagnose(tmp_path / "m.onnx", batches=[1, 4], **SHORT)
    assert CALL in d.medians and d.facts["run by"] == "ONNX Runtime"


# ---- records and ragged tensors ----


def test_random_words_are_not_fed_to_a_model_that_takes_records(files, tmp_path):
    with pytest.raises(BadModel, match=r"tf\.train\.Example records.*in a \.tfrecord file"):
        own_model.diagnose(files / "records", **SHORT)
    path = tmp_path / "rows.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for age in (1.0, 2.0):
            values = tf.train.FloatList(value=[age, 0.0])  # its last bytes are zeros
            features = tf.train.Features(feature={"age": tf.train.Feature(float_list=values)})
            writer.write(tf.train.Example(features=features).SerializeToString())
    loaded = load(files / "records")
    given = samples.given_to(loaded, samples.read(path))
    assert answer_of(loaded, given).tolist() == [[2, 0], [4, 0]]
    d = own_model.diagnose(
        files / "records", sample=path, batches=[1, 4], candidates=[FUNCTION], **SHORT
    )
    assert FUNCTION in d.medians and set(d.many) == {4}
    assert own_model.diagnose(files / "words", batches=[1], candidates=[FUNCTION], **SHORT).medians


def test_a_file_without_a_record_becomes_one_sentence(tmp_path):
    (tmp_path / "none.tfrecord").touch()
    with pytest.raises(BadModel, match=r"none\.tfrecord holds no record"):
        samples.read(tmp_path / "none.tfrecord")
    (tmp_path / "text.tfrecord").write_text("no record " * 10)
    with pytest.raises(BadModel, match=r"text\.tfrecord cannot be read"):
        samples.read(tmp_path / "text.tfrecord")


def test_a_ragged_input_is_measured_with_a_sample_as_it_is(files):
    with pytest.raises(BadModel, match=r"ragged tensor.*savez\('sample.npz', words=rt.values"):
        own_model.diagnose(files / "ragged", **SHORT)
    with pytest.raises(BadModel, match="needs another sample"):
        own_model.diagnose(files / "ragged", sample=np.ones((2, 3)), **SHORT)
    words = tf.ragged.constant([[1], [2, 3]])
    sample = {"words": words.values.numpy(), "words_1": words.row_splits.numpy()}
    d = own_model.diagnose(
        files / "ragged", sample=sample, batches=[1, 32], candidates=[FUNCTION], **SHORT
    )
    assert d.batch == 2 and not d.many
    assert "measured with the sample: words int32 (3,); words_1 int64 (3,)" in d.conditions


def test_no_file_is_changed(files):
    before = {path: path.stat().st_mtime_ns for path in files.rglob("*") if path.is_file()}
    own_model.inspect(files / "one.pb")
    own_model.inspect(files / "m.tflite")
    after = {path: path.stat().st_mtime_ns for path in files.rglob("*") if path.is_file()}
    assert after == before
    assert os.listdir(files)


def test_a_sample_is_measured_as_it_is_where_one_input_has_other_rows(tmp_path):
    """A recurrent model that gets its state as an input: the first axis is that of its layers."""
    signature = [tf.TensorSpec([1, 4], name="x"), tf.TensorSpec([2, 1, 4], name="state")]

    @tf.function(input_signature=signature)
    def step(x, state):
        return x + tf.reduce_sum(state, axis=0), 0.5 * state

    with silence_all():
        made = tf.lite.TFLiteConverter.from_concrete_functions([step.get_concrete_function()])
        (tmp_path / "state.tflite").write_bytes(made.convert())
    with pytest.raises(BadModel, match="give a sample, which is then measured as it is"):
        own_model.diagnose(tmp_path / "state.tflite", **SHORT)
    sample = {"x": np.ones((1, 4)), "state": np.ones((2, 1, 4))}
    found = own_model.diagnose(tmp_path / "state.tflite", sample=sample, **SHORT)
    assert found.batch == 1
    assert "the sample is measured as it is" in repr(found)


@pytest.mark.skipif(sys.platform != "linux", reason="it is tried in a fork")
def test_a_size_with_which_litert_crashes_is_one_sentence(files, monkeypatch):
    def crashes(self, x):
        os.abort()

    loaded = load(files / "m.tflite")
    [name] = loaded.spec
    assert len(loaded.with_threads(1)({name: np.zeros((1, 10), "float32")})) == 1
    monkeypatch.setattr(runtimes._LitertCall, "_invoke", crashes)
    with pytest.raises(RuntimeError, match=r"LiteRT crashes with an input of the shape \(3, 10\)"):
        loaded.with_threads(1)({name: np.zeros((3, 10), "float32")})


def test_a_single_value_of_a_file_for_another_runtime_is_an_array():
    given = {"x": np.zeros((1, 4), "float32"), "rate": 16000}
    spec = {"x": tf.TensorSpec([None, 4]), "rate": tf.TensorSpec([], tf.int64, name="rate")}
    got = {}
    loaded = LoadedModel(
        "m.onnx", ".onnx file", got.update, spec, None, keras=False, weights=list, runtime="ONNX"
    )
    samples.given_to(loaded, given)
    loaded.call({})
    assert isinstance(got["rate"], np.ndarray) and got["rate"].shape == ()  # ONNX Runtime needs it
