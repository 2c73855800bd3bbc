"""Roles and layers by the names that published models use."""

from absl.testing import absltest, parameterized
from primelens.models import weights

# A name of each kind, from the models' own files.
LLAMA = "model.layers.12."
GPT2 = "h.3."
NEOX = "gpt_neox.layers.7."
BLOOM = "h.23."
BERT = "encoder.layer.11."
T5 = "decoder.block.4."
FUSED = "query+key+value"


class NamesTest(parameterized.TestCase):
  @parameterized.parameters(
    (f"{LLAMA}self_attn.q_proj.weight", "query", 12),
    (f"{LLAMA}self_attn.k_proj.weight", "key", 12),
    (f"{LLAMA}self_attn.v_proj.weight", "value", 12),
    (f"{LLAMA}self_attn.o_proj.weight", "out", 12),
    (f"{LLAMA}mlp.gate_proj.weight", "gate", 12),
    (f"{LLAMA}mlp.up_proj.weight", "up", 12),
    (f"{LLAMA}mlp.down_proj.weight", "down", 12),
    (f"{LLAMA}mlp.experts.3.up_proj.weight", "up", 12),
    ("model.embed_tokens.weight", "embedding", None),
    ("lm_head.weight", "readout", None),
    (f"{GPT2}attn.c_attn.weight", FUSED, 3),
    (f"{GPT2}attn.c_proj.weight", "out", 3),
    (f"{GPT2}mlp.c_fc.weight", "up", 3),
    (f"{GPT2}mlp.c_proj.weight", "down", 3),
    ("transformer.wte.weight", "embedding", None),
    (f"{NEOX}attention.query_key_value.weight", FUSED, 7),
    (f"{NEOX}attention.dense.weight", "out", 7),
    (f"{NEOX}mlp.dense_h_to_4h.weight", "up", 7),
    (f"{NEOX}mlp.dense_4h_to_h.weight", "down", 7),
    ("gpt_neox.embed_in.weight", "embedding", None),
    ("embed_out.weight", "readout", None),
    (f"{BLOOM}self_attention.query_key_value.weight", FUSED, 23),
    (f"{BLOOM}self_attention.dense.weight", "out", 23),
    ("word_embeddings.weight", "embedding", None),
    (f"{BERT}attention.self.query.weight", "query", 11),
    (f"{BERT}attention.output.dense.weight", "out", 11),
    (f"{BERT}intermediate.dense.weight", "up", 11),
    (f"{BERT}output.dense.weight", "down", 11),
    ("embeddings.token_type_embeddings.weight", "embedding", None),
    ("pooler.dense.weight", "other", None),
    (f"{T5}layer.0.SelfAttention.q.weight", "query", 4),
    (f"{T5}layer.2.DenseReluDense.wi_0.weight", "gate", 4),
    (f"{T5}layer.2.DenseReluDense.wo.weight", "down", 4),
    ("layers.0.self_attn.in_proj_weight", FUSED, 0),
    ("layers.0.linear1.weight", "up", 0),
    ("backbone.layers.5.mixer.in_proj.weight", "other", 5),
    ("monkey.weight", "other", None),
    ("blocks/2/attention/query", "query", 2),
  )
  def test_role_and_layer(self, name, role, layer):
    self.assertEqual((weights.role(name), weights.layer(name)), (role, layer))


if __name__ == "__main__":
  absltest.main()
