import errno
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import tiny_study
from absl import flags
from absl.testing import absltest, parameterized
from primelens.studies import cli
from primelens.studies.text import settings

MAINS = ("primelens.studies.train", "primelens.studies.analyze")


def _child(module: str, *argv: str):
  """Runs a command line where JAX has no device at all to touch."""
  code = f"import sys; from {module} import main; sys.exit(main())"
  return subprocess.run(
    [sys.executable, "-c", code, *argv],
    env=os.environ | {"JAX_PLATFORMS": "no_such_platform"},
    capture_output=True,
    text=True,
    timeout=120,
  )


class HelpTest(parameterized.TestCase):
  @parameterized.product(module=MAINS, flag=("--help", "-h"))
  def test_help_touches_no_device(self, module, flag):
    done = _child(module, flag)
    self.assertEqual((done.returncode, done.stderr), (0, ""))
    name = module.rpartition(".")[2]
    self.assertIn(f"{name}.py --", done.stdout)
    self.assertIn("--workdir", done.stdout)

  def test_list_touches_no_device(self):
    done = _child("primelens.studies.analyze", "--list")
    self.assertEqual((done.returncode, done.stderr), (0, ""))
    names = [line.split()[0] for line in done.stdout.splitlines()]
    zeros = ["anchors", "masking", "heads", "formula", "linear", "leak"]
    zeros += ["rollout", "calibration", "gue"]
    zeros += ["prime_lines", "prime_waves", "yardstick", "predictors"]
    zeros += ["form_factor"]
    zeros += ["operators", "perplexity", "memory_effect"]
    zeros += ["kernels", "hermiticity", "slots"]
    zeros += ["pruned", "curriculum"]
    adders = ["embedding", "probe", "neurons", "subspace", "polynomial"]
    adders += ["readout", "attention", "fourier", "progress", "spectra"]
    adders += ["numbers"]
    readers = ["answers", "probes", "nonlinear_probes", "fourier_probes"]
    readers += ["geometry", "causal", "patching", "invariance", "heads_text", "scale", "numbers"]
    gaps = ["memory", "spectra", "numbers"]
    both = ["claims", "report"]
    expected = ["zeros:", *zeros, *both, "addition:", *adders, *both]
    expected += ["text:", *readers, *both, "primes:", *gaps, *both]
    self.assertEqual(names, [*expected, "--weights:", "spectra"])


class RunTest(absltest.TestCase):
  def _run(self, error):
    def main(argv):
      raise error

    return tiny_study.call(lambda argv: cli.run(main, argv))

  def test_user_errors_become_one_line(self):
    for error in (
      ValueError("two\n  lines of\ttext"),
      FileNotFoundError("two lines of text"),
      flags.Error("two lines of text"),
    ):
      result = self._run(error)
      self.assertEqual(result, (2, "", "error: two lines of text\n"))

  def test_interrupts_have_their_own_code(self):
    self.assertEqual(self._run(KeyboardInterrupt()), (130, "", ""))

  def test_defects_are_one_line_with_their_own_code(self):
    code, _, said = self._run(ZeroDivisionError("by zero"))
    self.assertEqual(code, 70)
    self.assertRegex(said, r"\Aerror: unexpected ZeroDivisionError: by zero .*TRACEBACK=1.*\n\Z")

  def test_a_full_disk_has_its_own_code(self):
    code, _, said = self._run(OSError(errno.ENOSPC, "No space left on device", "runs/a"))
    self.assertEqual(code, 4)
    self.assertRegex(said, r"\Aerror: runs/a: No space left on device\. Make room.*\n\Z")

  def test_control_characters_do_not_reach_the_terminal(self):
    self.assertEqual(self._run(ValueError("a\x1b[2Jb"))[2], "error: a\\x1b[2Jb\n")

  def test_what_is_said_is_printable_and_its_lines_stay(self):
    main = lambda argv: cli.say("a\x1b[2J\nb") or cli.say("c\x07", error=True) or 0
    self.assertEqual(tiny_study.call(main), (0, "a\\x1b[2J\nb\n", "c\\x07\n"))

  def test_brackets_in_a_note_are_no_markup(self):
    console = mock.Mock(wraps=cli.rich.console.Console(force_terminal=True, file=io.StringIO()))
    with mock.patch.object(cli.rich.console, "Console", return_value=console):
      bar = cli.progress()
    task = bar.add_task("a", note="h.0[query] [/red]")
    words = [column.render(bar.tasks[task]) for column in bar.columns[::4]]
    self.assertEqual(words[-1].plain, "h.0[query] [/red]")

  def test_traceback_on_demand(self):
    for error in (ValueError, ZeroDivisionError):
      with mock.patch.dict(os.environ, PRIMELENS_TRACEBACK="1"):
        with self.assertRaises(error):
          self._run(error())


class ConfigFileTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

  def _file(self, text: str) -> str:
    path = self.folder / "config.py"
    path.write_text(text)
    return str(path)

  def test_shipped_configs_by_name(self):
    shipped = cli.shipped_configs()
    self.assertIn("zeros_e0", shipped)
    self.assertNotIn("__init__", shipped)
    file, arguments = cli.config_file("zeros_prefix:e1")
    self.assertEqual((file, arguments), (shipped["zeros_prefix"], ["e1"]))

  def test_a_file_and_its_argument(self):
    path = self._file("get_config = lambda name='x': name * 2")
    self.assertEqual(cli.load_config(path), "xx")
    self.assertEqual(cli.load_config(path + ":ab"), "abab")

  def test_what_is_no_config_is_refused(self):
    for text, message in (
      ("1 +", "config.py cannot be read: SyntaxError"),
      ("import no_such_module", "ModuleNotFoundError.*no_such_module"),
      ("x = 3", "AttributeError.*get_config"),
      ("get_config = 3", "TypeError"),
      ("def get_config(): raise ValueError('too few')", "^too few$"),
    ):
      with self.subTest(text):
        with self.assertRaisesRegex(ValueError, message):
          cli.load_config(self._file(text))
    with self.assertRaisesRegex(ValueError, "No config 'zeros_e9'; a file, or one of .*zeros_e0"):
      cli.load_config("zeros_e9")


class AssignTest(parameterized.TestCase):
  @parameterized.parameters(
    ("fit.seeds=8", 8),
    ("fit.optimizer.rate=1e-3", 1e-3),
    ("fit.optimizer.rate=1", 1.0),
    ("model.trunk.norm_bias=true", True),
    ("model.trunk.norm_bias=0", False),
    ("model.memory=postfix", "postfix"),
    ("analyses.masking.ratios=0,0.5", (0, 0.5)),
    ("analyses.masking.ratios=(0, 0.5)", (0, 0.5)),
    ("analyses.masking.ratios=0.5", (0.5,)),
    ("analyses.masking.ratios=()", ()),
    ("analyses.masking.ratios=", ()),
    ("model.auxiliary_ramp=(5, 1e-3)", ((5, 1e-3),)),
    ("model.auxiliary_ramp=(5, 1e-3), (9, .5)", ((5, 1e-3), (9, 0.5))),
    ("task.path=a=b.txt", None),
  )
  def test_values_take_the_type_of_what_they_replace(self, text, expected):
    config = tiny_study.get_config()
    if expected is None:  # values may hold "="
      config.task, expected = cli.load_config("zeros_e0").task, "a=b.txt"
    value = cli.assign(config, [text])
    for name in text.partition("=")[0].split("."):
      value = getattr(value, name)
    self.assertEqual(value, expected)
    self.assertIs(type(value), type(expected))

  def test_words_need_no_quotes(self):
    found = cli.assign(settings.Settings(), ["mlp_sizes=256x4,512x4"])
    self.assertEqual(found.mlp_sizes, ("256x4", "512x4"))

  def test_the_original_is_left_alone(self):
    config = tiny_study.get_config()
    changed = cli.assign(config, ["fit.seeds=8", "fit.steps=3"])
    self.assertEqual((changed.fit.seeds, changed.fit.steps), (8, 3))
    self.assertEqual(config, tiny_study.get_config())

  @parameterized.parameters(
    ("fit.seed=8", "No field 'seed' in 'fit.seed'; valid here: .*seeds"),
    ("fits.seeds=8", "No field 'fits' .* study, task, model, fit, analyses"),
    ("fit.seeds", "'fit.seeds' is not of the form a.b=value"),
    ("fit.seeds.x=8", "'fit.seeds.x': seeds is a single value"),
    ("fit=8", "'fit' has fields of its own: steps, "),
    ("fit.seeds=two", "fit.seeds='two' is not a int"),
    ("fit.seeds=2.5", "fit.seeds='2.5' is not a int"),
    ("fit.optimizer.rate=fast", "rate='fast' is not a float"),
    ("model.trunk.norm_bias=maybe", "norm_bias='maybe' is not a bool"),
    ("analyses.masking.ratios=a,b", "ratios='a,b' is not a tuple"),
    ("analyses.masking.ratios=1,,", "ratios='1,,' is not a tuple"),
    ("analyses.masking.ratios='a',", "ratios=\"'a',\" is not a tuple"),
    ("model.auxiliary_ramp=5, (9, 1)", "is not a tuple"),
  )
  def test_what_is_wrong_is_named(self, text, message):
    with self.assertRaisesRegex(ValueError, message):
      cli.assign(tiny_study.get_config(), [text])

  def test_overrides_are_split_from_the_flags(self):
    argv = ["p", "--config=x", "--config.a.b=1", "--workdir=w", "--config.c=2"]
    self.assertEqual(
      cli.split_overrides(argv), (["p", "--config=x", "--workdir=w"], ["a.b=1", "c=2"])
    )


if __name__ == "__main__":
  absltest.main()
