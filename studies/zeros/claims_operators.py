"""The claim on Toeplitz operators: which levels a kernel gives, and why."""

from primelens.lens import claims as trial
from primelens.lens.claims import Claim, Verdict, bounded, verdict
from primelens.studies.zeros import operators, published


def toeplitz(results) -> Verdict:
  """Poisson by the disorder, whatever the kernel: an artefact."""
  result = published.first(results, "operators")
  row = lambda name, disorder: trial.row(result.spectra, levels=name, disorder=disorder)
  kernel = "published kernel"
  strong, noise = row(kernel, 1.0), row(operators.NONE, 1.0)
  least = min(r["disorder"] for r in result.spectra if r["levels"] == kernel)
  weak = row(kernel, least)
  (process,) = result.process
  because = (
    f"at whole distances the sine kernel is the identity (beside the diagonal "
    f"at most {result.largest_off_diagonal:.1e}), so that its matrix is the "
    "disorder alone, and the kernel with and without cos(pi d) has the same "
    f"levels. With the published disorder the r-ratio is "
    f"{bounded(strong, 'r_ratio')}, without any kernel "
    f"{bounded(noise, 'r_ratio')}; with a disorder of {least:g} the same "
    f"kernel has {bounded(weak, 'r_ratio')}. Levels drawn from the sine "
    f"kernel have the spacings of the GUE: variance "
    f"{bounded(process, 'variance')}, r-ratio "
    f"{bounded(process, 'r_ratio')}. The test says nothing of the kernel."
  )
  numbers = {
    "largest off-diagonal of the sine kernel": result.largest_off_diagonal,
    "r-ratio, published kernel": strong["r_ratio"],
    "r-ratio, disorder alone": noise["r_ratio"],
    f"r-ratio, disorder {least:g}": weak["r_ratio"],
    "r-ratio, sine process": process["r_ratio"],
    "variance, sine process": process["variance"],
  }
  return verdict(
    strong["verdict_as_published"] == "Poisson",
    because,
    numbers,
    artefact=noise["verdict_as_published"] == "Poisson",
  )


CLAIMS = (
  Claim(
    id="operators.toeplitz",
    statement="Toeplitz operators built from the kernel have Poisson spacings, "
    "and even the sine kernel does: the kernel is not the operator.",
    source=f"{published.REPOSITORY}, Toeplitz spectrum tests",
    reported="Poisson for all three kernels, N = 1000, disorder 1",
    test=toeplitz,
  ),
)
