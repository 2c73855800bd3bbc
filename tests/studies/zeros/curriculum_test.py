import dataclasses
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens.analyses import divergences, weight_masks
from primelens.lens import legacy
from primelens.models import fit, optimizer, spacing, students
from primelens.models import mixture as mixture_lib
from primelens.studies.zeros import curriculum, curriculum_students, settings
from primelens.tasks import windows

T, S = tiny_study.T, 2
SETTINGS = settings.Curriculum(steps=150, nodes=64)


def _kl(mean_p, scale_p, mean_q, scale_q):
  """KL of two Gaussians in closed form."""
  gap = (scale_p**2 + (mean_p - mean_q) ** 2) / (2 * scale_q**2)
  return np.log(scale_q / scale_p) + gap - 0.5


class PartsTest(parameterized.TestCase):
  def test_the_mask_is_lifted_from_first_to_last_step(self):
    found = [curriculum_students.schedule(0.8, step, 5) for step in range(5)]
    np.testing.assert_allclose(found, [0.8, 0.6, 0.4, 0.2, 0.0], atol=1e-12)

  def test_divergence_of_gaussians(self):
    mean_p, mean_q = np.array([[1.5, 2.0]]), np.array([[1.7, 2.0]])
    grid = divergences.grid(0.0, 5.0, 64)
    found = curriculum_students.divergence(
      tiny_study.gaussian(mean_p, 0.2), tiny_study.gaussian(mean_q, 0.3), grid
    )
    np.testing.assert_allclose(found, _kl(mean_p, 0.2, mean_q, 0.3), atol=1e-3)

  @parameterized.parameters("none", "prefix", "postfix")
  def test_smaller_is_the_same_kind(self, memory):
    model = tiny_study.tiny_model(memory)
    small = curriculum_students.smaller(model, 2)
    self.assertEqual((small.trunk.layers, small.trunk.heads), (1, 1))
    self.assertEqual((small.trunk.width, small.trunk.hidden), (4, 8))
    self.assertEqual(small.trunk.head_width, model.trunk.head_width)
    self.assertEqual((small.memory, small.window), (memory, T))
    self.assertEqual((small.auxiliary, small.entropy), ("none", 0.0))

  def test_only_shared_positions_count(self):
    one = tiny_study.gaussian(np.arange(6.0).reshape(1, 6), 1.0)
    last = tiny_study.gaussian(np.ones((1, 1)), 1.0)
    y_BxT = jnp.arange(10.0, 16.0)[None]
    student, teacher, truth = curriculum_students.shared(one, last, y_BxT)
    self.assertEqual(float(student.mean[0, 0, 0]), 5.0)
    self.assertEqual(teacher.mean.shape, (1, 1, 1))
    np.testing.assert_array_equal(truth, [[15.0]])


def teacher(params, x_BxT, **_):
  """Mean 1 + (sum of weights)(s - 1), scale 0.2."""
  weight = params["input"]["kernel"].sum()
  return tiny_study.gaussian(1 + weight * (x_BxT - 1), 0.2), {}


class LossTest(absltest.TestCase):
  def test_nll_and_divergence_by_hand(self):
    params = {"input": {"kernel": jnp.array([0.4, 0.1])}}
    key, window_BxT1 = (jax.random.key(0), tiny_study.ar([0.3], 34).reshape(2, 17))
    x, y = window_BxT1[:, :-1].astype(float), window_BxT1[:, 1:].astype(float)
    its = dataclasses.replace(SETTINGS, steps=3)

    def value(alpha, ratio, step):
      arm = {"alpha": jnp.float32(alpha), "ratio": jnp.float32(ratio)}
      loss = curriculum_students.loss(teacher, teacher, its, params, arm)
      other = {"input": {"kernel": jnp.array([0.2, 0.0])}}
      total, parts = loss(other, jnp.asarray(window_BxT1), key, step)
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
    value_N = jnp.asarray(tiny_study.ar([0.6], 3000))
    params = {"input": {"kernel": jnp.array([-0.4])}}
    draw = lambda data, key, step: windows.draw(
      data["value_N"], key, 16, first=0, last=3000, window=T
    )
    program = fit.Program(init=None, draw=draw, loss=None, evaluate=None)
    its = optimizer.build(optimizer.Config(rate=3e-2, weight_decay=0.0), SETTINGS.steps)

    @jax.jit
    @jax.vmap
    def taught(alpha):
      arm = {"alpha": alpha, "ratio": jnp.float32(0)}
      loss = curriculum_students.loss(students.toeplitz, teacher, SETTINGS, params, arm)
      start = students.toeplitz_init(jax.random.key(0), taps=2, components=1)
      return program.retrain(
        program._replace(loss=loss),
        its,
        start,
        weight_masks.everything(start),
        {"value_N": value_N},
        jax.random.key(1),
        SETTINGS.steps,
      )[0]

    found = taught(jnp.array([0.0, 1.0]))
    taps_SxQ = found["filter"]["kernel"]
    np.testing.assert_allclose(taps_SxQ, [[-0.4, 0], [0.6, 0]], atol=0.05)
    mixture, _ = jax.vmap(lambda p: students.toeplitz(p, jnp.ones((1, 3))))(found)
    np.testing.assert_allclose(mixture_lib.mean(mixture), 1, atol=0.05)
    np.testing.assert_allclose(mixture.scale, 0.2, atol=0.03)


class RunTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    model = tiny_study.tiny_model()
    init = jax.vmap(lambda key: spacing.init(model, key))
    params_S, fresh_S = (init(jax.random.split(jax.random.key(k), S)) for k in (0, 1))
    cls.run_ = tiny_study.handmade(
      spacing.bind(model), params_S, tiny_study.ar([0.5], 2400), model=model, fresh_S=fresh_S
    )
    with tiny_study.quick_compile():
      cls.result = curriculum.run(cls.run_)

  def test_students_and_their_sizes(self):
    # Width 4, hidden 8: norms, attention, MLP; positions, input, norm, head.
    trunk = 2 * 4 + 4 * 16 + 2 * 4 * 8
    transformer = trunk + (T + 2) * 4 + 8 + 4 + 4 * 6 + 6
    sizes = [row["parameters"] for row in self.result.students]
    self.assertEqual(sizes, [transformer, 5 * 4 + 5 * 6, 4 + 6])

  def test_differences_are_those_of_the_table(self):
    result = self.result
    found = {(r["student"], r["contrast"]): r["nats"] for r in result.contrasts}
    at = curriculum.ARMS.index
    for v, row in enumerate(result.students):
      ours = result.nll_VxSxR[v][:, at("curriculum")].mean()
      for arm in ("no teacher", "whole teacher", "untrained teacher"):
        self.assertAlmostEqual(
          found[row["student"], f"curriculum minus {arm}"],
          ours - result.nll_VxSxR[v][:, at(arm)].mean(),
        )
      self.assertAlmostEqual(
        found[row["student"], "curriculum minus the teacher itself"], ours - result.teacher_S.mean()
      )

  def test_the_teacher_is_scored_as_the_run_is(self):
    test_NxT1, _ = self.run_.batches("test", self.result.windows)
    score = jax.jit(
      lambda params: spacing.score(self.run_.apply, params, test_NxT1, min_context=8).mean()
    )
    params = jax.tree.map(lambda leaf: leaf[1], self.run_.params_S)
    self.assertAlmostEqual(self.result.teacher_S[1], float(score(params)), places=4)

  def test_ways_of_teaching_differ_and_none_failed(self):
    result = self.result
    self.assertTrue((result.frozen_VxSxR == -1).all())
    self.assertTrue((result.kl_VxSxR > 0).all())
    self.assertGreater(np.ptp(result.nll_VxSxR, axis=2).min(), 0)

  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "curriculum", self.result, provenance={})
    back, _ = legacy.read(folder, "curriculum", curriculum.Result)
    jax.tree.map(np.testing.assert_array_equal, vars(back), vars(self.result))


class SettingsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"alpha": 2.0}, "alpha=2.0 must be at least 0 and at most 1"),
    ({"taps": 0}, "taps=0 must be at least 1"),
  )
  def test_what_is_wrong_is_named(self, change, message):
    with self.assertRaisesRegex(ValueError, message):
      settings.Curriculum(**change)


if __name__ == "__main__":
  absltest.main()
