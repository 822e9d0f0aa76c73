from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from filters.training import text_line, text_screen
from filters.training.text_line import Line


def quiet(said: str) -> None:
    pass


def striped(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures of 192 px; every other one has a block of stripes, which is its text."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(110, 120, (count, 192, 192, 3), np.uint8)
    labels = np.zeros((count, 24, 24), np.uint8)
    for n in range(0, count, 2):
        y, x = rng.integers(0, 16, 2)
        pictures[n, 8 * y : 8 * y + 64, 8 * x : 8 * x + 64 : 3] = 20
        labels[n, y : y + 8, x : x + 8] = 254
    return pictures, labels


def test_the_same_samples_give_the_same_weights() -> None:
    nets = [text_screen.fit(*striped(32), epochs=2, tell=quiet) for _ in range(2)]
    one, other = (net.state_dict() for net in nets)
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_screen_learns_where_text_is() -> None:
    pictures, labels = striped(32)
    net = text_screen.fit(pictures, labels, epochs=20, tell=quiet)
    rgb = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        logits = net(rgb).numpy()
    assert logits[labels > 0].mean() > logits[labels == 0].mean() + 0.5


def test_the_written_screen_says_what_the_trained_one_says(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = text_screen.Screen().eval()
    text_screen.write(net, tmp_path / "screen.onnx")
    rgb = striped(1)[0]
    session = onnxruntime.InferenceSession(tmp_path / "screen.onnx")
    for cut in (rgb, np.ascontiguousarray(rgb[:, :64, :160])):
        (found,) = session.run(None, {"rgb": cut})
        with torch.no_grad():
            chances = torch.sigmoid(net(torch.from_numpy(cut).permute(0, 3, 1, 2).float() / 255))
        np.testing.assert_allclose(found, chances.numpy(), atol=1e-4)


def barred(count: int) -> list[Line]:
    """Lines with some bars, which are their characters: red ones are Han."""
    rng = np.random.default_rng(0)
    lines = []
    for n in range(count):
        bars = int(rng.integers(2, 12))
        rgb = np.full((24, 12 * bars, 3), 200, np.uint8)
        rgb[:, 4::12] = (200, 30, 30) if n % 2 else 30
        counts = np.array([bars, 0] if n % 2 else [0, bars], np.float32)
        lines.append(Line(rgb, counts, 0.8, True))
        lines.append(Line(rng.integers(0, 255, rgb.shape, np.uint8), counts * 0, 1.0, False))
    return lines


def test_the_counter_learns_to_count_and_to_tell_text(tmp_path: Path) -> None:
    lines = barred(64)
    net = text_line.fit(lines, epochs=25, tell=quiet)
    text_line.write(net, tmp_path / "line.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "line.onnx")
    found = np.stack([session.run(None, {"line": line.rgb[None]})[0] for line in lines])
    text = np.array([line.text for line in lines])
    truth = np.array([line.counts.sum() for line in lines])
    errors = np.abs(found[text, :2].sum(axis=1) - truth[text]) / truth[text]
    assert np.median(errors) < 0.3
    assert found[text, 3].mean() > found[~text, 3].mean() + 0.2


def test_the_written_counter_says_what_the_trained_one_says(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = text_line.LineCounter().eval()
    text_line.write(net, tmp_path / "line.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "line.onnx")
    for line in barred(3)[:3]:
        (found,) = session.run(None, {"line": line.rgb[None]})
        values = torch.from_numpy(text_line.normed(line.rgb)).permute(2, 0, 1)[None]
        with torch.no_grad():
            counts, whole = net(values)
        wanted = [*counts[0], whole[0, 0].exp(), whole[0, 1].sigmoid()]
        np.testing.assert_allclose(found, np.array(wanted, np.float32), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("count", [1, 40])
def test_lines_beside_each_other_are_seen_as_if_alone(count: int) -> None:
    torch.manual_seed(0)
    net, lines = text_line.LineCounter().eval(), barred(40)
    if count == 1:  # as long as a strip
        lines = [Line(np.tile(lines[0].rgb, (1, 200, 1))[:, :2048], lines[0].counts, 0.8, True)]
    rng = np.random.default_rng(1)
    pictures, owner = text_line._beside(lines, rng)
    assert (len(pictures) > 1) == (count > 1) and pictures.shape[3] % 4 == 0
    with torch.no_grad():
        counts, whole = net(torch.from_numpy(pictures), torch.from_numpy(owner))
        for n in range(len(lines)):
            row, columns = np.nonzero(owner == n)
            own = pictures[row[:1], :, :, 4 * columns[0] : 4 * columns[-1] + 4]
            alone = net(torch.from_numpy(np.ascontiguousarray(own)))
            # Not to the digit: the first layers see a gap where a line alone has an end.
            torch.testing.assert_close(counts[n : n + 1], alone[0], rtol=0.02, atol=1e-3)
            torch.testing.assert_close(whole[n : n + 1], alone[1], rtol=0.02, atol=1e-3)
