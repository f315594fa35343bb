"""Commands straight to a running server's control socket, where starting a process for each would
take too long."""

import json
import socket

from gateway import Failed
from place import patience


def ask(gateway, command, **arguments):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience(10))
        connection.connect(str(gateway.state / "control.sock"))
        line = json.dumps({"command": command, "arguments": arguments})
        connection.sendall(line.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            data = connection.recv(1 << 20)
            if not data:
                raise Failed(f"{command}: the server closed its control socket")
            answer += data
    said = json.loads(answer)
    if "error" in said:
        raise Failed(f"{command} {arguments}: {said['error']}")
    return said["result"]
