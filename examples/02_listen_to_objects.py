"""Print the objects of a running system: `seesay launch tabletop.toml` in one terminal, this program in another."""

from seesay import topics
from seesay.bus import Bus
from seesay.nodes.sessions import running

with Bus(running(), "listener") as bus:
    objects = bus.subscriber(topics.OBJECTS)
    while True:
        received = objects.take(timeout=10.0)                   # the newest Objects, never an old one
        if received is None:
            break
        for thing in received.message.objects:
            x, y, z = thing.position                            # (3,) float64 metres in the world
            print(f"#{thing.id} {thing.label} at ({x:+.3f}, {y:+.3f}, {z:+.3f}) m, {thing.status}")
