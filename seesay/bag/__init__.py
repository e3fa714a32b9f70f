"""Recordings: MCAP files that `ros2 bag`, Foxglove and SeeSay open. Needs the extra `record`; nothing else imports this package.

A recording is a folder: `NAME_0.mcap`, `NAME_1.mcap` ... and `metadata.yaml`, laid out as rosbag2 does. Every channel is CDR with a
ros2msg schema, because rosbag2 refuses a file with two serializations. Pictures, calibrations, transforms and ticks are standard ROS 2
messages, everything else a message of the package seesay_msgs whose definition is in the file. What a ROS header cannot hold is kept
beside it, so that what is read is what was recorded, bit by bit (JPEG pictures excepted, if they were asked for).
"""

from seesay.errors import BagError

try:
    import mcap  # noqa: F401
    import rosbags  # noqa: F401
except ModuleNotFoundError as error:
    raise BagError(f"recordings need the package {error.name!r}, which is not installed; run pip install 'seesay[record]'") from error
