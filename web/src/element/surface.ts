/** A field as a lit surface to be turned: height and colour are its values. Loaded when first asked for. */
import { customElement } from 'lit/decorators.js';
import {
  AmbientLight, BufferAttribute, Color, DirectionalLight, DoubleSide, DynamicDrawUsage, LineBasicMaterial, LineSegments, EdgesGeometry, BoxGeometry, Mesh,
  MeshLambertMaterial, PlaneGeometry, SRGBColorSpace,
} from 'three';
import type { ColorMapName } from '../lib/catalog';
import { colorTable } from '../lib/colormaps';
import type { ViewPayload } from '../worker/protocol';
import { EddySolid } from './solid';

/** Points of the mesh along a side: finer fields are thinned out. */
const FINEST = 200;
/** Height of the whole range, where the longer side has length 2. */
const HEIGHT = 0.6;

@customElement('eddy-surface')
export class EddySurface extends EddySolid {
  protected readonly noun = 'surface';
  protected readonly instead = 'The flat picture shows the same values.';
  private mesh: Mesh<PlaneGeometry, MeshLambertMaterial> | undefined;
  private frame: LineSegments<EdgesGeometry, LineBasicMaterial> | undefined;
  private shape = '';

  constructor() {
    super();
    const sun = new DirectionalLight(0xffffff, 1.6);
    sun.position.set(-2, -1.5, 4);
    this.scene.add(new AmbientLight(0xffffff, 1.7), sun);
  }

  protected override discard(): void {
    for (const part of [this.mesh, this.frame]) {
      part?.removeFromParent();
      part?.geometry.dispose();
      part?.material.dispose();
    }
    this.mesh = undefined;
    this.frame = undefined;
    this.shape = '';
  }

  protected override show({ header, data }: ViewPayload, colors: ColorMapName): void {
    if (header.kind !== 'field') return;
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
    this.discard();
    const geometry = new PlaneGeometry(width, depth, columns - 1, rows - 1);
    geometry.setAttribute('color', new BufferAttribute(new Float32Array(3 * columns * rows), 3));
    for (const name of ['position', 'color', 'normal']) (geometry.getAttribute(name) as BufferAttribute).setUsage(DynamicDrawUsage);
    this.mesh = new Mesh(geometry, new MeshLambertMaterial({ vertexColors: true, side: DoubleSide }));
    this.frame = new LineSegments(new EdgesGeometry(new BoxGeometry(width, depth, HEIGHT)), new LineBasicMaterial({ color: 0x5b6675 }));
    this.scene.add(this.mesh, this.frame);
  }
}
