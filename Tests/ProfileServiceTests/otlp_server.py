"""Takes OTLP profiles over HTTP and prints each as a line of JSON, decoded by OpenTelemetry's own classes.

    otlp_server.py ANSWER...

The first requests get these answers: a status, and then the request is dropped; or REJECTED:MESSAGE, a partial success. All
others get 200. Prints its port first. A request that can't be decoded, or isn't as its specification requires, ends it with a
line that says why: otherwise it would be repeated.

Origin: own. Licence: Apache-2.0.
"""
import http.server
import json
import os
import sys
import traceback

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2

answers = sys.argv[1:]


def resolved(request):
    """A request with values in place of indices, checked as its specification requires."""
    tables = request.dictionary
    string = list(tables.string_table)
    assert string[0] == "" and len(set(string)) == len(string)
    # The first element of each table is the empty message.
    for table in (tables.mapping_table, tables.location_table, tables.function_table, tables.link_table,
                  tables.attribute_table, tables.stack_table):
        assert table[0].ByteSize() == 0
        assert len({element.SerializeToString() for element in table}) == len(table)

    def attributes(indices):
        found = {}
        for index in indices:
            attribute = tables.attribute_table[index]
            assert index > 0 and string[attribute.key_strindex] not in found
            value = attribute.value
            found[string[attribute.key_strindex]] = getattr(value, value.WhichOneof("value"))
        return found

    def location(index):
        location = tables.location_table[index]
        assert index > 0
        mapping = tables.mapping_table[location.mapping_index]
        lines = []
        for line in location.lines:
            function = tables.function_table[line.function_index]
            assert line.function_index > 0
            lines.append([string[function.name_strindex], string[function.system_name_strindex],
                          string[function.filename_strindex], line.line])
        return {"address": location.address, "lines": lines, "attributes": attributes(location.attribute_indices),
                "file": string[mapping.filename_strindex], "limit": mapping.memory_limit,
                "mapping": attributes(mapping.attribute_indices)}

    def type(value):
        return [string[value.type_strindex], string[value.unit_strindex]]

    (resource,) = request.resource_profiles
    (scope,) = resource.scope_profiles
    (profile,) = scope.profiles
    assert len(profile.profile_id) == 16
    return {
        "resource": {pair.key: pair.value.string_value for pair in resource.resource.attributes},
        "scope": MessageToDict(scope.scope),
        "type": type(profile.sample_type), "period": [type(profile.period_type), profile.period],
        "time": profile.time_unix_nano, "duration": profile.duration_nano,
        "samples": [{"stack": [location(index) for index in tables.stack_table[sample.stack_index].location_indices],
                     "attributes": attributes(sample.attribute_indices), "values": list(sample.values)}
                    for sample in profile.samples],
    }


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        rejected, is_partial, message = (answers.pop(0) if answers else "200").partition(":")
        status = 200 if is_partial else int(rejected)
        if status == 200:
            print(self.decoded(body), flush=True)
        response = profiles_service_pb2.ExportProfilesServiceResponse()
        if is_partial:
            response.partial_success.rejected_profiles = int(rejected)
            response.partial_success.error_message = message
        answer = response.SerializeToString() if status == 200 else b"no\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(answer)

    def decoded(self, body):
        try:
            request = profiles_service_pb2.ExportProfilesServiceRequest.FromString(body)
            return json.dumps({"path": self.path, "type": self.headers["Content-Type"],
                               "authorization": self.headers["Authorization"], "profile": resolved(request)})
        except Exception:
            print(repr(traceback.format_exc()), flush=True)
            os._exit(1)

    def log_message(self, *arguments):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
