// One view for all pictures of a row: `x`, `y` in [0, 1] of the picture are at the frame's corner.
class View {
  constructor(frames, size, changed) {
    Object.assign(this, { frames, size, changed, scale: 1, x: 0, y: 0 });
    for (const frame of frames) this.listen(frame);
  }

  // The point `u`, `v` of the frame, in [0, 1], stays where it is.
  zoom(factor, u = 0.5, v = 0.5) {
    const scale = Math.min(64, Math.max(1, this.scale * factor));
    this.move(this.x + u / this.scale - u / scale, this.y + v / this.scale - v / scale, scale);
  }

  move(x, y, scale = this.scale) {
    const least = (value) => Math.min(1 - 1 / scale, Math.max(0, value));
    Object.assign(this, { scale, x: least(x), y: least(y) });
    this.show();
  }

  show() {
    for (const frame of this.frames) {
      const { x, y, scale } = this;
      const stack = frame.firstElementChild;
      stack.style.transform = scale === 1
        ? "" : `scale(${scale}) translate(${-100 * x}%, ${-100 * y}%)`;
      // Pixels are squares once they are enlarged; at 1.1 times their size, and shrunk, thin lines
      // would come out of unequal width or not at all.
      const large = frame.clientWidth * scale * devicePixelRatio >= 1.5 * this.size[0];
      frame.classList.toggle("pixels", large);
    }
    this.changed(this);
  }

  listen(frame) {
    const row = () => frame.closest(".row");
    frame.addEventListener("wheel", (event) => {
      // Elsewhere, and where nothing is left to zoom out of, the wheel scrolls the page.
      const selected = row().getAttribute("aria-current") === "true";
      if (!selected || (event.deltaY > 0 && this.scale === 1)) return;
      event.preventDefault();
      const box = frame.getBoundingClientRect();
      const u = (event.clientX - box.left) / box.width, v = (event.clientY - box.top) / box.height;
      this.zoom(2 ** (-event.deltaY / 250), u, v);
    }, { passive: false });
    frame.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      Rows.select(row());
      event.preventDefault();
      frame.setPointerCapture(event.pointerId);
      this.held = [event.clientX, event.clientY, this.x, this.y];
    });
    frame.addEventListener("pointermove", (event) => {
      if (!this.held) return;
      const [left, top, x, y] = this.held, { clientWidth: wide, clientHeight: high } = frame;
      this.move(x - (event.clientX - left) / wide / this.scale,
        y - (event.clientY - top) / high / this.scale);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      frame.addEventListener(end, () => { this.held = null; });
    }
  }
}
