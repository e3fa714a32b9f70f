"""How each peer of the frame benchmark sends a picture and how it receives one; their imports are those of the peers' environment.

Each is used as its own examples do, with a queue of `Task.depth` where it has one, so that it can be fresh. Python's zenoh cannot fill
shared memory in place; eCAL, LCM and imagezmq have no such call.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from typing import Any

import numpy as np

from benchmarks.bus_load import SIDES, SIZE, Camera, Sink, Task


def send_pyzmq(task: Task, camera: Camera) -> None:
    import zmq

    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        socket.sndhwm, socket.linger = task.depth, 0
        socket.bind(f"ipc://{task.folder}/pyzmq")
        camera.drive(lambda pixels: socket.send_multipart([b"cam", pixels.data], copy=False))


def receive_pyzmq(task: Task, sink: Sink) -> None:
    import zmq

    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.rcvhwm = task.depth
        socket.subscribe(b"cam")
        socket.connect(f"ipc://{task.folder}/pyzmq")
        while not sink(np.frombuffer(socket.recv_multipart(copy=False)[1].buffer, np.uint8)):
            pass


def _iceoryx2(task: Task) -> tuple[Any, Any, Any]:
    import iceoryx2 as iox

    iox.set_log_level_from_env_or(iox.LogLevel.Error)
    name = f"benchmark{task.folder}"
    node = iox.NodeBuilder.new().create(iox.ServiceType.Ipc)
    builder = node.service_builder(iox.ServiceName.new(name)).publish_subscribe(iox.Slice[ctypes.c_uint8])
    builder = builder.subscriber_max_buffer_size(task.depth).subscriber_max_borrowed_samples(2).enable_safe_overflow(True)
    return node, builder.open_or_create(), node.service_builder(iox.ServiceName.new(f"{name}/event")).event().open_or_create()


def send_iceoryx2(task: Task, camera: Camera) -> None:
    _node, service, event = _iceoryx2(task)
    publisher = service.publisher_builder().initial_max_slice_len(SIZE).create()
    notifier = event.notifier_builder().create()

    def send(pixels: Any) -> None:
        sample = publisher.loan_slice_uninit(SIZE)
        place = np.frombuffer(sample.payload().as_memory_view(), np.uint8)
        if task.in_place:
            camera.stamp(place)
        else:
            np.copyto(place, pixels)
        sample.assume_init().send()
        notifier.notify()

    camera.drive(send)


def receive_iceoryx2(task: Task, sink: Sink) -> None:
    import iceoryx2 as iox

    _node, service, event = _iceoryx2(task)
    subscriber = service.subscriber_builder().create()
    listener = event.listener_builder().create()
    while not sink.done:
        listener.timed_wait(iox.Duration.from_millis(500))
        newest = None
        while (sample := subscriber.receive()) is not None:
            newest = sample
        if newest is not None:
            sink(np.frombuffer(newest.payload().as_memory_view(), np.uint8))
            del newest


def send_dora(task: Task, camera: Camera) -> None:
    import dora
    import pyarrow as pa

    node = dora.Node()

    def send(pixels: Any) -> None:
        if task.in_place:
            with node.send_output_raw("cam", SIZE) as place:
                camera.stamp(np.frombuffer(memoryview(place), np.uint8))
        else:
            node.send_output("cam", pa.array(pixels))

    camera.drive(send)


def receive_dora(task: Task, sink: Sink) -> None:
    import dora

    node = dora.Node()
    while not sink.done:
        event = node.next(timeout=1.0)
        if event is not None and event["type"] == "INPUT":
            sink(event["value"].to_numpy(zero_copy_only=True))
        elif event is not None and event["type"] == "STOP":
            break


def _zenoh(task: Task, here: str) -> Any:
    import zenoh

    config = zenoh.Config()
    config.insert_json5("mode", '"peer"')
    config.insert_json5("scouting/multicast/enabled", "false")
    config.insert_json5("transport/shared_memory/enabled", "true" if task.name == "zenoh_shm" else "false")
    config.insert_json5(here, '["tcp/127.0.0.1:7557"]')
    if here.startswith("connect"):
        config.insert_json5("listen/endpoints", "[]")
    return zenoh.open(config)


def send_zenoh(task: Task, camera: Camera) -> None:
    import zenoh

    with _zenoh(task, "listen/endpoints") as session:
        publisher = session.declare_publisher("cam/rgb", congestion_control=zenoh.CongestionControl.DROP)
        provider = zenoh.shm.ShmProvider.default_backend(8 * SIZE) if task.name == "zenoh_shm" else None

        def send(pixels: Any) -> None:
            payload = pixels.tobytes()
            if provider is not None:
                place = provider.alloc(SIZE, policy=zenoh.shm.BlockOn(zenoh.shm.GarbageCollect()))
                place[:] = payload
                payload = place
            publisher.put(payload)

        camera.drive(send)


def receive_zenoh(task: Task, sink: Sink) -> None:
    import zenoh

    with _zenoh(task, "connect/endpoints") as session:
        subscriber = session.declare_subscriber("cam/rgb", zenoh.handlers.RingChannel(task.depth))
        while not sink(np.frombuffer(subscriber.recv().payload.to_bytes(), np.uint8)):
            pass


def _ecal(name: str) -> Any:
    import ecal.nanobind_core as ecal

    ecal.initialize(ecal.get_configuration(), f"benchmark_{name}")
    return ecal


def send_ecal(task: Task, camera: Camera) -> None:
    ecal = _ecal("camera")
    publisher = ecal.Publisher("cam")
    camera.drive(lambda pixels: publisher.send(pixels.tobytes()))
    ecal.finalize()


def receive_ecal(task: Task, sink: Sink) -> None:
    ecal = _ecal("consumer")
    done = threading.Event()
    subscriber = ecal.Subscriber("cam")

    def take(publisher: Any, kind: Any, data: Any) -> None:
        if sink(np.frombuffer(getattr(data, "buffer", data), np.uint8)):
            done.set()

    subscriber.set_receive_callback(take)
    done.wait()
    subscriber.remove_receive_callback()
    ecal.finalize()


LCM_URL = "udpm://239.255.76.67:7667?ttl=0&recv_buf_size=4194304"


def send_lcm(task: Task, camera: Camera) -> None:
    import lcm

    link = lcm.LCM(LCM_URL)
    camera.drive(lambda pixels: link.publish("CAM", pixels.tobytes()))


def receive_lcm(task: Task, sink: Sink) -> None:
    import lcm

    link = lcm.LCM(LCM_URL)
    link.subscribe("CAM", lambda channel, data: sink(np.frombuffer(data, np.uint8)))
    while not sink.done:
        link.handle_timeout(500)


def send_imagezmq(task: Task, camera: Camera) -> None:
    import imagezmq

    ask = task.name == "imagezmq"
    sender = imagezmq.ImageSender(connect_to=f"tcp://127.0.0.1:{5755 if ask else 5756}", REQ_REP=ask)
    camera.drive(lambda pixels: sender.send_image("cam", pixels.reshape(*SIDES, 3)))


def receive_imagezmq(task: Task, sink: Sink) -> None:
    import imagezmq
    import zmq

    ask = task.name == "imagezmq"
    hub = imagezmq.ImageHub(open_port=f"tcp://127.0.0.1:{5755 if ask else 5756}", REQ_REP=ask)
    with contextlib.suppress(zmq.Again):
        while True:
            _, picture = hub.recv_image()
            if ask:
                hub.send_reply(b"OK")
            if sink(picture.reshape(-1)):   # the sender waits for an answer to each of its end marks
                hub.zmq_socket.rcvtimeo = 1000
