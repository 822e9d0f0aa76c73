"""An exported folder opens with torch and diffusers alone, and gives the same bits."""

from __future__ import annotations

import ast
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import torch

from vae_training.model import CONFIGS, Autoencoder
from vae_training.state.export import save
from vae_training.state.standalone import FILE, standalone

TINY = CONFIGS["tiny"]
SHAPES = {
    "f16": TINY,
    "f32": dataclasses.replace(TINY, f=32, latent_channels=96, widths=(1, 1, 2, 2, 4, 4)),
    "local": dataclasses.replace(TINY, encoder_skip="nsc", decoder_skip="lsc"),
}
# Loads all models before it uses the first: each load runs the file again.
ELSEWHERE = """
import gc, importlib.abc, sys

gc.disable()  # imports are faster
import torch

OURS = {"vae_corpus", "vae_training", "filters", "fonts", "renderers", "pipelines"}

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in OURS:
            raise ModuleNotFoundError(f"{name} is not installed here")

sys.meta_path.insert(0, Block())
for name in OURS:
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{name} can be imported")

from diffusers import AutoModel

torch.set_num_threads(1)
folder, *names = sys.argv[1:]
models = {n: AutoModel.from_pretrained(f"{folder}/{n}", trust_remote_code=True) for n in names}
x = torch.load(f"{folder}/x.pt")
made = {}
with torch.no_grad():
    for name, vae in models.items():
        for tiled in (False, True):
            if tiled:
                vae.enable_tiling(tile_px=64)
            z = vae.encode(x).latent_dist.mode()
            made[f"{name} {tiled}"] = z, vae.decode(z).sample
        made[f"{name} config"] = list(vae.config.latents_mean), "auto_map" in vae.config
torch.save(made, f"{folder}/made.pt")
assert not OURS & {name.split(".")[0] for name in sys.modules}
"""


def model(name: str) -> Autoencoder:
    """One whose deep path speaks up and sees far."""
    torch.manual_seed(0)
    made = Autoencoder(**dataclasses.asdict(SHAPES[name]), latents_mean=[0.25, 0.5])
    for part in made.modules():
        if isinstance(part, torch.nn.Conv2d):
            part.reset_parameters()
    return made.eval()


@torch.no_grad()
def test_a_folder_gives_the_same_bits_where_this_package_is_not(tmp_path: Path) -> None:
    x = torch.rand(1, 3, 192, 160, generator=torch.Generator().manual_seed(0)) * 2 - 1
    torch.save(x, tmp_path / "x.pt")
    models = {name: model(name) for name in SHAPES}
    for name, made in models.items():
        save(made, tmp_path / name, tmp_path, {})
    cache = {"HF_MODULES_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", ELSEWHERE, str(tmp_path), *SHAPES],
        cwd=tmp_path,
        env={**os.environ, **cache},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "not expected" not in done.stderr, "diffusers warns of settings"
    theirs = torch.load(tmp_path / "made.pt")
    for name, made in models.items():
        assert theirs[f"{name} config"] == ([0.25, 0.5], False)
        for tiled in (False, True):
            if tiled:
                made.enable_tiling(tile_px=64)
            z = made.encode(x).latent_dist.mode()
            ours = z, made.decode(z).sample
            assert all(map(torch.equal, ours, theirs[f"{name} {tiled}"])), (name, tiled)


def test_the_folder_opens_here_too(tmp_path: Path) -> None:
    made = model("f16")
    save(made, tmp_path / "model", tmp_path, {})
    again = Autoencoder.from_pretrained(tmp_path / "model")
    assert all(map(torch.equal, made.parameters(), again.parameters()))


def test_the_file_has_no_import_of_ours_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    made = standalone()
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(made))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [node.names[0].name])
        if name
    }
    assert imported - set(sys.stdlib_module_names) == {"torch", "diffusers"}
    assert standalone() == made
    assert "def build" not in made and "hide_broken_torchvision" not in made


def test_the_file_is_as_tidy_as_its_modules(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(standalone(), encoding="utf-8")
    given = ["--isolated", "--no-cache", "--line-length", "100", str(tmp_path / FILE)]
    for errand in (["check", "--select", "E,F,I,B,UP,SIM"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *errand, *given], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout
