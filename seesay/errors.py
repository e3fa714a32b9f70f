"""Every exception that SeeSay raises on purpose.

    SeeSayError
    ├── UserError         a person's input is wrong; the command line prints it in one line and exits with 2
    │   ├── ConfigError   a launch file, a parameter or an option
    │   ├── SourceError   a camera, file, folder or stream
    │   ├── ModelError    a model that cannot be had or read
    │   ├── PromptError   a prompt that a model cannot take
    │   ├── BagError      a recording that cannot be written or read
    │   ├── KeyFileError  a key pair, or the list of hosts that may connect
    │   └── SkillError    a skill file, or an instruction that the skills cannot serve
    │       └── ContextError   a prompt longer than the language model takes
    ├── MessageError      a message field of the wrong type, shape, dtype or range
    ├── WireError         bytes that are not a message of ours
    ├── BusError          a socket, a topic or a session directory
    │   └── ServiceError  a call that the server refused or failed
    │       ├── ServiceBusy     the server has as many calls as it takes
    │       └── ServiceTimeout  no answer in time
    ├── DeviceError   a GPU that failed or is gone, or memory that does not suffice
    ├── TransformError    two frames that no known transforms connect at the stamp asked for
    └── StaleError        evidence older than the caller allows

Every message is one sentence that says what was expected, what was got and the cure.
"""


class SeeSayError(Exception):
    """Base class of all errors below."""


class UserError(SeeSayError):
    """Wrong input from a person: printed in one line, exit status 2."""


class ConfigError(UserError):
    """A launch file, a parameter or an option is wrong."""


class SourceError(UserError):
    """A camera, file, folder or stream cannot be read."""


class ModelError(UserError):
    """A model cannot be found, loaded or used."""


class BagError(UserError):
    """A recording cannot be written or read."""


class PromptError(UserError):
    """A prompt is empty, too long or otherwise not usable by the model."""


class KeyFileError(UserError):
    """A key file or the list of allowed keys is missing, damaged or open to others."""


class SkillError(UserError):
    """A skill file is wrong, or an instruction cannot be served by the skills."""


class ContextError(SkillError):
    """A prompt is longer than the language model takes."""


class MessageError(SeeSayError):
    """A message field has the wrong type, shape, dtype or range."""


class WireError(SeeSayError):
    """Received bytes are not a valid message."""


class BusError(SeeSayError):
    """A socket, topic or session directory cannot be used."""


class ServiceError(BusError):
    """The server of a call refused it or failed; the message is its own sentence."""


class ServiceBusy(ServiceError):
    """The server has as many calls as it takes; try again later."""


class ServiceTimeout(ServiceError):
    """No answer came in time. Whether the call was carried out is not known."""


class DeviceError(SeeSayError):
    """A GPU failed or is gone, or a picture does not fit into its memory; another process may have more luck."""


class TransformError(SeeSayError):
    """No known transforms connect two frames at the stamp asked for."""


class StaleError(SeeSayError):
    """The evidence is older than the caller allows."""
