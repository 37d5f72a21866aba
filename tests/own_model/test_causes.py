"""Of a page of TensorFlow or Keras, the last cause is left, in full."""

import pytest

from labkit.own_model.causes import last_cause

LONG = "no " + "very " * 60 + "such size"

# By what must be left, what TensorFlow 2.21 and Keras 3.15 wrote.
WRITTEN = {
    "`cropping` must be smaller than (1, 32, 4)": (
        "Exception encountered when calling Cropping1D.call().\n\n\x1b[1m`cropping` must be"
        " smaller than (1, 32, 4)\x1b[0m\n\nArguments received by Cropping1D.call():\n  • inputs"
    ),
    "no sum": (
        "Exception encountered when calling A.call().\n\nException encountered when calling"
        " B.call().\n\n\x1b[1mno sum\x1b[0m\n\nArguments received by B.call():\n  • x\n\nArguments"
    ),
    "in a graph": (
        'in user code:\n\n    File "/a/b.py", line 13, in f  *\n        g(x)\n\n'
        "    ValueError: Exception encountered when calling C.call().\n    \n    in a graph\n    \n"
        "    Arguments received by C.call():\n      • x=1\n"
    ),
    "indices[0,0] = 99 is not in [0, 5)": (
        "Graph execution error:\n\nDetected at node a/b/GatherV2 defined at (most recent call"
        " last):\n<stack traces unavailable>\nindices[0,0] = 99 is not in [0, 5)\n"
        "\t [[{{node a/b/GatherV2}}]] [Op:__inference_f_342]"
    ),
    "indices[0,0] = 7 is not in [0, 5)": (
        "Exception encountered when calling Embedding.call().\n\n\x1b[1m{{function_node"
        " __wrapped__GatherV2_device_/job:localhost/replica:0/task:0/device:CPU:0}} indices[0,0]"
        " = 7 is not in [0, 5) [Op:GatherV2]\x1b[0m\n\nArguments received by Embedding.call():"
    ),
    "Unrecognized keyword arguments passed to X: {'groups': 1}": (
        "Error when deserializing class 'X' using config={'name': 'dw'}.\n\n"
        "Exception encountered: Unrecognized keyword arguments passed to X: {'groups': 1}"
    ),
    "no variables.index, no model.h5": "no sm/variables/variables.index, no models/best/model.h5",
    LONG: f"Exception encountered when calling A.call().\n\n{LONG}",
}


@pytest.mark.parametrize("cause", WRITTEN, ids=lambda cause: cause[:20])
def test_the_last_cause_is_left_in_full(cause):
    assert last_cause(ValueError(WRITTEN[cause])) == f"ValueError: {cause}"


def test_an_error_without_words_is_named():
    assert last_cause(ValueError()) == "ValueError"
    assert last_cause(SystemExit()) == "code of the model ended the program, with sys.exit()"
