"""What logits are worth: loss and accuracy on all, train and test pairs.

Item B21 of the addition spec.
"""

from primelens.studies.addition import network

MEASURES = {
  f"{split}/{name}": f"{words}, {split} pairs"
  for name, words in (("accuracy", "accuracy"), ("nll_nats", "cross-entropy"))
  for split in ("all", "train", "test")
}


def losses(read: network.Network, member) -> dict:
  """Returns loss in nats and accuracy on train and test pairs."""
  found = {}
  for split, row_N in (("train", member.train_N), ("test", member.test_N)):
    logit_NxV, label_N = read.logit_NxV[row_N], member.label_N[row_N]
    found[f"{split}/nll_nats"] = network.nll(logit_NxV, label_N)
    found[f"{split}/accuracy"] = network.accuracy(logit_NxV, label_N)
  return found


def of_logits(read: network.Network, logit_NxV, member: network.Member) -> dict:
  """Returns the MEASURES of logits put in the place of a network's own."""
  edited = read._replace(logit_NxV=logit_NxV)
  return {
    "all/accuracy": network.accuracy(logit_NxV, member.label_N),
    "all/nll_nats": network.nll(logit_NxV, member.label_N),
  } | losses(edited, member)


def shifted(logit_NxV, like_NxV):
  """Returns the logits, each class moved to its mean in `like_NxV`.

  The bias correction of B21 and of the restricted loss (B27).
  """
  return logit_NxV + (like_NxV - logit_NxV).mean(0, keepdims=True)
