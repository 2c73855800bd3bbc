"""Published weights: where they are found, and what is refused."""

import hashlib
import sys
import types
from unittest import mock

import numpy as np
import weight_files
from absl.testing import absltest, parameterized
from primelens.models import weights
from weight_files import INDEX, normal


class FindTest(weight_files.FolderTest):
  def test_layer_two_comes_before_layer_ten(self):
    self.save({f"h.{n}.w": normal(2, 2) for n in (10, 2, 1)})
    self.assertEqual(self.names(), ["h.1.w", "h.2.w", "h.10.w"])

  def test_file_folder_and_index_are_the_same_weights(self):
    first, second = normal(3, 2), normal(2, 3)
    one = self.save({"a": first}, "model-00001-of-00002.safetensors")
    two = self.save({"b": second}, "model-00002-of-00002.safetensors")
    path = self.index(a=one.name, b=two.name)
    self.assertEqual(self.names(), ["a", "b"])
    self.assertEqual(self.names(path), ["a", "b"])
    self.assertEqual(self.names(two), ["b"])
    np.testing.assert_array_equal(self.read()["b"], second)
    found = weights.find(str(path))
    self.assertEqual(found.files, (one, two))
    size = one.stat().st_size + two.stat().st_size
    self.assertEqual(found.bytes, size)

  def test_a_shard_that_is_not_there_is_named(self):
    one = self.save({"a": normal(2, 2)}, "one.safetensors")
    self.index(a=one.name, b="two.safetensors")
    with self.assertRaisesRegex(ValueError, "two.safetensors, which is not"):
      self.names()

  def test_a_tensor_in_another_shard_than_said_is_named(self):
    one = self.save({"a": normal(2, 2)}, "one.safetensors")
    two = self.save({"b": normal(2, 2)}, "two.safetensors")
    for places in ({"a": two, "b": one}, {"a": one, "b": two, "c": two}):
      self.index(**{name: path.name for name, path in places.items()})
      with self.assertRaisesRegex(ValueError, "which does not have it"):
        self.names()

  def test_a_tensor_in_two_shards_is_named(self):
    one = self.save({"a": normal(2, 2)}, "one.safetensors")
    two = self.save({"a": normal(2, 2), "b": normal(2, 2)}, "two.safetensors")
    self.index(a=one.name, b=two.name)
    with self.assertRaisesRegex(ValueError, "'a' is in both .*one.safetensors and .*two.safete"):
      self.names()

  @parameterized.parameters("{", "[]", "{}", '{"weight_map": {}}')
  def test_broken_index(self, text):
    (self.folder / INDEX).write_text(text)
    with self.assertRaisesRegex(ValueError, INDEX):
      self.names()

  def test_shards_of_one_name_in_two_folders_are_two_files(self):
    for name, part in (("a", "one"), ("b", "two")):
      (self.folder / part).mkdir()
      self.save({name: normal(2, 3)}, f"{part}/m.safetensors")
    self.index(a="one/m.safetensors", b="two/m.safetensors")
    source = weights.find(str(self.folder))
    of_file, _ = weights.digests(source)
    self.assertEqual(list(of_file), ["one/m.safetensors", "two/m.safetensors"])
    for name, digest in of_file.items():
      content = (self.folder / name).read_bytes()
      self.assertEqual(digest, hashlib.sha256(content).hexdigest())

  def test_links_of_the_hub_stay_in_their_model(self):
    model = self.folder / "models--some--model"
    (model / "blobs").mkdir(parents=True)
    self.folder, outer = model / "snapshots" / "v1", self.folder
    self.folder.mkdir(parents=True)
    self.save({"a": normal(2, 2)}).rename(model / "blobs" / "1")
    (self.folder / "model.safetensors").symlink_to(model / "blobs" / "1")
    self.assertEqual(self.names(), ["a"])
    self.index(a="model.safetensors")
    self.assertEqual(self.names(), ["a"])
    (model / "blobs" / "1").rename(outer / "1")
    (self.folder / "model.safetensors").unlink()
    (self.folder / "model.safetensors").symlink_to(outer / "1")
    with self.assertRaisesRegex(ValueError, "lies outside"):
      self.names()

  def test_of_several_precisions_the_one_that_is_read_is_named(self):
    self.save({"a": normal(2, 2)}, "model.fp16.safetensors")
    self.save({"b": normal(2, 2)})
    (self.folder / "._model.safetensors").write_bytes(b"of another system")
    said = []
    found = weights.find(str(self.folder), said.append)
    self.assertEqual([tensor.name for tensor in found.tensors], ["b"])
    self.assertLen(said, 1)
    self.assertRegex(said[0], "model.safetensors is read, and not model.fp16.safetensors beside it")
    (self.folder / "model.fp16.safetensors").unlink()
    weights.find(str(self.folder), said.append)
    self.assertLen(said, 1)

  def test_shards_beside_their_index_are_not_others(self):
    one = self.save({"a": normal(2, 2)}, "model-1.safetensors")
    self.index(a=one.name)
    said = []
    weights.find(str(self.folder), said.append)
    self.assertEmpty(said)

  def test_several_files_without_an_index_must_be_chosen_from(self):
    self.save({"a": normal(2, 2)}, "one.safetensors")
    self.save({"a": normal(2, 2)}, "two.safetensors")
    with self.assertRaisesRegex(ValueError, "one.safetensors, two.safeten"):
      self.names()

  @parameterized.parameters("pytorch_model.bin", "a.pt", "a.pth", "a.ckpt")
  def test_pickles_are_refused_unopened(self, name):
    path = self.folder / name
    path.write_bytes(b"not even a pickle")
    for where in (path, self.folder):
      with self.assertRaisesRegex(ValueError, "may run any code"):
        self.names(where)

  @parameterized.parameters(
    (lambda raw: raw[:-3], "damaged"),
    (lambda raw: raw[:20], "damaged"),
    (lambda raw: b"", "damaged"),
    (lambda raw: raw + b"more", "damaged"),
    (lambda raw: b"\x02" + 7 * b"\0" + b"{}", "holds no tensor"),
  )
  def test_broken_files(self, broken, said):
    path = self.save({"a": normal(4, 4)})
    path.write_bytes(broken(path.read_bytes()))
    with self.assertRaisesRegex(ValueError, said):
      self.names()

  def test_nothing_there(self):
    with self.assertRaisesRegex(ValueError, "has no .safetensors"):
      self.names()
    with self.assertRaisesRegex(FileNotFoundError, "No weights at"):
      self.names(self.folder / "model.safetensors")
    path = self.folder / "model.npz"
    path.write_bytes(b"")
    with self.assertRaisesRegex(ValueError, "neither .safetensors nor"):
      self.names(path)


class DigestTest(weight_files.FolderTest):
  def test_sha256_of_files_and_of_equal_matrices(self):
    same = normal(3, 5)
    one = self.save({"a": same, "b": normal(3, 5, seed=1), "n": np.ones(3)})
    two = self.save({"c": same, "d": same.T.copy(), "m": np.ones(3)}, "2")
    two = two.rename(self.folder / "two.safetensors")
    places = {"a": one, "b": one, "n": one, "c": two, "d": two, "m": two}
    self.index(**{name: path.name for name, path in places.items()})
    source, counts = weights.find(str(self.folder)), []
    with mock.patch.object(weights, "_CHUNK", 7):
      of_file, of_tensor = weights.digests(source, counts.append)
    for path in (one, two):
      expected = hashlib.sha256(path.read_bytes()).hexdigest()
      self.assertEqual(of_file[path.name], expected)
    expected = hashlib.sha256(same.tobytes()).hexdigest()
    self.assertEqual(of_tensor["a"], expected)
    self.assertEqual(sum(counts), source.bytes)
    self.assertEqual(weights.duplicates(source, of_tensor), [["a", "c"]])


class HubTest(weight_files.FolderTest):
  """A stand-in for the hub: what it is asked for, and what it has."""

  def hub(self, *, online: bool, cached: bool):
    self.asked = []

    def snapshot(repository, **how):
      self.asked.append((repository, how))
      local = how.get("local_files_only", False)
      if local and not cached or not local and not online:
        raise OSError("Name or service not known\nand more")
      if how.get("dry_run"):
        each = {"will_download": True, "file_size": 1_500_000}
        return 2 * [types.SimpleNamespace(**each)]
      return str(self.folder)

    fake = types.SimpleNamespace(snapshot_download=snapshot)
    self.enterContext(mock.patch.dict(sys.modules, {"huggingface_hub": fake}))

  def test_online_the_size_comes_first(self):
    self.save({"a": normal(2, 2)})
    self.hub(online=True, cached=False)
    said = []
    found = weights.find("some/model@v1", lambda text: said.append(text))
    self.assertEqual(found.commit, self.folder.name)
    self.assertEqual(said, ["some/model@v1: 2 files to fetch, 3.0 MB"])
    self.assertEqual([how.get("dry_run") for _, how in self.asked], [True, None])
    for repository, how in self.asked:
      self.assertEqual((repository, how["revision"]), ("some/model", "v1"))
      self.assertEqual(how["allow_patterns"], list(weights.WANTED))

  def test_offline_the_cache_serves(self):
    self.save({"a": normal(2, 2)})
    self.hub(online=False, cached=True)
    said = []
    weights.find("some/model", said.append)
    self.assertEqual(said, ["some/model: from the local cache"])
    self.assertIsNone(self.asked[0][1]["revision"])

  def test_offline_without_a_cache(self):
    self.hub(online=False, cached=False)
    words = r"cannot be fetched \(Name or service not known\) and is not in"
    with self.assertRaisesRegex(ValueError, words):
      weights.find("some/model")

  def test_without_the_library(self):
    absent = {"huggingface_hub": None}
    self.enterContext(mock.patch.dict(sys.modules, absent))
    with self.assertRaisesRegex(ValueError, r"pip install 'primelens\[lm\]'"):
      weights.find("some/model")

  def test_only_safetensors_are_asked_for(self):
    kinds = {name.rpartition(".")[2] for name in weights.WANTED}
    self.assertEqual(kinds, {"safetensors", "json"})

  @parameterized.parameters("no/such/folder", "model.safetensors", "gpt2")
  def test_what_is_no_id_is_a_path(self, name):
    with self.assertRaisesRegex(FileNotFoundError, "No weights at"):
      weights.find(name)


if __name__ == "__main__":
  absltest.main()
