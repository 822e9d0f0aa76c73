"""What the process that forks others imports, once: all that a run uses, which takes seconds."""

import gc

from vae_corpus import imports

with imports.quick():
    import pandas  # noqa: F401  which Arrow imports
    import transformers.models.auto  # noqa: F401
    import transformers.models.dinov2.modeling_dinov2  # noqa: F401

    from tests.vae_training.runs import know

know()
# To look for garbage in it would take a fork longer than its steps, and would copy all of it.
gc.freeze()
