from __future__ import annotations

import pytest

from vae_corpus.demo import DemoInputs, demo_inputs


@pytest.fixture(scope="session")
def demo() -> DemoInputs:
    """Real photographs, PDFs, fonts and texts; fetched once into the cache."""
    inputs = demo_inputs()
    if inputs.missing:
        pytest.fail("the demo inputs are not complete: " + "; ".join(inputs.missing))
    return inputs
