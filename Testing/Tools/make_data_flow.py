"""Draw Documentation/pictures/data-flow.svg: how data flow through the layers.

python Testing/Tools/make_data_flow.py
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

PICTURE = Path(__file__).resolve().parents[2] / "Documentation" / "pictures" / "data-flow.svg"
WIDTH, HEIGHT = 1040, 560

SCENE, BRIDGE, LIBRARY, STORE = "#dbe7f3", "#fbe8c8", "#e2f0d9", "#f3dbe4"


@dataclass(frozen=True)
class Box:
    """Lines of text in a rectangle; x, y: upper left corner, in points."""

    x: int
    y: int
    lines: tuple[str, ...]
    color: str
    width: int = 152
    height: int = 62

    @property
    def left(self) -> tuple[int, int]:
        return self.x, self.y + self.height // 2

    @property
    def right(self) -> tuple[int, int]:
        return self.x + self.width, self.y + self.height // 2

    @property
    def top(self) -> tuple[int, int]:
        return self.x + self.width // 2, self.y

    @property
    def bottom(self) -> tuple[int, int]:
        return self.x + self.width // 2, self.y + self.height

    def draw(self) -> str:
        """The rectangle; the first line in bold type."""
        middle, first = self.x + self.width / 2, self.y + self.height / 2 - 8 * (len(self.lines) - 1) + 4
        weights = ["bold", *["normal"] * (len(self.lines) - 1)]
        texts = [
            f'<text x="{middle:g}" y="{first + 16 * row:g}" font-weight="{weight}">{escape(line)}</text>'
            for row, (line, weight) in enumerate(zip(self.lines, weights, strict=True))
        ]
        shape = (
            f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="6" fill="{self.color}"/>'
        )
        return "\n".join([shape, *texts])


def arrow(start: tuple[int, int], *points: tuple[int, int], dashed: bool = False) -> str:
    """A line from start through the points, with a head at the last."""
    path = " L ".join(f"{x} {y}" for x, y in (start, *points))
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<path d="M {path}" fill="none" marker-end="url(#head)"{dashes}/>'


def label(x: int, y: int, text: str, anchor: str = "middle") -> str:
    """Small text beside an arrow."""
    return f'<text x="{x}" y="{y}" font-size="11" fill="#444" text-anchor="{anchor}">{escape(text)}</text>'


def picture() -> str:
    """The SVG file."""
    step, top, middle, bottom = 172, 60, 250, 420
    volume = Box(10, top, ("Volume node", "region, transform"), SCENE)
    reading = Box(10 + step, top, ("mrml: reading", "node to image"), BRIDGE)
    prepare = Box(10 + 2 * step, top, ("preprocessing", "orientation, spacing,", "intensities"), LIBRARY)
    network = Box(10 + 3 * step, top, ("network", "windows, stitched", "plane by plane"), LIBRARY)
    restore = Box(10 + 4 * step, top, ("restoration", "to the scan's voxels,", "post-processing"), LIBRARY)
    writing = Box(10 + 5 * step, top, ("mrml: segments", "names, colours, codes"), BRIDGE)
    node = Box(10 + 5 * step, middle, ("Segmentation node", "on the scan's grid"), SCENE)
    editor = Box(10 + 5 * step, bottom, ("Segment Editor", "corrections"), SCENE)
    case = Box(10 + 4 * step, bottom, ("case store", "image, labels,", "what was reviewed"), STORE)
    tune = Box(10 + 3 * step, bottom, ("fine-tuning", "a process of its own"), LIBRARY)
    gate = Box(10 + 2 * step, bottom, ("gate", "held-out corrections,", "reference set"), LIBRARY)
    store = Box(10 + 2 * step, middle, ("model store", "card and weights,", "every version kept"), STORE)
    files = Box(10, middle, ("Files", "DICOM, NIfTI, NRRD"), SCENE)
    results = Box(10 + 4 * step, middle, ("Files", ".seg.nrrd, NIfTI,", "DICOM SEG"), SCENE)
    boxes = (volume, reading, prepare, network, restore, writing, node, editor, case, tune, gate, store, files, results)
    row = [volume, reading, prepare, network, restore, writing]
    arrows = [
        *(arrow(one.right, other.left) for one, other in pairwise(row)),
        arrow(writing.bottom, node.top),
        arrow(node.bottom, editor.top),
        arrow(editor.left, case.right),
        arrow(case.left, tune.right),
        arrow(tune.left, gate.right),
        arrow(gate.top, store.bottom),
        arrow(store.right, (network.bottom[0], store.right[1]), network.bottom),
        arrow(files.top, (files.top[0], 190), (prepare.x + 40, 190), (prepare.x + 40, prepare.bottom[1])),
        arrow(restore.bottom, results.top),
        arrow(store.top, prepare.bottom, dashed=True),
    ]
    labels = [
        label(store.top[0] + 8, 205, "card: all that a run needs", "start"),
        label(gate.top[0] + 8, 400, "adopted, or kept aside", "start"),
        label(20, 185, "command line, Python", "start"),
    ]
    legend = [
        Box(10 + index * 200, HEIGHT - 50, (text,), color, 190, 30)
        for index, (text, color) in enumerate(
            (
                ("the user's data", SCENE),
                ("bridge (slicer, vtk)", BRIDGE),
                ("library", LIBRARY),
                ("kept on disk", STORE),
            )
        )
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"',
            '     font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12" text-anchor="middle">',
            "<title>Data flow: scan to segmentation, corrections to a new version of the model</title>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"',
            ' orient="auto"><path d="M 0 0 L 8 4 L 0 8 z" fill="#555" stroke="none"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            label(10, 35, "Segmenting: one way, no back and forth; only the bridge knows Slicer", "start"),
            '<g stroke="#555" stroke-width="1.4">', *arrows, "</g>",
            *(box.draw() for box in (*boxes, *legend)),
            *labels,
            "</svg>",
            "",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture(), encoding="utf-8")
    print(PICTURE.name)
