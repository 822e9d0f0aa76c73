"""Credentials in addresses: found, so that they are refused, and hidden wherever text is shown."""

from __future__ import annotations

import re

# user:password@ before a host.
_LOGIN = re.compile(r"(?<=://)[^/?#\s@'\"]+@")
# Signatures and tokens of signed URLs: Amazon's, Google's, Azure's (SAS), and common names.
_SECRET_NAMES = (
    "x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|x-goog-credential"
    "|awsaccesskeyid|googleaccessid|signature|sig|key-pair-id|policy|access_token|token|api_key"
    "|apikey|key|password|passwd|secret"
)
_QUERY = re.compile(rf"(?<=[?&;])({_SECRET_NAMES})=[^&\s'\"<>]+", re.IGNORECASE)
_HIDDEN = "***"


def redacted(text: str) -> str:
    """The text with the credentials in its URLs hidden."""
    if "://" not in text:
        return text
    return _QUERY.sub(rf"\1={_HIDDEN}", _LOGIN.sub(f"{_HIDDEN}@", text))


def refuse_credentials(url: str) -> str:
    """The URL as it is; ValueError, which does not show them, when it has credentials in it.

    Addresses are written into tables and reports, which outlive a password and are passed on.
    """
    if redacted(url) != url:
        raise ValueError(
            f"{redacted(url)} has credentials in it, which would be written into every table: give"
            " them by the environment (as AWS_ACCESS_KEY_ID, GOOGLE_APPLICATION_CREDENTIALS or"
            " HF_TOKEN), and the address without them"
        )
    return url
