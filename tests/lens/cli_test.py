import errno
import functools
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import jax
import one
import tiny_study
from absl import flags
from absl.testing import absltest, parameterized
from primelens.lens import cli
from primelens.studies import addition as addition_package
from primelens.studies import zeros as zeros_package
from primelens.studies.text import program

MAINS = ("primelens.lens.train", "primelens.lens.analyze")


MANY = """
import json, sys
from {module} import main
codes = []
for argv in json.loads(sys.argv[1]):
  codes.append(main(["program", *argv]))
  print("\\f", end="")
print(json.dumps([codes, "jax" in sys.modules]), end="")
"""


class Answers(NamedTuple):
  """What one process answered to command lines, one after the other."""

  returncode: int
  stderr: str
  codes: list[int]
  stdout: list[str]
  knows_jax: bool


@functools.cache
def _answers(module: str, *flags: str) -> Answers:
  """Runs command lines of a flag each where JAX has no device at all to touch."""
  done = subprocess.run(
    [sys.executable, "-c", MANY.format(module=module), json.dumps([[each] for each in flags])],
    env=os.environ | {"JAX_PLATFORMS": "no_such_platform"},
    capture_output=True,
    text=True,
    timeout=120,
  )
  *out, last = done.stdout.split("\f")
  codes, knows_jax = json.loads(last)
  return Answers(done.returncode, done.stderr, codes, out, knows_jax)


def _answer(module: str, flag: str) -> Answers:
  """Returns what a process answers that is asked all there is to ask without a device."""
  asked = {MAINS[0]: ("--help", "-h"), MAINS[1]: ("--help", "-h", "--list")}[module]
  found = _answers(module, *asked)
  here = asked.index(flag)
  return found._replace(codes=[found.codes[here]], stdout=[found.stdout[here]])


class HelpTest(parameterized.TestCase):
  def answer(self, module, flag):
    done = _answer(module, flag)
    self.assertEqual((done.returncode, done.codes, done.stderr), (0, [0], ""))
    return done.stdout[0]

  @parameterized.product(module=MAINS, flag=("--help", "-h"))
  def test_help_touches_no_device(self, module, flag):
    said = self.answer(module, flag)
    name = module.rpartition(".")[2]
    self.assertIn(f"{name}.py --", said)
    self.assertIn("--workdir", said)

  def test_help_lists_the_configs_without_jax(self):
    said = self.answer("primelens.lens.train", "--help")
    self.assertFalse(_answer("primelens.lens.train", "--help").knows_jax)
    self.assertRegex(said, r"\n  zeros_demo +e0, postfix\n")
    for name, variants in cli.families().items():
      self.assertIn(f"\n  {name} ", said)
      for variant in variants:
        self.assertRegex(said, rf"\s{variant}(,|\n)")

  def test_list_touches_no_device(self):
    said = self.answer("primelens.lens.analyze", "--list")
    names = [line.split()[0] for line in said.splitlines()]
    zeros = list(zeros_package.ORDER)
    adders = [*addition_package.ORDER, "numbers"]
    readers = ["answers", "probes", "nonlinear_probes", "fourier_probes"]
    readers += ["fourier_published", "geometry", "causal", "patching", "invariance", "heads"]
    readers += ["scale", "numbers"]
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

  def test_an_interrupt_inside_a_finalizer_is_heard(self):
    class Finalized:
      def __del__(self):
        signal.raise_signal(signal.SIGINT)

    def main(argv):
      Finalized()  # dropped at once: Python prints what it raises, and goes on
      time.sleep(20)
      return 0

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    self.addCleanup(signal.signal, signal.SIGINT, handler)
    before = sys.unraisablehook
    result = tiny_study.call(lambda argv: cli.run(main, argv))
    self.assertEqual(result, (130, "", ""))
    self.assertIs(sys.unraisablehook, before)

  def test_defects_are_one_line_with_their_own_code(self):
    code, _, said = self._run(ZeroDivisionError("by zero"))
    self.assertEqual(code, 70)
    self.assertRegex(said, r"\Aerror: unexpected ZeroDivisionError: by zero .*TRACEBACK=1.*\n\Z")

  def test_a_hook_that_the_command_put_over_it_stays(self):
    self.addCleanup(setattr, sys, "unraisablehook", sys.unraisablehook)
    mine = lambda found: None

    def main(argv):
      sys.unraisablehook = mine
      return 0

    self.assertEqual(tiny_study.call(lambda argv: cli.run(main, argv)), (0, "", ""))
    self.assertIs(sys.unraisablehook, mine)

  def test_out_of_memory_says_what_to_ask_for(self):
    full = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes.\nmore lines"
    for error, words in ((jax.errors.JaxRuntimeError(full), full[:30]), (MemoryError("b"), "b")):
      code, out, said = self._run(error)
      self.assertEqual((code, out, said.count("\n")), (2, "", 1))
      self.assertStartsWith(said, f"error: out of memory: {words}")
      self.assertIn("Ask for fewer seeds, a smaller batch or less data.", said)

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


class OutputTest(absltest.TestCase):
  def _streams(self, out, error=None):
    self.enterContext(mock.patch.object(sys, "stdout", out))
    self.enterContext(mock.patch.object(sys, "stderr", error or io.StringIO()))

  def test_characters_that_the_terminal_lacks_are_written_out(self):
    out, error = (io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2))
    self._streams(out, error)

    def main(argv):
      cli.say("\u22120.5 \u00b1 \ud800")
      raise ValueError("zeros \u03b3")

    self.assertEqual(cli.run(main, ["program"]), 2)
    self.assertEqual(out.buffer.getvalue(), b"\\u22120.5 \\xb1 \\ud800\n")
    self.assertEqual(error.buffer.getvalue(), b"error: zeros \\u03b3\n")

  def test_work_goes_on_when_nobody_reads(self):
    reading, writing = os.pipe()
    os.close(reading)
    done = []

    def main(argv):
      for line in range(3):
        cli.say(f"line {line}")
        done.append(line)
      return 0

    with open(writing, "w") as out:
      self._streams(out)
      self.assertEqual(cli.run(main, ["program"]), 0)
    self.assertEqual(done, [0, 1, 2])

  def test_a_long_error_is_cut(self):
    error = io.StringIO()
    self._streams(io.StringIO(), error)
    cli.fail("x" * 10**6)
    self.assertLess(len(error.getvalue()), 5000)
    self.assertTrue(error.getvalue().endswith("x ...\n"))

  def test_no_memory_is_no_fault_of_the_program(self):
    error = io.StringIO()
    self._streams(io.StringIO(), error)

    def main(argv):
      raise MemoryError("Unable to allocate 8. TiB")

    self.assertEqual(cli.run(main, ["program"]), 2)
    self.assertRegex(error.getvalue(), r"^error: out of memory: Unable to allocate 8. TiB .*batch")


class FoldersTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    for name in ("a", "b", "a,b", "x=1,y=2"):
      (self.folder / name).mkdir()

  def _names(self, *texts):
    found = cli.folders([text.replace("{}", str(self.folder)) for text in texts])
    return [str(path.relative_to(self.folder)) for path in found]

  def test_commas_part_folders_unless_one_of_that_name_is_there(self):
    for texts, expected in (
      (["{}/a"], ["a"]),
      (["{}/a,{}/b"], ["a", "b"]),
      (["{}/a", "{}/b"], ["a", "b"]),
      (["{}/a,b"], ["a,b"]),
      (["{}/a,b,{}/b"], ["a,b", "b"]),
      (["{}/x=1,y=2,{}/a"], ["x=1,y=2", "a"]),
      (["{}/none,{}/b"], ["none", "b"]),
    ):
      self.assertEqual(self._names(*texts), expected, texts)
    self.assertEqual(cli.folders([]), [])

  def test_no_name_is_empty(self):
    for text in ("", ",", "{}/a,", ",{}/a"):
      with self.assertRaisesRegex(ValueError, "has an empty name"):
        self._names(text)
    self.assertEqual(cli.words(["a, b", "c"], "--only"), ["a", "b", "c"])
    with self.assertRaisesRegex(ValueError, "--only='a,' has an empty name"):
      cli.words(["a,"], "--only")


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
    self.assertIn("zeros_published", shipped)
    self.assertNotIn("__init__", shipped)
    file, arguments = cli.config_file("zeros_published:e1")
    self.assertEqual((file, arguments), (shipped["zeros_published"], ["e1"]))

  def test_a_file_and_its_argument(self):
    path = self._file("get_config = lambda name='x': name * 2")
    self.assertEqual(one.config(path), "xx")
    self.assertEqual(one.config(path + ":ab"), "abab")

  def test_what_it_gives_is_of_a_kind(self):
    path = self._file("def get_config(): pass")
    self.assertIsNone(one.config(path))
    with self.assertRaisesRegex(ValueError, r"get_config\(\) gives a NoneType; it must be a Path"):
      one.config(path, Path)

  def test_nothing_is_written_beside_it(self):
    path = self._file("get_config = int")
    one.config(path)
    self.assertEqual(os.listdir(self.folder), ["config.py"])

  def test_an_interrupt_is_none_of_its_errors(self):
    with self.assertRaises(KeyboardInterrupt):
      one.config(self._file("raise KeyboardInterrupt"))

  def test_colons_belong_to_the_name_of_a_file_that_is_there(self):
    for name in ("a:b.py", "a"):
      (self.folder / name).write_text("get_config = lambda x='none': x")
    whole, short = str(self.folder / "a:b.py"), str(self.folder / "a")
    for name, expected in (
      (whole, "none"),
      (whole + ":c", "c"),
      (whole + ":c:d", "c:d"),
      (short + ":c.py", "c.py"),
      (short + ":", ""),
    ):
      self.assertEqual(one.config(name), expected, name)

  def test_what_is_no_config_is_refused(self):
    for text, message in (
      ("1 +", "config.py cannot be read: SyntaxError"),
      ("def get_config(): raise SystemExit", "config.py cannot be read: SystemExit"),
      ("import no_such_module", "ModuleNotFoundError.*no_such_module"),
      ("x = 3", "has no function get_config"),
      ("get_config = 3", "has no function get_config"),
      ("def get_config(): raise ValueError('too few')", "^too few$"),
    ):
      with self.subTest(text):
        with self.assertRaisesRegex(ValueError, message):
          one.config(self._file(text))
    with self.assertRaisesRegex(ValueError, "No config 'zeros_e9'; a file, or one of .*zeros_"):
      one.config("zeros_e9")


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
      config.task, expected = one.config("zeros_published:e0").task, "a=b.txt"
    value = cli.assign(config, [text])
    for name in text.partition("=")[0].split("."):
      value = getattr(value, name)
    self.assertEqual(value, expected)
    self.assertIs(type(value), type(expected))

  def test_words_need_no_quotes(self):
    found = cli.assign(program.Settings(), ["mlp_sizes=256x4,512x4"])
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
