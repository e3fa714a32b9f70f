"""A holder of an allowed key that sends one message of many parts: `send_endlessly.py ADDRESS PUBLIC SECRET SERVER PARTS BYTES`.

libzmq sends nothing of a message before its last part is there, so "endless" is as long as this process's memory allows.
Prints "cut" when the other end has closed the connection.
"""

import sys

import zmq

address, public, secret, server = sys.argv[1:5]
parts, size = map(int, sys.argv[5:])
with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
    socket.linger = 0
    socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = public.encode(), secret.encode(), server.encode()
    with socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED) as monitor:
        socket.connect(address)
        monitor.recv_multipart()
        for _ in range(parts):
            socket.send(bytes(size), zmq.SNDMORE)
        socket.send(b"")
        print("cut" if monitor.poll(30_000) else "not cut", flush=True)
        socket.disable_monitor()
