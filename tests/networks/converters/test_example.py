import doctest
import inspect
import json

import numpy as np
import originals
from writing import write_pytorch

import keras_inpaint as ki


def test_the_example_of_convert_weights(tmp_path, monkeypatch, photo):
    monkeypatch.chdir(tmp_path)
    write_pytorch("cn.pth", originals.glcic_pytorch_state(originals.made_weights()), False)
    (tmp_path / "config.json").write_text(json.dumps({"mpv": list(originals.MEAN)}))
    hole = np.zeros(photo.shape[:2], bool)
    hole[20:40, 30:50] = True
    place = {"keras_inpaint": ki, "convert_weights": ki.convert_weights}
    place |= {"photo": photo, "hole": hole}
    for example in doctest.DocTestParser().get_examples(inspect.getdoc(ki.convert_weights)):
        exec(example.source, place)
    np.testing.assert_array_equal(place["completed"][~hole], photo[~hole])
    assert (place["completed"][hole] != photo[hole]).any()
