import dataclasses
import tempfile

import drawn
import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import divergences, masking
from primelens.lens import figures, results, tables
from primelens.models import fit, optimizer, spacing, students
from primelens.models import mixture as mixture_lib
from primelens.studies.zeros import curriculum, program
from primelens.tasks import windows

T, S = tiny_study.T, 2
SETTINGS = curriculum.Settings(steps=150, nodes=64)


def _kl(mean_p, scale_p, mean_q, scale_q):
  """KL of two Gaussians in closed form."""
  gap = (scale_p**2 + (mean_p - mean_q) ** 2) / (2 * scale_q**2)
  return np.log(scale_q / scale_p) + gap - 0.5


class PartsTest(parameterized.TestCase):
  def test_the_mask_is_lifted_from_first_to_last_step(self):
    found = [curriculum.schedule(0.8, step, 5) for step in range(5)]
    np.testing.assert_allclose(found, [0.8, 0.6, 0.4, 0.2, 0.0], atol=1e-12)

  def test_divergence_of_gaussians(self):
    mean_p, mean_q = np.array([[1.5, 2.0]]), np.array([[1.7, 2.0]])
    grid = divergences.grid(0.0, 5.0, 64)
    compare = jax.jit(
      lambda mean_p, mean_q: curriculum.divergence(
        tiny_study.gaussian(mean_p, 0.2), tiny_study.gaussian(mean_q, 0.3), grid
      )
    )
    found = compare(mean_p, mean_q)
    np.testing.assert_allclose(found, _kl(mean_p, 0.2, mean_q, 0.3), atol=1e-3)

  @parameterized.parameters("none", "prefix", "postfix")
  def test_smaller_is_the_same_kind(self, memory):
    model = tiny_study.tiny_model(memory)
    small = curriculum.smaller(model, 2)
    self.assertEqual((small.trunk.layers, small.trunk.heads), (1, 1))
    self.assertEqual((small.trunk.width, small.trunk.hidden), (4, 8))
    self.assertEqual(small.trunk.head_width, model.trunk.head_width)
    self.assertEqual((small.memory, small.window), (memory, T))
    self.assertEqual((small.auxiliary, small.entropy), ("none", 0.0))

  def test_only_shared_positions_count(self):
    each = np.ones((1, 6, 1))
    one = mixture_lib.Mixture(0 * each, np.arange(6.0).reshape(each.shape), each)
    last = mixture_lib.Mixture(*(leaf[:, :1] for leaf in (0 * each, each, each)))
    y_BxT = np.arange(10.0, 16.0)[None]
    student, teacher, truth = curriculum.shared(one, last, y_BxT)
    self.assertEqual(float(student.mean[0, 0, 0]), 5.0)
    self.assertEqual(teacher.mean.shape, (1, 1, 1))
    np.testing.assert_array_equal(truth, [[15.0]])


def teacher(params, x_BxT, **_):
  """Mean 1 + (sum of weights)(s - 1), scale 0.2."""
  weight = params["input"]["kernel"].sum()
  return tiny_study.gaussian(1 + weight * (x_BxT - 1), 0.2), {}


class LossTest(absltest.TestCase):
  def test_nll_and_divergence_by_hand(self):
    params = {"input": {"kernel": np.array([0.4, 0.1], np.float32)}}
    key, window_BxT1 = (jax.random.key(0), tiny_study.ar([0.3], 34).reshape(2, 17))
    x, y = window_BxT1[:, :-1].astype(float), window_BxT1[:, 1:].astype(float)
    its = dataclasses.replace(SETTINGS, steps=3)

    @jax.jit
    def losses(arm, step):
      loss = curriculum.loss(teacher, teacher, its, params, arm)
      other = {"input": {"kernel": jnp.array([0.2, 0.0])}}
      return loss(other, jnp.asarray(window_BxT1), key, step)

    def value(alpha, ratio, step):
      total, parts = losses({"alpha": np.float32(alpha), "ratio": np.float32(ratio)}, step)
      return float(total), {k: float(v) for k, v in parts.items()}

    guess = 1 + 0.2 * (x - 1)
    nll = tiny_study.normal_nll(y - guess, 0.2).mean()
    total, parts = value(1.0, 0.0, 0)
    np.testing.assert_allclose([total, parts["nll_nats"]], nll, rtol=1e-4)
    # At ratio 1/2 the weight 0.1 is gone at first, and back at the end.
    for step, weight in ((0, 0.4), (2, 0.5)):
      kl = _kl(1 + weight * (x - 1), 0.2, guess, 0.2).mean()
      total, parts = value(0.0, 0.5, step)
      np.testing.assert_allclose([total, parts["kl_nats"]], kl, atol=1e-4)
      total, _ = value(0.25, 0.5, step)
      np.testing.assert_allclose(total, 0.25 * nll + 0.75 * kl, rtol=1e-3)

  def test_a_student_learns_whom_it_is_taught_by(self):
    # The data say 0.6, the teacher says -0.4.
    value_N = tiny_study.ar([0.6], 3000)
    params = {"input": {"kernel": np.array([-0.4], np.float32)}}
    draw = lambda data, key, step: windows.draw(
      data["value_N"], key, 16, first=0, last=3000, window=T
    )
    its = fit.Program(init=None, draw=draw, loss=None, evaluate=None)
    steps = optimizer.build(optimizer.Config(rate=3e-2, weight_decay=0.0), SETTINGS.steps)

    @jax.jit
    @jax.vmap
    def taught(alpha):
      arm = {"alpha": alpha, "ratio": jnp.float32(0)}
      loss = curriculum.loss(students.toeplitz, teacher, SETTINGS, params, arm)
      start = students.toeplitz_init(jax.random.key(0), taps=2, components=1)
      return program.retrain(
        its._replace(loss=loss),
        steps,
        start,
        masking.everything(start),
        {"value_N": jnp.asarray(value_N)},
        jax.random.key(1),
        SETTINGS.steps,
      )[0]

    found = taught(np.array([0.0, 1.0], np.float32))
    taps_SxQ = found["filter"]["kernel"]
    np.testing.assert_allclose(taps_SxQ, [[-0.4, 0], [0.6, 0]], atol=0.05)
    said = lambda p: students.toeplitz(p, jnp.ones((1, 3)))[0]
    mixture = jax.jit(jax.vmap(said))(found)
    np.testing.assert_allclose(jax.jit(mixture_lib.mean)(mixture), 1, atol=0.05)
    np.testing.assert_allclose(mixture.scale, 0.2, atol=0.03)


class RunTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    model = tiny_study.tiny_model()
    init = jax.jit(jax.vmap(lambda key: spacing.init(model, key)))
    params_S, fresh_S = (init(jax.random.split(jax.random.key(k), S)) for k in (0, 1))
    cls.run_ = tiny_study.handmade(
      spacing.bind(model), params_S, tiny_study.ar([0.5], 2400), model=model, fresh_S=fresh_S
    )
    cls.found = curriculum.measure(cls.run_)

  def test_students_and_their_sizes(self):
    # Width 4, hidden 8: norms, attention, MLP; positions, input, norm, head.
    trunk = 2 * 4 + 4 * 16 + 2 * 4 * 8
    transformer = trunk + (T + 2) * 4 + 8 + 4 + 4 * 6 + 6
    self.assertEqual(self.found.parameters.values.tolist(), [transformer, 5 * 4 + 5 * 6, 4 + 6])

  def test_differences_are_those_of_the_table(self):
    rows = tables.rows(self.found, "contrasts")
    found = {(row["student"], row["contrast"]): row["nats"].estimate for row in rows}
    self.assertLen(found, 3 * 4)
    for student in self.found.student.values.tolist():
      nll = self.found.nll.sel(student=student).mean("seed")
      own = float(nll.sel(arm="curriculum"))
      for arm in ("no teacher", "whole teacher", "untrained teacher"):
        self.assertAlmostEqual(
          found[student, f"curriculum minus {arm}"], own - float(nll.sel(arm=arm))
        )
      self.assertAlmostEqual(
        found[student, "curriculum minus the teacher itself"],
        own - float(self.found.teacher_nll.mean()),
      )

  def test_the_teacher_is_scored_as_the_run_is(self):
    test_NxT1, _ = self.run_.batches("test", self.found.windows)
    score = jax.jit(
      lambda params: spacing.score(self.run_.apply, params, test_NxT1, min_context=8).mean()
    )
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[1], self.run_.params_S)
    self.assertAlmostEqual(float(self.found.teacher_nll[1]), float(score(params)), places=4)

  def test_ways_of_teaching_differ_and_none_failed(self):
    found = self.found
    self.assertTrue((found.frozen_step == -1).all())
    self.assertTrue((found.kl > 0).all())
    nll = found.nll.transpose("student", "seed", "arm").values
    self.assertGreater(np.ptp(nll, axis=2).min(), 0)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "curriculum", self.found, provenance={})
    back, _ = results.read(folder, "curriculum")
    xr.testing.assert_identical(back, self.found)


class SettingsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"alpha": 2.0}, "alpha=2.0 must be at least 0 and at most 1"),
    ({"taps": 0}, "taps=0 must be at least 1"),
  )
  def test_what_is_wrong_is_named(self, change, message):
    with self.assertRaisesRegex(ValueError, message):
      curriculum.Settings(**change)


STUDENTS = ("smaller transformer", "MLP, 64 lags", "Toeplitz, 64 lags")


def _bounded(value: float) -> dict:
  return {"nats": value, "nats_low": value - 0.01, "nats_high": value + 0.01, "seeds": 2}


def by_hand(alone=-0.1, whole=-0.05, untrained=-0.2, teacher=0.02):
  """Differences in nats of the curriculum from each other way."""
  others = {"no teacher": alone, "whole teacher": whole}
  others |= {"untrained teacher": untrained, "the teacher itself": teacher}
  contrasts, losses = [], []
  for name in STUDENTS:
    losses += [
      {"student": name, "arm": arm} | _bounded(0.3 + 0.1 * r)
      for r, arm in enumerate(curriculum.ARMS)
    ]
    contrasts += [
      {"student": name, "contrast": f"curriculum minus {other}"} | _bounded(x)
      for other, x in others.items()
    ]
  for name in ("the teacher itself", "AR(64), fitted"):
    losses.append({"student": name, "arm": "–"} | _bounded(0.2))
  variables = {
    "kl": results.variable("student seed arm", np.full((3, 2, 4), 0.05), "KL", "nats"),
    "start_nll": results.variable("student seed", np.full((3, 2), 1.5), "NLL", "nats"),
    "teacher_nll": results.variable("seed", [0.1, 0.2], "NLL", "nats"),
    "frozen_step": results.variable("student seed arm", np.full((3, 2, 4), -1), "step"),
    "parameters": results.variable("student", [4940, 4941, 4942], "parameters"),
    **results.rows("losses", losses, curriculum.LOSS),
    **results.rows("contrasts", contrasts, curriculum.CONTRAST),
  }
  coords = {"student": list(STUDENTS), "arm": list(curriculum.ARMS), "seed": [3, 4]}
  return results.dataset(variables, coords, steps=100, batch_size=16, windows=55)


class ClaimsTest(parameterized.TestCase):
  def row(self, its=None, **changes):
    card = zeros_cards.card(**(its or {}))
    runs = {"e4": (card, {"curriculum": by_hand(**changes)})}
    return zeros_cards.row(curriculum, "curriculum.distils", **runs)

  @parameterized.parameters(
    # Better than without a teacher; by the curriculum, or by any teacher.
    ({}, {"alone": 0.1}, "not reproduced"),
    ({}, {}, "reproduced"),
    ({}, {"whole": 0.0}, "reproduced, but an artefact"),
    ({}, {"untrained": 0.0}, "reproduced, but an artefact"),
    ({"size": zeros_cards.SMALL}, {}, "needs more compute"),
    ({"data": "other"}, {}, "not run"),
    ({"told": True}, {}, "not run"),
  )
  def test_status(self, its, changes, status):
    row = self.row(its, **changes)
    self.assertEqual(row["status"], status, row["because"])

  def test_the_verdict_says_what_the_first_student_has_learned(self):
    row = self.row()
    self.assertIn(
      "e4, smaller transformer, curriculum minus no teacher -0.1000 [-0.1100, -0.0900], minus whole"
      " teacher -0.0500 [-0.0600, -0.0400]",
      row["because"],
    )
    self.assertAlmostEqual(row["numbers"]["e4: minus untrained teacher"], -0.2)

  def test_nothing_decides_nothing(self):
    row = zeros_cards.row(curriculum, "curriculum.distils", e4=(zeros_cards.card(), {}))
    self.assertEqual(row["status"], "not run")
    self.assertIn(f"on {program.DATA}", row["because"])


class ShownTest(absltest.TestCase):
  def test_tables_show_the_stored_numbers(self):
    found = by_hand()
    found.frozen_step[0, 1, 1] = 7
    losses, differences, networks = curriculum.tables({"e0": found})
    second = ["e0", STUDENTS[0], "4,940", "4", "1.5000", "0.2000", "curriculum at step 7"]
    self.assertEqual(networks.cells()[1], second)
    self.assertEqual(networks.cells()[0][-1], "never")
    rows = tables.rows(found, "contrasts")
    for row, cells in zip(rows, differences.cells(), strict=True):
      self.assertEqual(cells[1:], [row["student"], row["contrast"], f"{row['nats']:+.4f}"])
    first, *_, last = losses.cells()
    name = "smaller transformer"
    self.assertEqual(first, ["e0", name, "no teacher", "4,940", "0.3000 [0.2900, 0.3100]"])
    self.assertEqual(last, ["e0", "AR(64), fitted", "–", "–", "0.2000 [0.1900, 0.2100]"])
    self.assertIn("55", losses.caption)
    for table in (losses, differences):
      self.assertNotIn("%", table.html())

  def test_figures_show_every_way_and_difference(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    found = by_hand()
    (page,) = curriculum.figures({"e0": found}).values()
    figure = page.figure()
    figures.save(figure, f"{folder}/curriculum.png")
    drawn.assert_inside(self, figure)
    losses, _, differences = (axes for part in figure.subfigs for axes in part.axes)
    labels = losses.get_legend_handles_labels()[1]
    self.assertEqual(set(labels), {*curriculum.ARMS, "the teacher itself", "AR(64), fitted"})
    texts = [text.get_text() for text in differences.texts]
    estimates = [row["nats"].estimate for row in tables.rows(found, "contrasts")]
    self.assertEqual(texts, [f"{value:+.4f}" for value in estimates])

  def test_several_runs_are_compared(self):
    pages = curriculum.figures({"e4": by_hand(), "e0": by_hand(alone=0.3)})
    self.assertEqual(list(pages), ["all runs", "e4", "e0"])
    figure = pages["all runs"].figure()
    drawn.assert_inside(self, figure)
    ((axes,),) = (part.axes for part in figure.subfigs)
    self.assertLen(axes.get_yticklabels(), 12)
    points = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    self.assertIn(0.3, points)


if __name__ == "__main__":
  absltest.main()
