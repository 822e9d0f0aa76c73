"""The autoencoders of others by name: what they are and where their weights come from.

They are all that Tables 2 and 3 of the report compare (`published` has the figures), and three
siblings that came later. This is data: nothing here opens or downloads anything.
"""

from __future__ import annotations

from dataclasses import dataclass

_OWN_CODE = "its authors give it code of its own"


@dataclass(frozen=True, kw_only=True)
class Known:
    """An autoencoder of others.

    `setting` is f and channels as published, `saved` those of the folder where they differ.
    `loader` is its class in diffusers, empty where there is none, and `why_not` says why.
    `subfolder` of the hub repository `repo` holds it; empty is the repository itself. `licence` is
    what the place in brackets says of it, and empty where nobody has looked. `note` tells what
    matters when published figures are to come out.
    """

    name: str
    title: str
    setting: str
    repo: str
    loader: str = ""
    why_not: str = ""
    subfolder: str = "vae"
    saved: str = ""
    licence: str = ""
    note: str = ""


_ENTRIES = (
    Known(
        name="vtp-large",
        title="VTP-Large",
        setting="f16c64",
        repo="MiniMaxAI/VTP-Large-f16d64",
        why_not=f"{_OWN_CODE} (github.com/MiniMax-AI/VTP)",
        subfolder="",
        licence="MIT (code repository); the hub says other",
        note="images are normalised by ImageNet's mean and deviation; shown for 256 px",
    ),
    Known(
        name="rae-dinov2-b",
        title="RAE-DINOv2-B",
        setting="f16c768",
        repo="nyu-visionx/RAE-dinov2-wReg-base-ViTXL-n08",
        loader="AutoencoderRAE",
        subfolder="",
        licence="MIT (code repository)",
        note="256 px alone: it sees them resized to 224; which decoder the report took is not told",
    ),
    Known(
        name="rae-siglip2-b",
        title="RAE-SigLIP2-B",
        setting="f16c768",
        repo="nyu-visionx/RAE-siglip2-base-p16-i256-ViTXL-n08",
        loader="AutoencoderRAE",
        subfolder="",
        licence="MIT (code repository)",
        note="256 px alone; diffusers 0.42 does not build its encoder with transformers 5",
    ),
    Known(
        name="flux1",
        title="FLUX.1-dev",
        setting="f8c16",
        repo="black-forest-labs/FLUX.1-dev",
        loader="AutoencoderKL",
        note="the repository asks for a login that has agreed to its terms",
    ),
    Known(
        name="hunyuan-video",
        title="HunyuanVideo",
        setting="f8c16",
        repo="hunyuanvideo-community/HunyuanVideo",
        loader="AutoencoderKLHunyuanVideo",
        licence="Tencent Hunyuan Community (copies of the weights)",
    ),
    Known(
        name="qwen-image",
        title="Qwen-Image",
        setting="f8c16",
        repo="Qwen/Qwen-Image",
        loader="AutoencoderKLQwenImage",
        licence="Apache-2.0 (code repository, of the model)",
    ),
    Known(
        name="wan2.1",
        title="Wan2.1",
        setting="f8c16",
        repo="Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
        loader="AutoencoderKLWan",
    ),
    Known(
        name="cosmos-0.1-ci8x8",
        title="Cosmos-0.1-CI8x8",
        setting="f8c16",
        repo="nvidia/Cosmos-0.1-Tokenizer-CI8x8",
        why_not="its weights are TorchScript; AutoencoderKLCosmos of diffusers is that for video"
        " (code: github.com/NVIDIA/Cosmos-Tokenizer)",
        subfolder="",
        licence="NVIDIA Open Model License (hub)",
        note="its authors' example runs in bfloat16",
    ),
    Known(
        name="cosmos-0.1-ci16x16",
        title="Cosmos-0.1-CI16x16",
        setting="f16c16",
        repo="nvidia/Cosmos-0.1-Tokenizer-CI16x16",
        why_not="its weights are TorchScript; AutoencoderKLCosmos of diffusers is that for video"
        " (code: github.com/NVIDIA/Cosmos-Tokenizer)",
        subfolder="",
        note="its authors' example runs in bfloat16",
    ),
    Known(
        name="hunyuan-video-1.5",
        title="HunyuanVideo-1.5",
        setting="f16c32",
        repo="hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_t2v",
        loader="AutoencoderKLHunyuanVideo15",
    ),
    Known(
        name="hunyuan-image-3.0",
        title="HunyuanImage-3.0",
        setting="f16c32",
        repo="tencent/HunyuanImage-3.0",
        why_not=f"{_OWN_CODE}: AutoencoderKLConv3D (github.com/Tencent-Hunyuan/HunyuanImage-3.0)",
        subfolder="",
        licence="Tencent Hunyuan Community (code repository)",
        note="its weights are inside those of the whole model, 170 GB",
    ),
    Known(
        name="vavae",
        title="VAVAE",
        setting="f16c32",
        repo="hustvl/vavae-imagenet256-f16d32-dinov2",
        why_not="its weights are a checkpoint of latent-diffusion code (.pt)"
        " (github.com/hustvl/LightningDiT)",
        subfolder="",
        licence="MIT (code repository)",
    ),
    Known(
        name="wan2.2",
        title="Wan2.2",
        setting="f16c48",
        repo="Wan-AI/Wan2.2-TI2V-5B-Diffusers",
        loader="AutoencoderKLWan",
        licence="Apache-2.0 (code repository)",
        note="of TI2V-5B; the A14B models of Wan2.2 have that of Wan2.1",
    ),
    Known(
        name="stepvideo",
        title="Stepvideo-T2V",
        setting="f16c64",
        repo="stepfun-ai/stepvideo-t2v",
        why_not=f"{_OWN_CODE}: vae_v2.safetensors (github.com/stepfun-ai/Step-Video-T2V)",
        licence="MIT (code repository)",
    ),
    Known(
        name="flux2",
        title="FLUX.2-dev",
        setting="f16c128",
        repo="black-forest-labs/FLUX.2-dev",
        loader="AutoencoderKLFlux2",
        saved="f8c32",
        licence="Apache-2.0 (code repository, of the autoencoder)",
        note="2 x 2 positions of f8c32 are packed into one of f16c128, which changes no image; the"
        " repository asks for a login that has agreed to its terms",
    ),
    *(
        Known(
            name=f"report-{setting}",
            title=f"report {setting}",
            setting=setting,
            repo="",
            why_not="neither its weights nor its code are public",
            subfolder="",
        )
        for setting in ("f16c64", "f16c128", "f32c128", "f32c192")
    ),
    Known(
        name="dc-ae",
        title="DC-AE-sana",
        setting="f32c32",
        repo="mit-han-lab/dc-ae-f32c32-sana-1.0-diffusers",
        loader="AutoencoderDC",
        subfolder="",
        licence="Apache-2.0 (code repository)",
        note="1.1 has the same encoder and a better decoder; the report does not say which it took",
    ),
    Known(
        name="hunyuan-image-2.1",
        title="HunyuanImage-2.1",
        setting="f32c64",
        repo="hunyuanvideo-community/HunyuanImage-2.1-Diffusers",
        loader="AutoencoderKLHunyuanImage",
    ),
    Known(
        name="ltx-video",
        title="LTX-Video",
        setting="f32c128",
        repo="Lightricks/LTX-Video",
        loader="AutoencoderKLLTXVideo",
        note="0.9.0, 0.9.1 and 0.9.5 have other decoders, from 0.9.1 on told a time, which is 0"
        " here; the report does not say which it took, and that of 0.9.1 draws noise",
    ),
    Known(
        name="ltx-2",
        title="LTX-2",
        setting="f32c128",
        repo="Lightricks/LTX-2",
        loader="AutoencoderKLLTX2Video",
    ),
    Known(
        name="qwen-image-2.1",
        title="Qwen-Image-2.1",
        setting="f16c64",
        repo="Qwen/Qwen-Image-2.1",
        loader="AutoencoderKLQwenImage21",
        licence="Qwen Research: no commercial use (copies of the weights)",
        note="images have a fourth plane, opacity: full here",
    ),
    Known(
        name="mage",
        title="Mage-VAE",
        setting="f16c128",
        repo="microsoft/Mage-Flow",
        why_not=f"{_OWN_CODE}, whose decoder is a diffusion model of one step"
        " (github.com/microsoft/Mage)",
        licence="MIT (code repository)",
    ),
    Known(
        name="vitok",
        title="ViTok-v2 L-64",
        setting="f16c64",
        repo="Na-VAE/ViTok-L-64",
        why_not=f"{_OWN_CODE} (github.com/Na-VAE/vitok-release, not by the authors of ViTok)",
        subfolder="",
        licence="MIT (code repository)",
    ),
)
CATALOGUE = {known.name: known for known in _ENTRIES}
