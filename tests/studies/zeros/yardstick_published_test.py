"""The numbers of docs/sources/zeros.md, sections 7 and 7.1, by the analysis itself."""

import dataclasses
import functools
import os
import tempfile
from unittest import mock

import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest
from primelens.studies.zeros import yardstick
from primelens.tasks import zeros, zeros_sources

# Of 4,000 zeros from #1,900,001: R2, bias, RMSE; no parameter is fitted.
TABLE = {
  "100": (0.7658, 0.0001, 0.1974),
  "1,000": (0.8817, 0.0000, 0.1403),
  "10,000": (0.9438, 0.0001, 0.0967),
}
NLL = {"100": -0.204, "1,000": -0.545, "10,000": -0.917}
SETTINGS = {
  "evaluation.min_context": 9,  # 8 targets to a window
  "evaluation.batch": 256,
  "bootstrap.samples": 40,
  "yardstick.stretches": 0,
  "yardstick.past": 20_000,
  "yardstick.orders": (24, 64),
  "yardstick.adaptive": 256,
  "yardstick.exact": 0,
  "yardstick.errors": 4_000,
}


def _has_table() -> bool:
  try:
    return bool(zeros_sources.odlyzko_files(""))
  except (ValueError, FileNotFoundError):
    return False


def _constant(params, x_BxT, **_):
  return tiny_study.gaussian(1 + params["w"] * x_BxT, 0.4), {}


def _run(value_N, ordinate_N, splits=None, **changed):
  run = tiny_study.handmade(
    _constant,
    {"w": jnp.zeros(1)},
    value_N,
    splits=splits,
    fresh_S={"w": jnp.zeros(1)},
    changed=SETTINGS | {f"yardstick.{k}": v for k, v in changed.items()},
  )
  data = dataclasses.replace(run.data, ordinate_N=ordinate_N)
  return dataclasses.replace(run, data=data)


def _value(found, predictor: str, name: str) -> float:
  """Returns one measure of a predictor on the only stretch."""
  return found[name].sel(predictor=predictor).item()


class ComputedTest(absltest.TestCase):
  """Zeros from #1,900,001 as `tasks.zeros` computes them."""

  def setUp(self):
    super().setUp()
    # A sequence for filters to be fitted on; the tests read none of those.
    cache = self.enterContext(tempfile.TemporaryDirectory())
    self.enterContext(mock.patch.dict(os.environ, PRIMELENS_CACHE=cache))
    value_N = tiny_study.ar((-0.3,), 3_000)
    self.sequence = value_N, 1e4 + np.arange(3_000.0)

  def test_primes_to_x(self):
    limits = tuple(int(x.replace(",", "")) for x in TABLE)
    result = yardstick.measure(
      _run(*self.sequence, computed=(1_900_001,), spacings=4_000, explicit=limits)
    )
    self.assertEqual(result.scored, 4_000)
    for limit, (r2, bias, rmse) in TABLE.items():
      with self.subTest(limit):
        of = functools.partial(_value, result, f"explicit formula, primes to {limit}")
        self.assertAlmostEqual(of("r2"), r2, delta=5.1e-5)
        self.assertAlmostEqual(of("bias"), bias, delta=5.1e-5)
        self.assertAlmostEqual(of("rmse"), rmse, delta=5.1e-5)
        # The sigma there is that of the scored errors, ours of those before.
        self.assertGreater(of("nll"), NLL[limit] - 6e-4)
        self.assertLess(of("nll"), NLL[limit] + 0.005)

  def test_an_adaptive_filter(self):
    # Of 20,000 zeros; the R2 there is that of one fit.
    result = yardstick.measure(
      _run(*self.sequence, computed=(1_900_001,), spacings=20_000, refit=20_000, explicit=())
    )
    r2 = _value(result, "AR(256) fitted on the last 20,000", "r2")
    self.assertAlmostEqual(r2, 0.933, delta=5.1e-4)


@absltest.skipUnless(_has_table(), "Odlyzko's table is not installed")
class PublishedTailTest(absltest.TestCase):
  def test_filters(self):
    series = zeros.load(zeros.Config(split="published_tail"))
    train = series.splits["train_published"]
    test = series.splits["test"]
    scored = test[1] - test[0]
    result = yardstick.measure(
      _run(
        series.value_N,
        series.ordinate_N,
        splits=series.splits | {"train": train},
        computed=(),
        stretches=1,
        spacings=scored,
        explicit=(),
      )
    )
    self.assertEqual((result.scored, result.sizes["height"]), (199_936, 1))
    self.assertEqual(result.split.values.tolist(), ["test"])
    self.assertEqual(result.zero.values.tolist(), [test[0] + 1])
    adaptive = functools.partial(_value, result, "AR(256) fitted on the last 20,000")
    self.assertAlmostEqual(adaptive("nll"), -0.912, delta=6e-4)
    self.assertAlmostEqual(adaptive("r2"), 0.9437, delta=6e-5)
    # Least squares by numpy's QR decomposition of the lag matrix.
    for order, nll in ((24, 0.1244), (64, -0.0448)):
      of = functools.partial(_value, result, f"AR({order}) fitted on train")
      self.assertAlmostEqual(of("nll"), nll, delta=1e-4)
      self.assertFalse(of("seen"))


if __name__ == "__main__":
  absltest.main()
