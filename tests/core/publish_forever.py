"""A program for the tests: publish pictures whose stamp names this life of the program, until killed. Arguments: directory, life."""

import sys
import time

import numpy as np

from seesay.bus import Bus
from seesay.messages import Header, Image, Instruction
from seesay.topics import IMAGE, INSTRUCTION

with Bus(sys.argv[1], "camera") as bus:
    bus.publisher(INSTRUCTION).send(Instruction(Header(int(sys.argv[2])), sys.argv[2], "alive"))
    publisher = bus.publisher(IMAGE.of(camera="front"))
    while True:
        publisher.send(Image(Header(int(sys.argv[2])), "rgb8", np.zeros((240, 320, 3), np.uint8)))
        time.sleep(0.005)
