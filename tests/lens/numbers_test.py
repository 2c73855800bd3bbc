"""How far a printed number may be from an exact one."""

import tempfile
from pathlib import Path

import numpy as np
from absl.testing import absltest, parameterized
from primelens.lens import numbers as reported
from sklearn import linear_model


class ToleranceTest(parameterized.TestCase):
  @parameterized.parameters(
    ("12", 0.5), ("-0.022", 5e-4), ("0.9900", 5e-5), ("1.69e6", 5e3), ("3.3e-8", 5e-10)
  )
  def test_half_of_the_last_digit(self, printed, half):
    self.assertAlmostEqual(reported.tolerance(printed) / half, 1)

  def test_single_precision_of_a_decomposed_square(self):
    # sqrt(1024) / 2^24 = 2^-19 of the total, by hand.
    found = reported.tolerance("0.5", rows=1024, total=3.0)
    self.assertAlmostEqual(found, 0.05 + 3 * 2.0**-19, places=12)

  @parameterized.parameters((646, 764.27, 0.02), (324, 170_172.0, 0.998))
  def test_ridge_by_cholesky_in_float32_keeps_to_it(self, error, total, r2):
    rng = np.random.default_rng(0)
    x_NxD = rng.normal(size=(1000, 64)) @ rng.normal(size=(64, 64))
    said_N = x_NxD @ rng.normal(size=64)
    noise_N = rng.normal(size=1000)
    y_N = 500 + np.sqrt(total) * (np.sqrt(r2) * said_N / said_N.std() + np.sqrt(1 - r2) * noise_N)

    def squared_error(kind, order_N):
      x, y = x_NxD[order_N].astype(kind), y_N[order_N].astype(kind)
      fit = linear_model.Ridge(solver="cholesky").fit(x, y)
      return float(np.mean((fit.predict(x) - y) ** 2, dtype=kind))

    exact = squared_error(np.float64, np.arange(1000))
    self.assertAlmostEqual(exact / error, 1, delta=0.3)
    near = reported.tolerance("0." + "0" * 12, rows=1000, total=total)
    for _ in range(5):
      single = squared_error(np.float32, rng.permutation(1000))
      self.assertNotEqual(single, exact)
      self.assertLess(abs(single - exact), near)


class ShareTest(absltest.TestCase):
  def test_a_number_is_shown_as_the_share_that_it_is(self):
    plain = reported.Reported("5", "rank", "44.13", None)
    self.assertEqual(plain.shown(), "44.13")
    self.assertEqual(plain._replace(null=206.0).shown(), "0.2142 (44.13 of 206)")

  def test_published_numbers_have_a_null_where_the_table_has_one(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    columns = "slice,key,item,quantity,source,recomputed,tolerance,remark,null"
    rows = ("mine,a,1,one,3.0,,0.5,,6.0", "mine,b,1,other,2.0,,0.5,,")
    (folder / "published.csv").write_text("\n".join([columns, *rows]))
    found = reported.published(folder / "mine.py")
    self.assertEqual([found[key].null for key in "ab"], [6.0, None])


if __name__ == "__main__":
  absltest.main()
