"""Takes profiles over HTTP, as OTLP or as pprof, and prints a line for each: STATUS TIME DURATION, in nanoseconds.

    push_server.py FAILURES

Prints its port first, and refuses connections until it gets a line. So many requests are then answered with 500, all others
with 200. GET prints the path.

Origin: own. Licence: Apache-2.0.
"""
import gzip
import http.server
import sys

from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2

failures = int(sys.argv[1])


def of_otlp(body):
    request = profiles_service_pb2.ExportProfilesServiceRequest.FromString(body)
    profile = request.resource_profiles[0].scope_profiles[0].profiles[0]
    return profile.time_unix_nano, profile.duration_nano


def varint(message, at):
    value, shift = 0, 0
    while True:
        value |= (message[at] & 0x7f) << shift
        shift += 7
        at += 1
        if message[at - 1] < 0x80:
            return value, at


def of_pprof(body):
    """Its time_nanos and duration_nanos: fields 9 and 10 of profile.proto."""
    message, at, numbers = gzip.decompress(body), 0, {}
    while at < len(message):
        tag, at = varint(message, at)
        value, at = varint(message, at)
        assert tag & 7 in (0, 2)
        if tag & 7 == 2:
            at += value
        else:
            numbers[tag >> 3] = value
    assert at == len(message)
    return numbers[9], numbers[10]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global failures
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 500 if failures else 200
        failures = max(failures - 1, 0)
        print(status, *(of_pprof if self.path.startswith("/ingest?") else of_otlp)(body), flush=True)
        self.answer(status)

    def do_GET(self):
        print(self.path, flush=True)
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.server_bind()
print(server.server_port, flush=True)
sys.stdin.readline()
server.server_activate()
server.serve_forever()
