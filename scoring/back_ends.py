"""Names that files, ledger and reports share: back ends, normalised embeddings, published figures."""

from __future__ import annotations

BACK_ENDS = {
    "plda": "PLDA",
    "lda_cosine": "LDA, cosine",
    "cosine": "cosine",
    "cosine_asnorm": "cosine, AS-norm",
}
"""End of the name of a score file -> name of the back end, in the order of tables."""

HEADLINE = "plda"
"""The back end that figures of several systems show, and that the published figures are of."""

NORMALISED_MARK = "ᴺ"
"""Ends the name of a system whose embeddings were normalised first."""

PUBLISHED_KEYS = ("eer", "eer_normalised", "min_dcf_0.01", "min_dcf_0.01_normalised")
"""Keys of published figures, in the order of the columns of the benchmark's table; EER in per cent."""
