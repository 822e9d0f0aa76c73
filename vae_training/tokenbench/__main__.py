"""Make a set of text crops in the manner of OmniDoc-TokenBench.

Run: `python -m vae_training.tokenbench --documents DIR --out DIR`
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from vae_corpus import settings as reader
from vae_training.tokenbench import result
from vae_training.tokenbench.build import build
from vae_training.tokenbench.config import TokenbenchSettings

EPILOG = """\
The set is laid out for the official script (github: alibaba/OmniDoc-TokenBench):
  python eval_metrics.py --gt_dir OUT/gt_dir --recon_dir RECONSTRUCTIONS --mode all

examples:
  any PDFs           python -m vae_training.tokenbench --documents papers --out bench
  the published one  python -m vae_training.tokenbench --omnidocbench OmniDocBench --out bench
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Make the set; 0 when it has a crop, 1 when there is none, 2 for a wrong setting or input."""
    return reader.run(_main, argv)


def _main(argv: Sequence[str] | None) -> int:
    settings = reader.load(
        TokenbenchSettings, argv, description="Make a set of text crops.", epilog=EPILOG
    )
    try:
        crops, left_out = build(settings)
    except ValueError as error:
        raise reader.SettingsError(str(error)) from None
    except OSError as error:
        print(f"error: {error}; make room or mend the place, then try again", file=sys.stderr)
        return 1
    print(result.summary(crops, left_out))
    print(
        f"\nwritten to {settings.out}; look at {settings.out / 'contact_sheet.png'}"
        if crops
        else ""
    )
    return 0 if crops else 1


if __name__ == "__main__":
    raise SystemExit(main())
