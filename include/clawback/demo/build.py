"""Makes the demo's world once: `python -m clawback.demo.build DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

from clawback.demo.scene import Memory, Scene, new_memory
from clawback.demo.world import create_warehouse, write_world
from clawback.sandbox.seed import ORDERS, SEED, generate


def build_world(scene: Scene, memory: Memory) -> None:
    """Write the world and its warehouse, and remember them as complete."""
    world = generate(seed=memory.seed, orders=memory.orders, now=memory.now)
    write_world(scene.world, world.actions)
    create_warehouse(scene.warehouse, world.returns)
    scene.remember(memory)


def main(directory: str) -> None:
    scene = Scene(Path(directory))
    with scene.held():
        if not scene.recall():
            build_world(scene, new_memory(SEED, ORDERS))


if __name__ == "__main__":
    main(*sys.argv[1:])
