from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from vae_corpus.curriculum import LossWeights
from vae_training.losses import window as windowing
from vae_training.losses.adaptive import fork
from vae_training.losses.alignment import Projector, margin_cosine, margin_distance
from vae_training.losses.dino import load_features
from vae_training.losses.lpips import Lpips, load_lpips
from vae_training.losses.objective import Objective
from vae_training.losses.window import window, windows
from vae_training.model import build


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum() / ((a * a).sum().sqrt() * (b * b).sum().sqrt())


def mcos_by_loops(z: torch.Tensor, f: torch.Tensor, margin: float) -> torch.Tensor:
    """The equation of L_mcos, term by term."""
    terms = []
    for zs, fs in zip(z, f, strict=True):
        n = len(zs)
        terms.append(sum((1 - cosine(zs[p], fs[p]) - margin).clamp(min=0) for p in range(n)) / n)
    return sum(terms) / len(terms)


def mdms_by_loops(z: torch.Tensor, f: torch.Tensor, margin: float) -> torch.Tensor:
    """The equation of L_mdms, term by term."""
    terms = []
    for zs, fs in zip(z, f, strict=True):
        n, total = len(zs), 0
        for p in range(n):
            for q in range(n):
                gap = (cosine(zs[p], zs[q]) - cosine(fs[p], fs[q])).abs()
                total = total + (gap - margin).clamp(min=0)
        terms.append(total / n**2)
    return sum(terms) / len(terms)


@pytest.mark.parametrize("margin", [0.0, 0.3])
@pytest.mark.parametrize(
    ("fast", "loops"), [(margin_cosine, mcos_by_loops), (margin_distance, mdms_by_loops)]
)
def test_margin_terms_follow_their_equations(fast, loops, margin: float) -> None:
    f, values, gradients = random(2, 6, 5, seed=1), [], []
    for term in (fast, loops):
        z = random(2, 6, 5).requires_grad_()
        value = term(z, f, margin)
        value.backward()
        values.append(value.item())
        gradients.append(z.grad)
    assert values[0] == pytest.approx(values[1], rel=1e-12)
    assert values[0] > 0
    # A gap of exactly zero lies on the diagonal, where the loops have no gradient either.
    assert torch.allclose(*gradients, atol=1e-12)


def test_float32_gradients_stay_close_to_float64() -> None:
    gradients = []
    for dtype in (torch.float32, torch.float64):
        z = random(2, 6, 5).to(dtype).requires_grad_()
        f = random(2, 6, 5, seed=1).to(dtype)
        (margin_cosine(z, f, 0.1) + margin_distance(z, f, 0.1)).backward()
        gradients.append(z.grad.double())
    assert torch.allclose(*gradients, atol=1e-6)


def test_terms_vanish_for_equal_directions() -> None:
    f = random(1, 6, 5)
    assert margin_cosine(3 * f, f, 0.0) == pytest.approx(0, abs=1e-12)
    assert margin_distance(3 * f, f, 0.0) == pytest.approx(0, abs=1e-12)


def test_the_projector_keeps_the_order_of_positions() -> None:
    projector = Projector(2, 3).double()
    z = random(1, 2, 2, 3)
    assert torch.allclose(projector(z)[0, 4], projector.map.weight @ z[0, :, 1, 1])


def test_the_loss_is_l1_when_nothing_else_is_there() -> None:
    objective = Objective(build("tiny"), None, None)
    x = random(1, 3, 32, 32).float().clamp(-1, 1)
    terms = objective(x, LossWeights(lpips=1.0, align=0.5))
    assert set(terms) == {"loss", "l1", "squared_error"}
    assert terms["loss"].item() == (objective.autoencoder(x).sample - x).abs().mean().item()


def test_lpips_is_zero_for_equal_pictures_and_has_finite_gradients() -> None:
    model, x = Lpips(), random(1, 3, 16, 16).float().requires_grad_()
    assert model(x, x).item() == pytest.approx(0, abs=1e-9)
    model(x, torch.zeros_like(x)).backward()
    assert x.grad.isfinite().all()


def test_lpips_reads_a_vgg_and_weighs_in_the_loss(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shapes = [m for m in Lpips().stages.modules() if isinstance(m, torch.nn.Conv2d)]
    numbers = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    weights = {}
    for number, convolution in zip(numbers, shapes, strict=True):
        weights[f"features.{number}.weight"] = torch.randn_like(convolution.weight) * 0.1
        weights[f"features.{number}.bias"] = torch.zeros_like(convolution.bias)
    torch.save(weights, tmp_path / "vgg16.pth")
    widths = (64, 128, 256, 512, 512)
    heads = {f"lin{i}.model.1.weight": torch.ones(1, w, 1, 1) for i, w in enumerate(widths)}
    torch.save(heads, tmp_path / "linear.pth")
    lpips = load_lpips(str(tmp_path / "vgg16.pth"), tmp_path / "linear.pth")
    objective = Objective(build("tiny"), lpips, None)
    terms = objective(random(1, 3, 32, 32).float(), LossWeights(lpips=0.5))
    assert terms["loss"].item() == pytest.approx((terms["l1"] + 0.5 * terms["lpips"]).item())
    assert not any("stages" in name for name in objective.state_dict())


def test_a_missing_weights_file_says_what_to_download(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="download https://.*vgg16"):
        load_lpips(str(tmp_path / "none.pth"))
    with pytest.raises(ValueError, match="dinov2-large"):
        load_features(str(tmp_path), None)


@pytest.mark.parametrize("model", ["f16", "f32"])
def test_features_lie_on_the_latent_grid_without_gradient(dino: str, model: str) -> None:
    features = load_features(dino, None)
    assert features.layer == 2
    f = int(model[1:])
    x = random(2, 3, 64, 96).float().requires_grad_()
    out = features(x, (64 // f, 96 // f))
    assert out.shape == (2, (64 // f) * (96 // f), 32)
    assert not out.requires_grad


@pytest.mark.parametrize("layer", [1, 3, 4])
def test_features_are_a_layer_of_the_whole_model_with_its_last_norm(dino: str, layer: int) -> None:
    from transformers import AutoModel

    whole = AutoModel.from_pretrained(dino, local_files_only=True).double().eval()
    features = load_features(dino, layer).double()
    seen = []
    hook = features.model.embeddings.register_forward_pre_hook(lambda _, given: seen.append(*given))
    out = features(random(2, 3, 64, 96).clamp(-1, 1), (4, 6))
    hook.remove()
    with torch.no_grad():
        hidden = whole(seen[0], output_hidden_states=True).hidden_states[layer]
        expected = whole.layernorm(hidden)[:, 1:]
    assert torch.allclose(out, expected, atol=1e-10) and len(features.model.encoder.layer) == layer


def test_a_model_that_cannot_be_cut_is_told(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    small = {"hidden_size": 8, "num_attention_heads": 1, "intermediate_size": 8, "vocab_size": 9}
    model = BertModel(BertConfig(num_hidden_layers=1, **small))
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="BertModel, whose layers cannot be cut"):
        load_features(str(tmp_path), 1)


def test_large_pictures_are_seen_in_windows_that_share_all_positions() -> None:
    assert windows(512, 512, 16) == [(slice(0, 512), slice(0, 512))]
    assert windows(448, 576, 16) == [(slice(0, 448), slice(0, 576))]
    for f in (16, 32):
        for height, width in ((1024, 1024), (2048, 2048), (896, 1152), (1792, 2304)):
            seen = torch.zeros(height, width)
            for rows, columns in windows(height, width, f):
                seen[rows, columns] += 1
                assert rows.start % f == columns.start % f == 0 <= rows.start
                assert (rows.stop - rows.start, columns.stop - columns.start) == (512, 512)
            assert seen.min() == 1
            assert height % 512 or seen.max() == 1
    drawn = {str(window(1024, 1024, 16, draw)) for draw in range(4)}
    assert len(drawn) == 4


def test_the_mean_over_all_windows_is_the_whole_alignment(monkeypatch: pytest.MonkeyPatch) -> None:
    # Features that depend on a position alone: then a window leaves nothing out but pairs.
    class Means(torch.nn.Module):
        width = 3

        def forward(self, x: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
            return torch.nn.functional.adaptive_avg_pool2d(x, grid).flatten(2).transpose(1, 2)

    torch.manual_seed(0)
    objective = Objective(build("tiny"), None, Means())
    x, weights = random(1, 3, 64, 64).float().clamp(-1, 1), LossWeights(align=0.5, m_cos=0.1)
    whole = objective(x, weights)
    monkeypatch.setattr(windowing, "LARGEST_PX", 32)
    parts = [objective(x, weights, draw) for draw in range(4)]
    mean = sum(part["mcos"].item() for part in parts) / 4
    assert mean == pytest.approx(whole["mcos"].item(), rel=1e-5)
    assert all(part["l1"].item() == whole["l1"].item() for part in parts)
    assert len({part["mdms"].item() for part in parts}) == 4


def test_windows_give_l_mcos_in_float64_and_l_mdms_within_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(windowing, "LARGEST_PX", 32)
    z, f = random(1, 4, 4, 5), random(1, 4, 4, 5, seed=1)  # float64[B, h, w, D], f = 16
    cut = [
        (slice(r.start // 16, r.stop // 16), slice(c.start // 16, c.stop // 16))
        for r, c in windows(64, 64, 16)
    ]
    pairs = [tuple(t[:, r, c].flatten(1, 2) for t in (z, f)) for r, c in cut]
    whole = margin_cosine(z.flatten(1, 2), f.flatten(1, 2), 0.1)
    assert (sum(margin_cosine(*p, 0.1) for p in pairs) / 4).item() == pytest.approx(whole.item())
    within = torch.stack([mdms_by_loops(*p, 0.1) for p in pairs])
    assert torch.allclose(torch.stack([margin_distance(*p, 0.1) for p in pairs]), within)


def test_lpips_looks_at_the_window_that_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windowing, "LARGEST_PX", 32)
    objective, x = Objective(build("tiny"), Lpips(), None), random(1, 3, 64, 64).float()
    terms = objective(x, LossWeights(lpips=1.0), 3)
    image = objective.autoencoder(x).sample
    expected = Lpips.forward(objective.frozen()[0], image[:, :, 32:, 32:], x[:, :, 32:, 32:])
    assert terms["lpips"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_alignment_trains_the_projector(dino: str) -> None:
    objective = Objective(build("tiny"), None, load_features(dino, 1))
    x = random(1, 3, 32, 48).float().clamp(-1, 1)
    terms = objective(x, LossWeights(align=0.5, m_cos=0.1, m_dist=0.05))
    expected = terms["l1"] + 0.5 * (terms["mcos"] + terms["mdms"])
    assert terms["loss"].item() == pytest.approx(expected.item())
    terms["loss"].backward()
    assert objective.projector.map.weight.grad.abs().sum() > 0
    assert math.isfinite(terms["loss"].item())


def test_a_wrong_layer_is_told(dino: str) -> None:
    with pytest.raises(ValueError, match="layers 1 to 4; got 9"):
        load_features(dino, 9)


def test_the_fork_adds_gradients_by_the_ratio_of_their_norms_by_hand() -> None:
    def through(wanted: float, largest: float, drag: float = 1.0) -> tuple[list[float], float]:
        z = torch.zeros(2, requires_grad=True)
        one, other, weight = fork(z, wanted, largest)
        # Gradients (6, 8), of norm 10, and drag * (0, 2).
        pull = (one * torch.tensor([6.0, 8.0])).sum()
        (pull + wanted * (drag * other * torch.tensor([0.0, 2.0])).sum()).backward()
        assert z.grad is not None and not weight.requires_grad
        return z.grad.tolist(), weight.item()

    # Five times as hard, and both are as long.
    assert through(1.0, 1e4) == ([6.0, 18.0], 5.0)
    assert through(0.5, 1e4) == ([6.0, 13.0], 2.5)
    assert through(0.5, 2.0) == ([6.0, 10.0], 1.0)
    # Margins that are met give no gradient at all: a weight as large as allowed, of nothing.
    assert through(1.0, 7.0, drag=0.0) == ([6.0, 8.0], 7.0)


def test_one_backward_gives_the_gradients_of_two(dino: str) -> None:
    features, model = load_features(dino, 1), build("tiny")
    objective = Objective(model, None, features, adaptive=1e4)
    x = random(2, 3, 32, 48).float().clamp(-1, 1)
    terms = objective(x, LossWeights(align=0.5, m_cos=0.1))
    terms["loss"].backward()
    learning = [p for p in model.parameters() if p.requires_grad]
    found = [p.grad.clone() for p in learning]
    weight = terms["align_weight"].item()

    # Twice through the decoder: for the norms, then for the gradients with the weight they give.
    z = model.encode(x).latent_dist.mode().detach().requires_grad_()
    l1 = (model.decode(z).sample - x).abs().mean()
    projected, seen = objective.projector(z), features(x, (2, 3))
    align = margin_cosine(projected, seen, 0.1) + margin_distance(projected, seen, 0.0)
    norms = [torch.autograd.grad(loss, z)[0].norm() for loss in (l1, align)]
    assert weight == pytest.approx(0.5 * (norms[0] / norms[1]).item(), rel=1e-5)
    assert terms["loss"].item() == pytest.approx((l1 + 0.5 * align).item())
    objective.zero_grad()
    fixed = Objective(model, None, features)
    fixed.projector.load_state_dict(objective.projector.state_dict())
    fixed(x, LossWeights(align=weight, m_cos=0.1))["loss"].backward()
    for one, other in zip(found, (p.grad for p in learning), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)

    with torch.no_grad():
        assert "align_weight" not in objective(x, LossWeights(align=0.5))
    assert "align_weight" not in fixed(x, LossWeights(align=0.5))
