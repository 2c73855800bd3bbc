"""Weights that the tests write."""

import json
import tempfile
from pathlib import Path

import numpy as np
from absl.testing import parameterized
from primelens.models import weights
from safetensors import numpy as safetensors_numpy

INDEX = "model.safetensors.index.json"


def normal(*shape, seed=0):
  rng = np.random.default_rng(seed)
  return rng.normal(size=shape).astype(np.float32)


class FolderTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

  def save(self, tensors, name="model.safetensors"):
    path = self.folder / name
    safetensors_numpy.save_file(tensors, path)
    return path

  def index(self, **places):
    path = self.folder / INDEX
    path.write_text(json.dumps({"weight_map": places}))
    return path

  def names(self, where=None):
    found = weights.find(str(where or self.folder))
    return [tensor.name for tensor in found.tensors]

  def read(self, pattern=""):
    its = weights.plan(weights.find(str(self.folder)), pattern)
    return {part.name: weights.read_matrix(part) for part in its.parts}
