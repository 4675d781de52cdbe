// Points on WebGL: places between two epochs, colours, sizes; and which point lies at a place.
"use strict";
(() => {
  const VERTEX = `#version 300 es
    in vec2 start; in vec2 end; in vec4 colour; in float size;
    uniform float share; uniform vec2 scale; uniform vec2 shift; uniform float pixels;
    out vec4 tint; out float square;
    void main() {
      vec2 place = mix(start, end, share);
      gl_Position = vec4(place * scale + shift, 0.0, 1.0);
      gl_PointSize = abs(size) * pixels;
      square = size < 0.0 ? 1.0 : 0.0;
      tint = colour;
      if (size == 0.0) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    }`;
  const FRAGMENT = `#version 300 es
    precision mediump float;
    in vec4 tint; in float square; uniform float opacity; uniform vec3 ink; out vec4 shown;
    void main() {
      vec2 off = gl_PointCoord - 0.5;
      float far = mix(length(off), abs(off.x) + abs(off.y), square);
      float edge = 1.0 - smoothstep(0.4, 0.5, far);
      float strength = tint.a * opacity * edge;
      if (strength < 0.004) discard;
      vec3 tone = square * step(0.28, far) > 0.0 ? ink : tint.rgb;
      shown = vec4(tone * strength, strength);
    }`;

  function compiled(gl, kind, text) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    return shader;
  }

  // A map of points on a canvas. Places are [x, y] pairs in map units; not a number: the point is not shown.
  class PointMap {
    constructor(canvas) {
      this.canvas = canvas;
      const gl = canvas.getContext("webgl2", { antialias: false, alpha: true });
      if (!gl) throw new Error("This browser has no WebGL 2.");
      this.gl = gl;
      const program = gl.createProgram();
      gl.attachShader(program, compiled(gl, gl.VERTEX_SHADER, VERTEX));
      gl.attachShader(program, compiled(gl, gl.FRAGMENT_SHADER, FRAGMENT));
      gl.linkProgram(program);
      gl.useProgram(program);
      this.at = (name) => gl.getUniformLocation(program, name);
      this.buffers = {};
      for (const [name, width, kind] of [["start", 2, gl.FLOAT], ["end", 2, gl.FLOAT], ["colour", 4, gl.UNSIGNED_BYTE],
        ["size", 1, gl.FLOAT]]) {
        const place = gl.getAttribLocation(program, name), buffer = gl.createBuffer();
        gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
        gl.enableVertexAttribArray(place);
        gl.vertexAttribPointer(place, width, kind, kind === gl.UNSIGNED_BYTE, 0, 0);
        this.buffers[name] = buffer;
      }
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      this.count = 0;
      this.share = 0;
      this.opacity = 1;
      this.ink = [0, 0, 0];  // round diamonds
      this.view = { x: 0, y: 0, width: 1 };
    }

    put(name, values) {
      const gl = this.gl;
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    }

    // Places at both ends of a step and the sizes: a negative size draws a diamond, and a point without a place at either
    // end has size 0.
    place(start, end, sizes) {
      this.count = sizes.length;
      const from = new Float32Array(start.length), to = new Float32Array(end.length), size = new Float32Array(sizes);
      for (let i = 0; i < size.length; i++) {
        const known = start[2 * i] === start[2 * i], later = end[2 * i] === end[2 * i];
        for (let axis = 0; axis < 2; axis++) {
          from[2 * i + axis] = known ? start[2 * i + axis] : end[2 * i + axis];
          to[2 * i + axis] = later ? end[2 * i + axis] : start[2 * i + axis];
        }
        if (!known && !later) { size[i] = 0; from[2 * i] = from[2 * i + 1] = to[2 * i] = to[2 * i + 1] = 0; }
      }
      this.start = from; this.end = to; this.sizes = size;
      this.put("start", from); this.put("end", to); this.put("size", size);
    }

    colours(values) { this.put("colour", values); }

    // Scale and shift from map units to clip space: a unit is as long on both axes.
    frame() {
      const { x, y, width } = this.view, across = this.canvas.width, down = this.canvas.height || 1;
      const sx = 2 / width, sy = (2 / width) * (across / down);
      return { sx, sy, dx: -x * sx, dy: -y * sy };
    }

    resize() {
      const ratio = Math.min(window.devicePixelRatio || 1, 2), box = this.canvas.getBoundingClientRect();
      const across = Math.max(1, Math.round(box.width * ratio)), down = Math.max(1, Math.round(box.height * ratio));
      if (this.canvas.width !== across || this.canvas.height !== down) { this.canvas.width = across; this.canvas.height = down; }
      this.ratio = ratio;
    }

    draw() {
      const gl = this.gl, { sx, sy, dx, dy } = this.frame();
      gl.viewport(0, 0, this.canvas.width, this.canvas.height);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
      gl.uniform1f(this.at("share"), this.share);
      gl.uniform2f(this.at("scale"), sx, sy);
      gl.uniform2f(this.at("shift"), dx, dy);
      gl.uniform1f(this.at("pixels"), this.ratio || 1);
      gl.uniform1f(this.at("opacity"), this.opacity);
      gl.uniform3f(this.at("ink"), ...this.ink);
      if (this.count) gl.drawArrays(gl.POINTS, 0, this.count);
    }

    // Where a point lies now, in map units.
    now(i) {
      return [0, 1].map((axis) => this.start[2 * i + axis] * (1 - this.share) + this.end[2 * i + axis] * this.share);
    }

    // From map units to CSS pixels of the canvas, and back.
    toPage([x, y]) {
      const { sx, sy, dx, dy } = this.frame(), ratio = this.ratio || 1;
      return [(x * sx + dx + 1) / 2 * this.canvas.width / ratio, (1 - (y * sy + dy)) / 2 * this.canvas.height / ratio];
    }

    toMap([left, top]) {
      const { sx, sy, dx, dy } = this.frame(), ratio = this.ratio || 1;
      return [(left * ratio / this.canvas.width * 2 - 1 - dx) / sx, (1 - top * ratio / this.canvas.height * 2 - dy) / sy];
    }

    // The nearest shown point within some CSS pixels, or -1.
    nearest(at, reach) {
      const [x, y] = this.toMap(at), unit = this.view.width / (this.canvas.width / (this.ratio || 1));
      let best = (reach * unit) ** 2, found = -1;
      for (let i = 0; i < this.count; i++) {
        if (!this.sizes[i]) continue;
        const px = this.start[2 * i] + (this.end[2 * i] - this.start[2 * i]) * this.share - x;
        const py = this.start[2 * i + 1] + (this.end[2 * i + 1] - this.start[2 * i + 1]) * this.share - y;
        const far = px * px + py * py;
        if (far < best) { best = far; found = i; }
      }
      return found;
    }

    // Shown points in the rectangle between two corners in CSS pixels.
    within(one, other) {
      const a = this.toMap(one), b = this.toMap(other), found = [];
      const [left, right] = [Math.min(a[0], b[0]), Math.max(a[0], b[0])];
      const [low, high] = [Math.min(a[1], b[1]), Math.max(a[1], b[1])];
      for (let i = 0; i < this.count; i++) {
        if (!this.sizes[i]) continue;
        const [x, y] = this.now(i);
        if (x >= left && x <= right && y >= low && y <= high) found.push(i);
      }
      return found;
    }

    zoom(at, factor) {
      const before = this.toMap(at);
      this.view.width *= factor;
      const after = this.toMap(at);
      this.view.x += before[0] - after[0];
      this.view.y += before[1] - after[1];
    }

    pan(dx, dy) {
      const unit = this.view.width / (this.canvas.width / (this.ratio || 1));
      this.view.x -= dx * unit;
      this.view.y += dy * unit;
    }
  }
  window.PointMap = PointMap;
})();
