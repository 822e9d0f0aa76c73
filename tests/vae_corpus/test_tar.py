from __future__ import annotations

import hashlib
import json

from vae_corpus import tar


def test_a_recipe_is_the_hash_of_its_parts_as_json() -> None:
    base = ({"b": 1, "a": ["ä"]}, [1.5, None])
    for parts in ((256, 3, ["k"]), ("x",), ()):
        text = json.dumps([base, *parts], sort_keys=True)
        assert tar.recipes(base)(*parts) == hashlib.sha256(text.encode()).hexdigest()[:16]
