/** A field as a lit surface to be turned: height and colour are its values. Loaded when first asked for. */
import { LitElement, css, html, nothing, type PropertyValues } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import {
  AmbientLight, BufferAttribute, Color, DirectionalLight, DoubleSide, DynamicDrawUsage, LineBasicMaterial, LineSegments, EdgesGeometry, BoxGeometry, Mesh,
  MeshLambertMaterial, PerspectiveCamera, PlaneGeometry, Scene, SRGBColorSpace, WebGLRenderer,
} from 'three';
import { OrbitControls } from 'three/examples/jsm/controls/OrbitControls.js';
import { colorTable } from '../lib/colormaps';
import type { RunModel } from '../lib/run-model';
import type { PaneIndex, ViewPayload } from '../worker/protocol';
import { Watch } from './watch';

/** Points of the mesh along a side: finer fields are thinned out. */
const FINEST = 200;
/** Milliseconds between two reads of the run. */
const PAUSE = 66;
/** Height of the whole range, where the longer side has length 2. */
const HEIGHT = 0.6;

@customElement('eddy-surface')
export class EddySurface extends LitElement {
  static override styles = css`
    :host { position: absolute; inset: 0; display: block; background: var(--stage); }
    canvas { width: 100%; height: 100%; display: block; touch-action: none; }
    canvas:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
    p { position: absolute; inset: 0; display: grid; place-items: center; margin: 0; padding: 16px; text-align: center; color: var(--stage-ink); font-size: 14px; }
  `;
  @property({ attribute: false }) model?: RunModel;
  @property({ type: Number }) pane: PaneIndex = 0;
  @state() private refused = '';
  private renderer: WebGLRenderer | undefined;
  private controls: OrbitControls | undefined;
  private scene = new Scene();
  private camera = new PerspectiveCamera(38, 1, 0.05, 20);
  private mesh: Mesh<PlaneGeometry, MeshLambertMaterial> | undefined;
  private frame: LineSegments<EdgesGeometry, LineBasicMaterial> | undefined;
  private shape = '';
  private reading = false;
  private again = false;
  private last = 0;
  private timer = 0;
  private sizes = new ResizeObserver(() => this.resize());

  constructor() {
    super();
    new Watch(this, ['state', 'header', 'settings'], () => this.read());
    this.camera.up.set(0, 0, 1);
    this.camera.position.set(1.75, -2.75, 2.05);
    const sun = new DirectionalLight(0xffffff, 1.6);
    sun.position.set(-2, -1.5, 4);
    this.scene.add(new AmbientLight(0xffffff, 1.7), sun);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
    this.sizes.disconnect();
    this.controls?.dispose();
    this.mesh?.geometry.dispose();
    this.mesh?.material.dispose();
    this.renderer?.dispose();
    this.renderer?.forceContextLoss();
    this.renderer = undefined;
    this.mesh = undefined;
    this.shape = '';
  }

  protected override firstUpdated(): void {
    const canvas = this.renderRoot.querySelector('canvas')!;
    const context = canvas.getContext('webgl2', { antialias: true, alpha: true });
    if (context) {
      this.renderer = new WebGLRenderer({ canvas, context });
    } else {
      this.refused = 'This browser has no WebGL, which the surface is drawn with. The flat picture shows the same values.';
      return;
    }
    this.renderer.outputColorSpace = SRGBColorSpace;
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enablePan = false;
    this.controls.minDistance = 1.2;
    this.controls.maxDistance = 8;
    this.controls.maxPolarAngle = Math.PI;
    this.controls.addEventListener('change', () => this.draw());
    canvas.addEventListener('webglcontextlost', (e) => {
      e.preventDefault();
      if (this.isConnected) this.refused = 'The browser took back the drawing context of the surface. The flat picture goes on.';
    });
    this.sizes.observe(this);
    this.resize();
    this.read();
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has('pane') || changed.has('model')) this.read();
  }

  private resize(): void {
    const [width, height] = [this.clientWidth, this.clientHeight];
    if (!this.renderer || !width || !height) return;
    this.renderer.setPixelRatio(Math.min(2, window.devicePixelRatio || 1));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    // On a narrow pane the whole is seen from further off.
    this.camera.fov = 38 * Math.max(1, 1.35 / this.camera.aspect) ** 0.8;
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  /** Reads the values shown, at most every PAUSE ms, one read at a time. */
  private read(): void {
    const { model } = this;
    if (!this.renderer || model?.status !== 'ready' || !model.view) return;
    if (this.reading) {
      this.again = true;
      return;
    }
    const wait = this.last + PAUSE - performance.now();
    clearTimeout(this.timer);
    if (wait > 0) {
      this.timer = window.setTimeout(() => this.read(), wait);
      return;
    }
    this.reading = true;
    const { key, colors } = model.view;
    model
      .readView(key, this.pane)
      .then((payload) => this.show(payload, colors))
      .catch(() => undefined)
      .finally(() => {
        this.reading = false;
        this.last = performance.now();
        if (this.again && this.isConnected) {
          this.again = false;
          this.read();
        }
      });
  }

  private show({ header, data }: ViewPayload, colors: Parameters<typeof colorTable>[0]): void {
    if (header.kind !== 'field' || !this.renderer) return;
    const { nx, ny } = header;
    const stride = Math.max(1, Math.ceil(Math.max(nx, ny) / FINEST));
    const [columns, rows] = [Math.ceil(nx / stride), Math.ceil(ny / stride)];
    if (columns < 2 || rows < 2) return;
    const [width, depth] = [header.x[1] - header.x[0], header.y[1] - header.y[0]].map(Math.abs) as [number, number];
    const unit = 2 / Math.max(width, depth);
    const shape = `${columns},${rows},${width},${depth}`;
    if (shape !== this.shape) this.build(columns, rows, width * unit, depth * unit);
    this.shape = shape;
    const mesh = this.mesh!;
    const positions = mesh.geometry.getAttribute('position') as BufferAttribute;
    const shades = mesh.geometry.getAttribute('color') as BufferAttribute;
    const table = colorTable(colors);
    const [low, high] = header.range;
    const scale = high > low ? 1 / (high - low) : 0;
    const color = new Color();
    for (let j = 0; j < rows; j++) {
      // The first row of a plane lies at the top, the first of the data at the bottom.
      const from = (rows - 1 - j) * stride * nx;
      for (let i = 0; i < columns; i++) {
        const share = (data[from + i * stride]! - low) * scale;
        const inside = Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0));
        const at = j * columns + i;
        positions.setZ(at, HEIGHT * (inside - 0.5));
        const word = table[(255 * inside + 0.5) | 0]!;
        color.setRGB((word & 255) / 255, ((word >> 8) & 255) / 255, ((word >> 16) & 255) / 255, SRGBColorSpace);
        shades.setXYZ(at, color.r, color.g, color.b);
      }
    }
    positions.needsUpdate = true;
    shades.needsUpdate = true;
    mesh.geometry.computeVertexNormals();
    this.draw();
    this.toggleAttribute('drawn', true);
  }

  private build(columns: number, rows: number, width: number, depth: number): void {
    this.mesh?.geometry.dispose();
    this.mesh?.removeFromParent();
    this.frame?.geometry.dispose();
    this.frame?.removeFromParent();
    const geometry = new PlaneGeometry(width, depth, columns - 1, rows - 1);
    geometry.setAttribute('color', new BufferAttribute(new Float32Array(3 * columns * rows), 3));
    for (const name of ['position', 'color', 'normal']) (geometry.getAttribute(name) as BufferAttribute).setUsage(DynamicDrawUsage);
    this.mesh = new Mesh(geometry, this.mesh?.material ?? new MeshLambertMaterial({ vertexColors: true, side: DoubleSide }));
    this.frame = new LineSegments(new EdgesGeometry(new BoxGeometry(width, depth, HEIGHT)), this.frame?.material ?? new LineBasicMaterial({ color: 0x5b6675 }));
    this.scene.add(this.mesh, this.frame);
  }

  private draw(): void {
    this.renderer?.render(this.scene, this.camera);
  }

  /** Arrow keys turn, plus and minus come closer and go off. */
  private onKey = (event: KeyboardEvent): void => {
    const turn: Record<string, [number, number, number]> = {
      ArrowLeft: [-0.12, 0, 1], ArrowRight: [0.12, 0, 1], ArrowUp: [0, -0.1, 1], ArrowDown: [0, 0.1, 1], '+': [0, 0, 0.9], '-': [0, 0, 1 / 0.9],
    };
    const by = turn[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const { position } = this.camera;
    const radius = Math.min(8, Math.max(1.2, position.length() * by[2]));
    const polar = Math.min(3.1, Math.max(0.04, Math.acos(position.z / position.length()) + by[1]));
    const around = Math.atan2(position.y, position.x) + by[0];
    position.set(radius * Math.sin(polar) * Math.cos(around), radius * Math.sin(polar) * Math.sin(around), radius * Math.cos(polar));
    this.controls?.update();
    this.draw();
  };

  protected override render() {
    const label = `${this.model?.view?.label ?? 'field'} as a surface; arrow keys turn it, plus and minus zoom`;
    return html`<canvas tabindex="0" role="img" aria-label=${label} ?hidden=${!!this.refused} @keydown=${this.onKey}></canvas>
      ${this.refused ? html`<p role="status">${this.refused}</p>` : nothing}`;
  }
}
