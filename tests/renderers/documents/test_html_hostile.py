"""Pages that reach for the network or for files, that hang, that are endless: nothing gets out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from renderers.documents.page import DocumentFault, RendererMissing
from renderers.documents.web.browser import Browser
from renderers.documents.web.html import open_html
from tests.pipelines.browser import needs_chromium
from tests.renderers.documents.pages import RECIPE, look, show
from vae_corpus.pictures.decode import Limits

pytestmark = needs_chromium


@dataclass
class _Listener:
    """Counts who connects, by TCP and by UDP, on the same port."""

    port: int
    hits: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def listener() -> Iterator[_Listener]:
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port = tcp.getsockname()[1]
    udp.bind(("127.0.0.1", port))
    found = _Listener(port)

    def accept() -> None:
        with suppress(OSError):
            while True:
                tcp.accept()[0].close()
                found.hits.append("tcp")

    def receive() -> None:
        with suppress(OSError):
            while udp.recv(1000) != b"end":
                found.hits.append("udp")

    threads = [threading.Thread(target=work, daemon=True) for work in (accept, receive)]
    for thread in threads:
        thread.start()
    yield found
    # A thread that waits for a connection does not notice that its socket is closed.
    tcp.shutdown(socket.SHUT_RDWR)
    udp.sendto(b"end", ("127.0.0.1", port))
    for thread in threads:
        thread.join()
    tcp.close()
    udp.close()


_STATIC = """<!doctype html><base href="http://127.0.0.1:{port}/">
<meta http-equiv=refresh content="0;url=http://127.0.0.1:{port}/refresh">
<link rel=stylesheet href=style.css><link rel=prefetch href=prefetch>
<link rel=preconnect href="http://127.0.0.1:{port}/"><link rel=dns-prefetch href="//localhost">
<link rel=preload as=image href=preload><link rel=manifest href=manifest><link rel=icon href=icon>
<style>@import "http://127.0.0.1:{port}/import"; body {{background: url(//127.0.0.1:{port}/ground)}}
@font-face {{font-family: F; src: url(http://localhost:{port}/font)}} p {{font-family: F}}</style>
<p>text<img src=img srcset="set 2x"><iframe src=frame></iframe><object data=object></object>
<embed src=embed><video src=video poster=poster autoplay></video><audio src=audio autoplay></audio>
<svg><image href="http://127.0.0.1:{port}/svg"/><use href="http://127.0.0.1:{port}/use#a"/></svg>
<iframe srcdoc="<img src=http://127.0.0.1:{port}/inner>"></iframe><input type=image src=button>
<form action=form><input name=a></form>"""
_SCRIPTED = """<p>text<script>
const at = '127.0.0.1:{port}/', tried = (f) => {{ try {{ f() }} catch (e) {{ }} }};
tried(() => fetch('http://' + at, {{mode: 'no-cors'}}).catch(() => 0));
tried(() => navigator.sendBeacon('http://' + at, 'x'));
tried(() => new WebSocket('ws://' + at));
tried(() => new EventSource('http://' + at));
tried(() => {{ new Image().src = 'http://' + at }});
tried(() => new Worker('http://' + at));
tried(() => new Worker(URL.createObjectURL(new Blob([
  `fetch('http://${{at}}', {{mode: 'no-cors'}}); new WebSocket('ws://${{at}}')`]))));
tried(() => navigator.serviceWorker.register('http://' + at));
tried(() => new WebTransport('https://' + at));
tried(() => window.open('http://' + at));
tried(() => {{
  const peer = new RTCPeerConnection({{iceServers: [
    {{urls: 'stun:127.0.0.1:{port}'}},
    {{urls: 'turn:127.0.0.1:{port}?transport=tcp', username: 'a', credential: 'b'}}]}});
  peer.createDataChannel('x');
  peer.createOffer().then((offer) => peer.setLocalDescription(offer));
}});
tried(() => {{
  const form = document.createElement('form');
  form.action = 'http://' + at;
  document.body.append(form);
  form.submit();
}});
tried(() => setTimeout(() => {{ location = 'http://' + at }}, 20));
tried(() => {{
  const link = document.createElement('a');
  link.href = 'http://' + at;
  link.download = 'x';
  document.body.append(link);
  link.click();
}});
</script>"""


@pytest.mark.parametrize("javascript", [False, True])
@pytest.mark.parametrize("page", [_STATIC, _SCRIPTED])
def test_nothing_reaches_the_network(
    chromium: Browser, listener: _Listener, page: str, javascript: bool
) -> None:
    html = page.format(port=listener.port).encode()
    document = open_html(
        html, resources=None, recipe=RECIPE, browser=chromium, javascript=javascript, timeout_s=6
    )
    with closing(document):
        said = document.render(0, look(16), Limits()).characters.text
        # What was begun may come late.
        time.sleep(0.3)
        again = document.render(0, look(16), Limits()).characters.text
    assert listener.hits == []
    assert "text" in said and "text" in again


def test_scripts_find_no_way_to_peers(chromium: Browser) -> None:
    html = """<body><script>
        const frame = document.createElement('iframe');
        document.body.append(frame);
        for (const where of [window, frame.contentWindow]) document.body.append(
          typeof where.RTCPeerConnection + ' ' + typeof where.WebTransport + ' ');
        </script>"""
    said = show(chromium, html, javascript=True).characters.text
    assert said.split() == ["undefined"] * 4


def test_no_file_outside_its_folder_is_shown(chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "secret.css").write_text("p::before{content:'secret'}")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.css").symlink_to(tmp_path / "secret.css")
    (inside / "own.css").write_text("p::after{content:'own'}")
    html = f"""<link rel=stylesheet href=own.css><link rel=stylesheet href=link.css>
        <link rel=stylesheet href=../secret.css><link rel=stylesheet href="/%2e%2e/secret.css">
        <link rel=stylesheet href="..%2fsecret.css">
        <link rel=stylesheet href="file://{tmp_path}/secret.css">
        <p>text<iframe src="file:///etc/passwd"></iframe><object data="file:///etc/passwd"></object>
        <img src="file:///etc/passwd">"""
    for javascript in (False, True):
        image = show(chromium, html, resources=inside, javascript=javascript)
        assert {"text", "own"} <= set(image.characters.text.split())
        assert "secret" not in image.characters.text and "root" not in image.characters.text


def test_a_page_that_never_ends_is_given_up_and_the_next_is_drawn(chromium: Browser) -> None:
    before = open_html(b"<p>text", resources=None, recipe=RECIPE, browser=chromium)
    with closing(before):
        first = before.render(0, look(16), Limits())
        begun = time.monotonic()
        with pytest.raises(DocumentFault) as fault:
            show(chromium, "<script>while(1){}</script>", javascript=True, timeout_s=0.7)
        assert fault.value.slug == "page_timeout"
        assert time.monotonic() - begun < 5
        # A document outlives the browser that drew it.
        assert (before.render(0, look(16), Limits()).rgb == first.rgb).all()
    assert show(chromium, "<p>next").characters.text == "next"


def test_a_crash_is_told_and_the_next_is_drawn(chromium: Browser) -> None:
    document = open_html(b"<p>text", resources=None, recipe=RECIPE, browser=chromium)
    assert chromium.pid is not None
    os.killpg(chromium.pid, signal.SIGKILL)
    with pytest.raises(DocumentFault) as fault, closing(document):
        document.render(0, look(16), Limits())
    assert fault.value.slug == "page_crashed"
    assert show(chromium, "<p>next").characters.text == "next"


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 20_000 + "deep",
        "<div style='height:900000000px'></div><p>far",
        "<canvas width=32000 height=32000 style='width:99999999px;height:99999999px'></canvas>",
        "<p style='font-size:99999999px'>huge",
        "<p style='zoom:1e-9'>tiny",
        "<table>" * 2000 + "<tr><td>cell",
        "<iframe src='/index.html'></iframe>" * 50,
        "<style>p{content-visibility:auto;animation:a 1s infinite}@keyframes a{to{margin:9px}}"
        "</style><p>text" * 50,
        "<meta http-equiv=refresh content=0><p>again",
        "<meta http-equiv=refresh content='0;url=about:blank'><p>again",
        "\0\x80<\ud7ff<p>\u0000text</p",
    ],
    ids=range(11),
)
def test_odd_pages_end_in_time(chromium: Browser, html: str) -> None:
    document = open_html(html.encode(), resources=None, recipe=RECIPE, browser=chromium)
    with closing(document):
        assert 1 <= document.pages <= 300
        document.render(document.pages - 1, look(8), Limits())


_CHILD = """
import sys
from pathlib import Path
from renderers.documents.web.browser import Browser
from renderers.documents.web.html import open_html
from tests.renderers.documents.pages import RECIPE
browser = Browser(fonts=[Path(sys.argv[1])])
browser.name
print(browser.pid, flush=True)
open_html(b"<script>while(1){}</script>", resources=None, recipe=RECIPE, browser=browser,
    javascript=True, timeout_s=60)
"""


def test_the_browser_dies_with_the_process_that_started_it(font_folder: Path) -> None:
    command = [sys.executable, "-c", _CHILD, str(font_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        time.sleep(0.3)
        assert _alive(pid)
        child.kill()
    for _ in range(100):
        if not _alive(pid):
            break
        time.sleep(0.1)
    assert not _alive(pid)


def _alive(session: int) -> bool:
    """Whether a process of the session runs; one that waits to be reaped does not."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state, _, _, sid = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(sid) == session and state != "Z":
                    return True
    return False


def test_without_chromium_it_says_how_to_get_it(
    font_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RendererMissing, match="apt-get install chromium"):
        Browser(fonts=[font_folder])
