"""LiteRT's interpreter is ready for its shape, from whichever package has it."""

import importlib
import importlib.util
import types

import numpy as np
import pytest
import tensorflow as tf

import labkit as lab
from labkit import own_model
from labkit.own_model import litert
from labkit.own_model.silence import silence_all


def test_the_interpreter_is_ready_for_its_shape(tmp_path, capfd):
    model, rows = lab.models.mlp(), lab.models.random_rows(3)
    model.export(tmp_path / "m.tflite", format="litert", verbose=False)
    capfd.readouterr()
    content = (tmp_path / "m.tflite").read_bytes()
    interpreter = own_model.litert_interpreter(content, (3, 10), threads=2)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], rows)
    interpreter.invoke()
    answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert answer == pytest.approx(model(rows).numpy(), abs=1e-6)
    assert capfd.readouterr() == ("", "")  # no warning, no line of the compiled code


def test_ai_edge_litert_comes_first(monkeypatch):
    module = types.SimpleNamespace(Interpreter="its interpreter")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(importlib, "import_module", lambda name: module)
    assert litert.interpreter_class() == ("its interpreter", "ai-edge-litert")


def test_a_broken_ai_edge_litert_leaves_that_of_tensorflow(monkeypatch):
    def imported(name):
        if name == "ai_edge_litert.interpreter":
            raise ImportError("no such library")
        return types.SimpleNamespace(lite=types.SimpleNamespace(Interpreter="TensorFlow's"))

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(importlib, "import_module", imported)
    assert litert.interpreter_class() == ("TensorFlow's", "tensorflow.lite")


def test_without_an_interpreter_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(importlib, "import_module", lambda name: types.SimpleNamespace())
    with pytest.raises(ImportError, match="pip install ai-edge-litert"):
        litert.interpreter_class()


def test_places_go_by_name_and_outputs_by_their_order():
    specs = [tf.TensorSpec((1, 2), name="input_000"), tf.TensorSpec((1, 2), name="input_001")]

    @tf.function(input_signature=specs)
    def both(first, second):
        return {"output_001": second - first, "output_000": first}

    concrete = both.get_concrete_function()
    with silence_all():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
        interpreter, places, outputs = litert.interpreter_and_places(converter.convert())
    interpreter.set_tensor(places["input_000"], np.array([[1, 2]], "float32"))
    interpreter.set_tensor(places["input_001"], np.array([[5, 7]], "float32"))
    interpreter.invoke()
    found = [interpreter.get_tensor(place).tolist() for place in outputs]
    assert found == [[[1, 2]], [[4, 5]]]
