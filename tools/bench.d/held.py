"""Many streams that are open and mostly silent. Run as a program of its own, so that it has its own
file limit and core:
  held.py PORT COUNT KEY plain|tls
Opens COUNT streams, waits for the first chunk of each, prints "held", and keeps them until its
standard input ends."""
import resource
import select
import socket
import ssl
import sys

port, count, key, transport = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

front = '{"model":"gpt-4o","messages":[{"role":"user","content":"'
back = '"}],"max_tokens":16000,"stream":true}'
body = front + ("some words to fill the prompt " * 40)[:1024 - len(front) - len(back)] + back
request = (
    "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer " + key +
    "\r\ncontent-type: application/json\r\ncontent-length: " + str(len(body)) + "\r\n\r\n" +
    body).encode()

tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
tls.maximum_version = ssl.TLSVersion.TLSv1_2
tls.check_hostname = False
tls.verify_mode = ssl.CERT_NONE
session = None
streams = {}
for _ in range(count):
    stream = socket.create_connection(("127.0.0.1", port))
    if transport == "tls":
        stream = tls.wrap_socket(stream, session=session)
        session = stream.session
    stream.sendall(request)
    streams[stream.fileno()] = stream

waiting = set(streams)
poll = select.epoll()
for fd in streams:
    poll.register(fd, select.EPOLLIN)
poll.register(sys.stdin.fileno(), select.EPOLLIN)
while True:
    for fd, _ in poll.poll():
        if fd == sys.stdin.fileno():
            sys.exit(0)
        got = streams[fd].recv(65536)
        if not got:
            sys.exit("the server ended a stream")
        if b"data:" in got and fd in waiting:
            waiting.discard(fd)
            if not waiting:
                print("held", flush=True)
