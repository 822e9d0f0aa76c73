"""The figures of Tables 2 and 3 of the report (Qwen-Image-VAE-2.0, arXiv 2605.13565).

Rows stand as in the report, so that they can be compared by eye; names are those of `catalogue`,
and the four of the report itself begin with `report-`. A figure that the report leaves out is `-`.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "Qwen-Image-VAE-2.0, arXiv 2605.13565"

# Generation without guidance on ImageNet 256 (SiT-XL, 80 epochs): IS up, gFID down. Reconstruction:
# PSNR in dB and SSIM, up, on ImageNet at 256 px and FFHQ at 1024 px.
#                    setting     IS    gFID   ImageNet        FFHQ
_TABLE_2 = """\
vtp-large            f16c64    146.22  5.25  26.88 0.7718   16.52 0.3129
rae-dinov2-b         f16c768   139.80  6.64  19.24 0.5025   -     -
rae-siglip2-b        f16c768   103.24 11.58  19.71 0.5279   -     -
flux1                f8c16      54.64 25.41  32.84 0.9155   38.14 0.9574
hunyuan-video        f8c16      63.57 21.29  33.21 0.9143   39.85 0.9607
qwen-image           f8c16      73.52 17.68  33.42 0.9159   38.75 0.9512
wan2.1               f8c16      78.60 16.25  31.29 0.8870   38.16 0.9456
cosmos-0.1-ci8x8     f8c16      52.89 26.02  32.33 0.9024   39.16 0.9546
cosmos-0.1-ci16x16   f16c16     85.14 15.21  25.13 0.7015   30.91 0.8285
hunyuan-video-1.5    f16c32     69.59 19.08  31.18 0.8710   37.30 0.9336
hunyuan-image-3.0    f16c32     73.84 17.87  31.08 0.8655   36.85 0.9260
vavae                f16c32    129.80  6.03  27.75 0.7986   32.84 0.8752
wan2.2               f16c48     79.55 15.65  31.30 0.8784   37.75 0.9386
stepvideo            f16c64     45.18 33.53  31.54 0.8973   37.46 0.9451
flux2                f16c128    91.53 10.61  34.34 0.9358   40.36 0.9676
report-f16c64        f16c64    102.76  9.52  32.72 0.9086   39.14 0.9541
report-f16c128       f16c128    92.42 10.29  35.90 0.9519   43.10 0.9795
dc-ae                f32c32     75.73 16.88  24.82 0.6897   31.35 0.8303
hunyuan-image-2.1    f32c64     47.96 33.32  28.67 0.8199   35.30 0.9110
ltx-video            f32c128    33.48 44.94  29.57 0.8329   35.56 0.9051
ltx-2                f32c128    42.57 38.19  26.06 0.7925   33.63 0.9058
report-f32c128       f32c128    81.23 15.05  29.69 0.8423   35.91 0.9177
report-f32c192       f32c192    72.31 18.33  31.13 0.8785   37.52 0.9381
"""
# OmniDoc-TokenBench, 3,042 crops of 256 px: SSIM, PSNR in dB and NED up, LPIPS and FID down.
#                    setting   SSIM   PSNR   LPIPS   FID    NED
_TABLE_3 = """\
rae-dinov2-b         f16c768  0.3261  14.32  0.2290  18.21  0.0392
rae-siglip2-b        f16c768  0.3871  14.36  0.1972  11.49  0.0483
vtp-large            f16c64   0.7185  18.11  0.1046   3.94  0.4170
wan2.1               f8c16    0.8282  20.54  0.0679   4.57  0.8021
cosmos-0.1-ci8x8     f8c16    0.9057  24.29  0.0464   2.89  0.9033
qwen-image           f8c16    0.8998  24.94  0.0519   4.48  0.9073
hunyuan-video        f8c16    0.9227  25.26  0.0434   2.03  0.9266
flux1                f8c16    0.9364  26.24  0.0246   0.55  0.9546
cosmos-0.1-ci16x16   f16c16   0.5460  15.55  0.1349   7.78  0.1547
vavae                f16c32   0.6905  17.50  0.0974   4.45  0.3488
hunyuan-video-1.5    f16c32   0.8422  21.49  0.0839   4.67  0.6938
hunyuan-image-3.0    f16c32   0.8672  22.66  0.0650   3.49  0.7753
wan2.2               f16c48   0.8577  21.67  0.0525   3.05  0.8310
stepvideo            f16c64   0.8970  23.69  0.0650   6.02  0.8838
report-f16c64        f16c64   0.9279  26.00  0.0382   1.94  0.9244
flux2                f16c128  0.9544  27.72  0.0216   0.73  0.9535
report-f16c128       f16c128  0.9706  30.45  0.0167   0.79  0.9617
dc-ae                f32c32   0.5259  15.62  0.1441   7.26  0.0692
ltx-2                f32c128  0.7354  18.41  0.1192   9.94  0.3569
hunyuan-image-2.1    f32c64   0.7805  19.85  0.0957   5.19  0.4895
ltx-video            f32c128  0.8055  20.92  0.1190  17.10  0.5651
report-f32c128       f32c128  0.8442  22.13  0.0642   3.36  0.7065
report-f32c192       f32c192  0.8908  23.84  0.0497   1.98  0.8555
"""


@dataclass(frozen=True)
class General:
    """A row of Table 2; None is a figure that the report does not have."""

    name: str
    setting: str
    inception_score: float | None
    gfid: float | None
    imagenet_psnr: float | None
    imagenet_ssim: float | None
    ffhq_psnr: float | None
    ffhq_ssim: float | None


@dataclass(frozen=True)
class Text:
    """A row of Table 3."""

    name: str
    setting: str
    ssim: float | None
    psnr: float | None
    lpips: float | None
    fid: float | None
    ned: float | None


def _numbers(words: list[str]) -> list[float | None]:
    return [None if word == "-" else float(word) for word in words]


def _rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines()]


TABLE_2 = {name: General(name, s, *_numbers(rest)) for name, s, *rest in _rows(_TABLE_2)}
TABLE_3 = {name: Text(name, s, *_numbers(rest)) for name, s, *rest in _rows(_TABLE_3)}
