"""Credentials in URLs are refused where they would be kept, and hidden where text is shown."""

from __future__ import annotations

import pytest

from vae_corpus.redact import redacted, refuse_credentials

WITH = [
    "https://me:hush@host/a.tar",
    "https://hush@host/a.tar",
    "s3://AKIA:hu%2Fsh@bucket/a",
    "https://h/a?X-Amz-Credential=hush&X-Amz-Signature=hush2&X-Amz-Date=1",
    "https://h/a?sv=2024&sig=hush%3D",
    "https://h/a?x-goog-signature=hush",
    "https://h/a?Signature=hush&Expires=1",
    "hf://datasets/x/y?token=hush",
]
WITHOUT = [
    "s3://bucket/a@b/c.tar",
    "https://host/a?page=2",
    "https://host/?monkey=1",
    "/data/me:x@y/a?sig=b",
    "memory://a/b",
]


@pytest.mark.parametrize("url", WITH)
def test_credentials_are_hidden_and_refused(url: str) -> None:
    text = f"GET {url} failed; see '{url}', ({url})"
    assert "hush" not in redacted(text) and redacted(text).count("***") >= 3
    assert redacted(redacted(text)) == redacted(text)
    with pytest.raises(ValueError, match="credentials") as told:
        refuse_credentials(url)
    assert "hush" not in str(told.value)


@pytest.mark.parametrize("url", WITHOUT)
def test_all_else_stays(url: str) -> None:
    assert redacted(f"GET {url} failed") == f"GET {url} failed"
    assert refuse_credentials(url) == url
