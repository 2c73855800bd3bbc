"""Spectra of published weights, from files that the tests write."""

import contextlib
import csv
import hashlib
import io
import json
import tempfile
from pathlib import Path
from unittest import mock

import drawn
import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import spectra
from primelens.lens import analyze, results, weights
from primelens.studies import published_weights
from primelens.studies.primes import language_models
from safetensors import numpy as safetensors_numpy

N = 64


def noise(seed, *, size=N, std=1.0):
  rng = np.random.default_rng(seed)
  return (std * rng.normal(size=(size, size))).astype(np.float32)


def orthogonal(seed):
  return np.linalg.qr(noise(seed))[0].astype(np.float32)


class FolderTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.path = self.folder / "model.safetensors"
    self.workdir = self.folder / "out"

  def save(self, tensors):
    safetensors_numpy.save_file(tensors, self.path)

  def analyse(self, *flags, code=0, where=None, draws=9):
    """Returns what a call printed on both streams."""
    command = ["analyze.py", f"--weights={where or self.path}"]
    command += [f"--workdir={self.workdir}", "--set", f"draws={draws}", *flags]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
      self.assertEqual(analyze.main(command), code, err.getvalue())
    return out.getvalue(), err.getvalue()

  def stored(self):
    where = self.workdir / "results"
    return results.read(where, "spectra")


class CommandTest(FolderTest):
  def test_known_matrices(self):
    one_outlier = noise(2)
    one_outlier[0] += 40  # one direction of 40 sqrt N: the edge is 2 sqrt N
    tensors = {
      "layers.10.q_proj.weight": orthogonal(0),
      "layers.2.k_proj.weight": noise(1),
      "layers.2.v_proj.weight": one_outlier,
      "zero.weight": np.zeros((N, N), np.float32),
      "norm.weight": np.ones(N, np.float32),
    }
    self.save(tensors)
    out, err = self.analyse("--only=spectra", draws=39)
    self.assertRegex(err, r"1 files, 0\.1 MB, 5 tensors; 4 matrices")
    self.assertIn("no matrices: 1 vectors", out)
    result, origin = self.stored()
    rows = published_weights.rows_of(result)
    its = {record["tensor"]: record for record in rows}
    found = [(r["role"], r["layer"]) for r in rows]
    expected = [("key", 2), ("value", 2), ("query", 10), ("other", None)]
    self.assertEqual(found, expected)
    query = its["layers.10.q_proj.weight"]
    for name, value in {"effective_rank": N, "stable_rank": N, "max_to_mean": 1}.items():
      self.assertAlmostEqual(query[name], value, places=3)
    self.assertEqual(query["effective_rank_p"], 2 / 40)  # 39 draws
    self.assertEqual(its["layers.2.v_proj.weight"]["outliers"], 1)
    self.assertEqual(its["layers.2.k_proj.weight"]["outliers"], 0)
    # The iid null of 64 x 64 (docs/sources/primes.md, section 4.2).
    self.assertAlmostEqual(query["effective_rank_null"], 51.5, delta=0.3)
    for row, tensor in enumerate(its):
      expected_K = np.linalg.svd(tensors[tensor], compute_uv=False)
      np.testing.assert_allclose(result["singular"].values[row], expected_K, atol=2e-4)
    sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()
    files = {"model.safetensors": {"bytes": self.path.stat().st_size, "sha256": sha256}}
    self.assertEqual(origin["files"], files)
    mark = json.loads((self.workdir / "weights.json").read_text())
    self.assertEqual(mark, {"files": files})
    with open(self.workdir / "results" / "spectra.csv") as file:
      rows = list(csv.DictReader(file))
    self.assertEqual([row["tensor"] for row in rows], list(its))
    self.assertTrue((self.workdir / "figures" / "spectra.png").exists())
    for page in published_weights.figures({"model": result}).values():
      drawn.assert_inside(self, page.figure())

  def test_equal_matrices_are_told(self):
    same = noise(0)
    self.save({"layers.0.wte.weight": same, "lm_head.weight": same})
    out, _ = self.analyse()
    self.assertIn("same bytes: layers.0.wte.weight = lm_head.weight", out)

  def test_fused_parts_and_their_rule(self):
    parts = [noise(0), orthogonal(0), 3 * orthogonal(1)]
    self.save({"h.0.attn.c_attn.weight": np.concatenate(parts, axis=1)})
    out, _ = self.analyse()
    self.assertIn("split by c_attn (GPT-2, in x 3 out): the columns are", out)
    result, _ = self.stored()
    key, value = published_weights.rows_of(result)[1:]
    self.assertEqual([key["role"], value["role"]], ["key", "value"])
    self.assertAlmostEqual(key["largest"], 1, places=5)
    self.assertAlmostEqual(value["largest"], 3, places=5)

  def test_the_published_corner_of_noise(self):
    std = 0.0442
    self.save(
      {
        "layers.0.q_proj.weight": noise(0, size=320, std=std),
        "layers.0.k_proj.weight": noise(1, std=std),
      }
    )
    out, _ = self.analyse("--set", "mode=corner_as_published")
    result, _ = self.stored()
    (matrix,) = published_weights.rows_of(result)
    self.assertEqual(matrix["rows"], 256)
    self.assertEqual(result.corner, "layers.0.q_proj.weight")
    self.assertIn("corner, of layers.0.q_proj.weight", out)
    # From docs/sources/primes.md, section 4.2: pure noise of this size and std.
    # From matrix to matrix the rank varies by .3 and max/mean by .02, the KS by
    # less than a step of 1/256.
    self.assertAlmostEqual(result.corner_effective_rank, 206.0, delta=1.0)
    self.assertAlmostEqual(result.corner_max_to_mean, 2.335, delta=0.06)
    self.assertAlmostEqual(result.corner_ks, 0.9414, delta=1 / 256)

  def test_reused_for_the_same_weights_alone(self):
    self.save({"a": noise(0)})
    self.analyse()
    self.analyse("--set", "pattern=a")
    self.save({"a": noise(1)})
    _, err = self.analyse(code=2)
    self.assertIn("holds the spectra of other weights", err)
    (self.workdir / "weights.json").unlink()
    _, err = self.analyse(code=2)
    self.assertIn("is not empty and has no weights.json", err)

  @parameterized.parameters(
    (["--only=heads"], "read by --only=spectra alone"),
    (["--set", "mode=half"], "not one of whole, corner_as_published"),
    (["--set", "pattern=("], "is not a regular expression"),
    (["--set", "patern=q"], "valid here: pattern, mode"),
    (["--set", "seed=-1"], "seed=-1 must be at least 0"),
    (["--set", "mode=corner_as_published"], "no corner as published"),
    (["--workdir=a,b"], "one --workdir"),
  )
  def test_wrong_flags_are_one_line(self, flags, said):
    self.save({"a": noise(0)})
    _, err = self.analyse(*flags, code=2)
    self.assertIn(said, err.splitlines()[-1])

  def test_wrong_files_are_one_line(self):
    pickle = self.folder / "model.bin"
    pickle.write_bytes(b"")
    for where, said in ((pickle, "may run any code"), (self.folder / "none", "No weights at")):
      _, err = self.analyse(code=2, where=where)
      self.assertEqual(len(err.splitlines()), 1)
      self.assertIn(said, err)
    self.assertFalse(self.workdir.exists())

  def test_a_line_every_few_seconds_off_a_terminal(self):
    self.save({"a": noise(0), "b": noise(1)})
    with mock.patch.object(weights, "LOG_SECONDS", 0):
      _, err = self.analyse()
    self.assertRegex(err, r"reading [\d,]+/[\d,]+\n")
    self.assertIn("spectra 2/2  b\n", err)


class PublishedTest(FolderTest):
  def test_the_table_has_the_means_of_the_source(self):
    # Of its JSON, with population standard deviations (docs/sources/primes.md, section 4.3).
    _, *columns = zip(*language_models.MODELS, strict=True)
    self.assertLen(columns[0], 11)
    # Each rounds to the digits given.
    for value_E, mean, std in (
      (columns[0], (151.4, 0.05), (53.7, 0.05)),
      (columns[1], (12.97, 0.005), (14.4, 0.05)),
      (columns[2], (0.9105, 0.00005), (0.077, 0.0005)),
    ):
      for found, (value, half) in ((np.mean(value_E), mean), (np.std(value_E), std)):
        self.assertAlmostEqual(found, value, delta=half)

  def test_models_that_cannot_be_had_are_passed_over(self):
    self.save({"h.0.attn.c_attn.weight": noise(0, size=256)})
    find = weights.weights.find

    def some(name, say):
      if name != "openai-community/gpt2":
        raise ValueError(f"{name} is not here.")
      return find(str(self.path))

    with mock.patch.object(weights.weights, "find", some):
      out, err = self.analyse(where="published")
    self.assertEqual(err.count("left out:"), 10)
    self.assertRegex(out, r"openai-community/gpt2 +published +156\.8 +4\.35")
    folder = self.workdir / "weights-openai-community-gpt2"
    self.assertTrue((folder / "results" / "spectra.json").exists())
    models, _ = results.read(self.workdir / "results", "models")
    one, _ = results.read(folder / "results", "spectra")
    rank = models.effective_rank
    self.assertEqual(rank.sel(model="openai-community/gpt2", who="here"), one.corner_effective_rank)
    self.assertEqual(int(np.isfinite(rank.sel(who="here")).sum()), 1)
    self.assertAlmostEqual(float(models.effective_rank_noise), 206.0, delta=0.3)
    self.assertStartsWith((self.workdir / "figures" / "models.png").read_bytes(), b"\x89PNG")
    axes = drawn.panels(published_weights.of_models(models).figure(), "Effective rank")[0]
    published = [its.effective_rank for its in language_models.MODELS]
    large = [
      line for line in axes.get_lines() if line.get_markersize() == 5 and len(line.get_xdata())
    ]
    found = [float(line.get_xdata()[0]) for line in large if line.get_color() == "black"]
    self.assertEqual(found, published)

  def test_none_can_be_had(self):
    gone = mock.Mock(side_effect=OSError("no network"))
    with mock.patch.object(weights.weights, "find", gone):
      _, err = self.analyse(where="published", code=2)
    self.assertIn("None of the models", err.splitlines()[-1])

  def test_numbers_are_those_of_the_model_at_any_revision(self):
    found = language_models.published("EleutherAI/pythia-1b@step3000")
    self.assertEqual(found.effective_rank, 187.68)
    self.assertIsNone(language_models.published("EleutherAI/pythia-12b"))


class PartsTest(FolderTest):
  def test_corrections(self):
    p_E = (0.03, 0.01, np.nan, 0.02)
    records = [{"m_p": p} for p in p_E] + [{"other": 1}]
    found = spectra.corrected(records)
    for way, expected_E in {
      "bh": (0.03, 0.03, np.nan, 0.03),
      "any": (0.04, 0.03, np.nan, 0.04),
    }.items():
      adjusted_E = [record[f"m_p_{way}"] for record in found[:4]]
      np.testing.assert_allclose(adjusted_E, expected_E)
    self.assertEqual(found[4], {"other": 1})
    self.assertEqual(set(records[0]), {"m_p"})  # the given ones stay

  def test_kept_singular_values(self):
    short_K, long_K = np.arange(5.0), np.arange(1024.0)
    kept_K = published_weights.spaced(long_K)
    self.assertLen(kept_K, 512)
    self.assertEqual((kept_K[0], kept_K[-1]), (0, 1023))
    self.assertBetween(np.diff(kept_K).min(), 2, 3)
    table_ExK = published_weights.padded([short_K, long_K])
    np.testing.assert_array_equal(table_ExK[0, :5], short_K)
    self.assertTrue(np.isnan(table_ExK[0, 5:]).all())
    np.testing.assert_array_equal(table_ExK[1], long_K)

  def test_default_workdirs(self):
    for name, expected in {
      "some/model@v1": "runs/weights-some-model-v1",
      str(self.folder): f"runs/weights-{self.folder.name}",
      str(self.path): f"runs/weights-{self.folder.name}",
    }.items():
      self.save({"a": noise(0)})
      self.assertEqual(str(weights.default_workdir(name)), expected)

  def test_medians_by_role_leave_nan_out(self):
    records = [{"role": "up", "effective_rank": value} for value in (1.0, np.nan, 5.0)]
    rows, _ = published_weights.by_role([*records, {"role": "down"}])
    self.assertEqual((rows[0]["matrices"], rows[0]["rank"]), ("3", 3.0))
    self.assertTrue(np.isnan(rows[1]["rank"]))


if __name__ == "__main__":
  absltest.main()
